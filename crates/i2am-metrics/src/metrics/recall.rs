//! The metric `recall`.

use i2am_quantity::Quantity;

use crate::in_balls::{OfBalls, info, quantity};
use crate::metric::MetricInfo;

static RECALL: Quantity = quantity("recall", "Recall");

/// Improved recall: the part of the real pictures whose features lie in a ball around the features of a generated picture. A ball
/// reaches to the `neighbors`th nearest neighbor of its center among the generated pictures, its surface included.
///
/// # Shapes
/// Sets of more pictures than `neighbors` on each side, of any sizes.
/// # Units and range
/// None; in `[0, 1]`; higher is better. Steps of one over the number of real pictures.
/// # Errors
/// [`TooFew`](crate::MetricError::TooFew) if a side has no more than `neighbors` pictures.
/// # Source
/// Kynkäänniemi, Karras, Laine, Lehtinen, Aila 2019, with the Inception network in place of VGG16; checked against torch-fidelity at commit
/// 5e211a9 and prdc 0.2, given the same features (fixture `features`).
#[derive(Debug)]
pub struct Recall;

impl OfBalls for Recall {
    const INFO: &'static MetricInfo = &info(
        &RECALL,
        "part of the real images that lie among the generated ones",
        "Kynkäänniemi et al. 2019; torch-fidelity 5e211a9, prdc 0.2",
    );

    const NEIGHBORS: usize = 3;

    #[cfg(feature = "torch")]
    fn score(generated: &crate::Features, real: &crate::Features, neighbors: usize) -> f64 {
        use crate::neighbors::Balls;

        Balls::around(generated, neighbors).share_inside(real)
    }
}
