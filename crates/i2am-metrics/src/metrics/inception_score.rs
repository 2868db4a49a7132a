//! The metric `inception-score`.

#[cfg(feature = "torch")]
mod measure;

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

use crate::inception::{INCEPTION, Mode};
use crate::metric::{MetricInfo, Needs, Settings};
use crate::resources::WeightsInfo;

static INCEPTION_SCORE: Quantity = Quantity::new("inception-score", "IS", Better::Higher)
    .decimals(3)
    .tolerance(Bound::relative(1e-4), None)
    .headline()
    .correlated()
    .of_sets()
    .footnote("IS does not look at the real images.");

/// The last layer of the network, which the file that FID is content with does not have.
static LOGITS: WeightsInfo = WeightsInfo {
    name: "inception-logits",
    files: &["pt_inception-2015-12-05-6726825d.pth"],
    help: "it is pytorch-fid's file, on the page of its releases on GitHub; only its tensor `fc.weight` is read; give it with \
           --weights inception-logits=FILE",
};

/// Splits that are usually made.
const SPLITS: usize = 10;

/// Inception score: how surely the Inception network names what each generated picture shows, and how many different things it names.
///
/// The exponential of the mean Kullback-Leibler divergence between the classes of a picture and the mean of these over a split; the mean
/// over splits, into which the pictures are shuffled. The layer's bias is left out. **The real pictures play no part.**
///
/// # Shapes
/// A set of as many pictures as splits at least, of any sizes.
/// # Units and range
/// None; in `[1, 1008]`; higher is better. Depends on the number of pictures in a split.
/// # Errors
/// [`TooFew`](crate::MetricError::TooFew) below one picture for each split; [`NoWeights`](crate::MetricError::NoWeights) without a file that has the last layer.
/// # Source
/// Salimans et al. 2016; checked against torch-fidelity at commit 5e211a9, whose splits are shuffled alike (fixture `features`).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InceptionScore {
    mode: Mode,
    /// Number of splits.
    splits: usize,
    /// Seed of the shuffle.
    seed: u32,
}

impl Default for InceptionScore {
    /// torch-fidelity's.
    fn default() -> Self {
        Self {
            mode: Mode::TorchFidelity,
            splits: SPLITS,
            seed: 2020,
        }
    }
}

impl Settings for InceptionScore {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &INCEPTION_SCORE,
        needs: Needs::Sets,
        needs_torch: true,
        weights: &[&INCEPTION, &LOGITS],
        key: "mode",
        variants: &Mode::VARIANTS,
        summary: "Inception score of the generated images alone",
        source: "Salimans et al. 2016; torch-fidelity 5e211a9",
    };

    fn variant(&self) -> String {
        self.mode.with("splits", self.splits, SPLITS)
    }

    fn check(&self) -> Result<(), String> {
        match self.splits {
            0 => Err("splits: expected at least 1, found 0".to_owned()),
            _ => Ok(()),
        }
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        measure::open(*self, session)
    }
}
