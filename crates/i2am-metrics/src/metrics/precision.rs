//! The metric `precision`.

use i2am_quantity::Quantity;

use crate::in_balls::{OfBalls, info, quantity};
use crate::metric::MetricInfo;

static PRECISION: Quantity = quantity("precision", "Precision");

/// Improved precision: the part of the generated pictures whose features lie in a ball around the features of a real picture. A ball
/// reaches to the `neighbors`th nearest neighbor of its center among the real pictures, its surface included.
///
/// # Shapes
/// Sets of more pictures than `neighbors` on each side, of any sizes.
/// # Units and range
/// None; in `[0, 1]`; higher is better. Steps of one over the number of generated pictures.
/// # Errors
/// [`TooFew`](crate::MetricError::TooFew) if a side has no more than `neighbors` pictures.
/// # Source
/// Kynkäänniemi, Karras, Laine, Lehtinen, Aila 2019, with the Inception network in place of VGG16; checked against torch-fidelity at commit
/// 5e211a9 and prdc 0.2, given the same features (fixture `features`).
#[derive(Debug)]
pub struct Precision;

impl OfBalls for Precision {
    const INFO: &'static MetricInfo = &info(
        &PRECISION,
        "part of the generated images that lie among the real ones",
        "Kynkäänniemi et al. 2019; torch-fidelity 5e211a9, prdc 0.2",
    );

    const NEIGHBORS: usize = 3;

    #[cfg(feature = "torch")]
    fn score(generated: &crate::Features, real: &crate::Features, neighbors: usize) -> f64 {
        use crate::neighbors::Balls;

        Balls::around(real, neighbors).share_inside(generated)
    }
}
