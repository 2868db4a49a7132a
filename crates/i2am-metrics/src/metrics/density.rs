//! The metric `density`.

use i2am_quantity::Quantity;

use crate::in_balls::{OfBalls, info, quantity};
use crate::metric::MetricInfo;

static DENSITY: Quantity = quantity("density", "Density");

/// Density: in how many balls around features of real pictures a generated picture lies on average, divided by `neighbors`. A ball
/// reaches to the `neighbors`th nearest neighbor of its center among the real pictures, its surface not included.
///
/// # Shapes
/// Sets of more pictures than `neighbors` on each side, of any sizes.
/// # Units and range
/// None; at least 0, about 1 for two samples of one distribution, and above 1 is possible; higher is better.
/// # Errors
/// [`TooFew`](crate::MetricError::TooFew) if a side has no more than `neighbors` pictures.
/// # Source
/// Naeem, Oh, Uh, Choi, Yoo 2020, with the Inception network; checked against prdc 0.2, given the same features (fixture `features`).
#[derive(Debug)]
pub struct Density;

impl OfBalls for Density {
    const INFO: &'static MetricInfo = &info(
        &DENSITY,
        "how densely real images surround the generated ones",
        "Naeem et al. 2020; prdc 0.2",
    );

    const NEIGHBORS: usize = 5;

    #[cfg(feature = "torch")]
    fn score(generated: &crate::Features, real: &crate::Features, neighbors: usize) -> f64 {
        use crate::neighbors::Balls;

        Balls::around(real, neighbors).mean_inside(generated) / neighbors as f64
    }
}
