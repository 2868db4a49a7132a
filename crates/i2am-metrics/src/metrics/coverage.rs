//! The metric `coverage`.

use i2am_quantity::Quantity;

use crate::in_balls::{OfBalls, info, quantity};
use crate::metric::MetricInfo;

static COVERAGE: Quantity = quantity("coverage", "Coverage");

/// Coverage: the part of the real pictures whose ball holds a generated picture. A ball reaches to the `neighbors`th nearest neighbor of
/// its center among the real pictures, its surface not included.
///
/// # Shapes
/// Sets of more pictures than `neighbors` on each side, of any sizes.
/// # Units and range
/// None; in `[0, 1]`; higher is better. Steps of one over the number of real pictures.
/// # Errors
/// [`TooFew`](crate::MetricError::TooFew) if a side has no more than `neighbors` pictures.
/// # Source
/// Naeem, Oh, Uh, Choi, Yoo 2020, with the Inception network; checked against prdc 0.2, given the same features (fixture `features`).
#[derive(Debug)]
pub struct Coverage;

impl OfBalls for Coverage {
    const INFO: &'static MetricInfo = &info(
        &COVERAGE,
        "part of the real images that have a generated one near",
        "Naeem et al. 2020; prdc 0.2",
    );

    const NEIGHBORS: usize = 5;

    #[cfg(feature = "torch")]
    fn score(generated: &crate::Features, real: &crate::Features, neighbors: usize) -> f64 {
        use crate::neighbors::Balls;

        Balls::around(real, neighbors).share_reached(generated)
    }
}
