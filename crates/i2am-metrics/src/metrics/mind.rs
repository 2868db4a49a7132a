//! The metric `mind`.

#[cfg(feature = "torch")]
mod measure;

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

use crate::inception::{INCEPTION, Mode};
use crate::metric::{MetricInfo, Needs, Settings};

static MIND: Quantity = Quantity::new("mind", "MIND", Better::Lower)
    .decimals(2)
    .tolerance(Bound::relative(3e-4), None)
    .headline()
    .correlated()
    .of_sets();

/// Directions that are usually drawn.
const PROJECTIONS: usize = 1000;

/// Monge Inception Distance: the squared Wasserstein distance of the two sets of features along random directions, averaged over the
/// directions and multiplied by three times the number of channels.
///
/// Along one direction both sides are numbers; sorted, they are compared one by one, and their squared differences are averaged. If a
/// side has more pictures than the other, so many of it are drawn.
///
/// # Shapes
/// Sets of any number of pictures from 2, of any sizes.
/// # Units and range
/// None; at least 0, and 0 for equal sets; lower is better. Depends on the number of pictures, less than FID does.
/// # Errors
/// [`TooFew`](crate::MetricError::TooFew) below 2 pictures on a side.
/// # Source
/// Berthet et al. 2026, arXiv 2605.06797; checked against torch-fidelity at commit 5e211a9, whose directions and pictures are drawn alike
/// (fixture `features`).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mind {
    mode: Mode,
    /// Number of directions.
    projections: usize,
    /// Seed of directions, and of the pictures that are drawn.
    seed: u32,
}

impl Default for Mind {
    /// torch-fidelity's.
    fn default() -> Self {
        Self {
            mode: Mode::TorchFidelity,
            projections: PROJECTIONS,
            seed: 2020,
        }
    }
}

impl Settings for Mind {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &MIND,
        needs: Needs::Sets,
        needs_torch: true,
        weights: &[&INCEPTION],
        key: "mode",
        variants: &Mode::VARIANTS,
        summary: "Monge Inception Distance of two sets: sliced Wasserstein",
        source: "Berthet et al. 2026, arXiv 2605.06797; torch-fidelity 5e211a9",
    };

    fn variant(&self) -> String {
        self.mode.with("projections", self.projections, PROJECTIONS)
    }

    fn check(&self) -> Result<(), String> {
        match self.projections {
            0 => Err("projections: expected at least 1, found 0".to_owned()),
            _ => Ok(()),
        }
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        measure::open(*self, session)
    }
}
