//! The metric `kid`.

#[cfg(feature = "torch")]
mod measure;

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

use crate::inception::{INCEPTION, Mode};
use crate::metric::{MetricInfo, Needs, Settings};

// Another CPU moves a value by 3e-5.
static KID: Quantity = Quantity::new("kid", "KID", Better::Lower)
    .exponent(3)
    .decimals(2)
    .tolerance(Bound::absolute(1e-4), None)
    .headline()
    .correlated()
    .of_sets();

/// Kernel Inception Distance: unbiased squared MMD with a cubic kernel, mean over random subsets.
///
/// # Shapes
/// Sets of any number of pictures from 2, of any sizes.
/// # Units and range
/// None; lower is better, slightly negative is legitimate. Not multiplied by 1000.
/// # Errors
/// [`TooFew`](crate::MetricError::TooFew) below 2 pictures on a side. A side smaller than a subset lowers the size of subsets, with a note.
/// # Source
/// Bińkowski et al. 2018; checked against torch-fidelity 0.3.0 and clean-fid 0.1.35, whose subsets are drawn alike; clean-fid's only
/// after `numpy.random.seed`, since it sets no seed itself (fixture `sets`).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kid {
    mode: Mode,
    /// Number of subsets.
    subsets: u32,
    /// Images of each side in a subset.
    subset_size: usize,
    /// Seed of the subsets.
    seed: u32,
}

impl Default for Kid {
    /// torch-fidelity's.
    fn default() -> Self {
        Self {
            mode: Mode::TorchFidelity,
            subsets: 100,
            subset_size: 1000,
            seed: 2020,
        }
    }
}

impl Settings for Kid {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &KID,
        needs: Needs::Sets,
        needs_torch: true,
        weights: &[&INCEPTION],
        key: "mode",
        variants: &Mode::VARIANTS,
        summary: "Kernel Inception Distance of two sets, mean and deviation over subsets",
        source: "Bińkowski et al. 2018; torch-fidelity 0.3.0, clean-fid 0.1.35",
    };

    fn variant(&self) -> String {
        self.mode.as_str().to_owned()
    }

    fn check(&self) -> Result<(), String> {
        if self.subsets > 0 && self.subset_size >= 2 {
            return Ok(());
        }
        Err(format!(
            "expected at least 1 subset of at least 2 pictures, found subsets = {}, subset_size = {}",
            self.subsets, self.subset_size
        ))
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        measure::open(*self, session)
    }
}
