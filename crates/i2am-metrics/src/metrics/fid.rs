//! The metric `fid`.

#[cfg(feature = "torch")]
mod measure;

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Deserializer, Serialize};

use crate::inception::{INCEPTION, Mode};
use crate::metric::{MetricInfo, Needs, Settings};

// Another CPU moves a value by 6e-5 of its size.
static FID: Quantity = Quantity::new("fid", "FID", Better::Lower)
    .decimals(2)
    .tolerance(Bound::relative(3e-4), None)
    .headline()
    .correlated()
    .of_sets();

/// Channels of the features that can be compared.
const TAPS: [usize; 4] = [64, 192, 768, LAST];
/// Channels of the last features, which FID compares by default.
const LAST: usize = 2048;

/// Fréchet Inception Distance: how far two sets of pictures are apart, if their Inception features were normal.
///
/// # Shapes
/// Sets of any number of pictures from 2, of any sizes; or statistics (`.npz` with `mu`, `sigma`).
/// # Units and range
/// None; 0 for equal statistics, lower is better. Depends on the number of pictures: few give a larger value.
/// # Errors
/// [`TooFew`](crate::MetricError::TooFew) below 2 pictures on a side.
/// # Source
/// Heusel et al. 2017; checked against pytorch-fid 0.3.0, torch-fidelity 0.3.0 and clean-fid 0.1.35 (fixture `sets`).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fid {
    mode: Mode,
    #[serde(deserialize_with = "tap")]
    tap: usize,
}

impl Default for Fid {
    /// pytorch-fid's.
    fn default() -> Self {
        Self {
            mode: Mode::PytorchFid,
            tap: LAST,
        }
    }
}

fn tap<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let width = usize::deserialize(deserializer)?;
    if TAPS.contains(&width) {
        return Ok(width);
    }
    let problem = format!("tap: expected 64, 192, 768 or 2048, found {width}");
    Err(serde::de::Error::custom(problem))
}

impl Settings for Fid {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &FID,
        needs: Needs::Sets,
        needs_torch: true,
        weights: &[&INCEPTION],
        key: "mode",
        variants: &[
            Mode::PytorchFid.variant(),
            Mode::TorchFidelity.variant(),
            Mode::Clean.variant(),
        ],
        summary: "Fréchet Inception Distance of two sets",
        source: "Heusel et al. 2017; pytorch-fid 0.3.0, torch-fidelity 0.3.0, clean-fid 0.1.35",
    };

    fn variant(&self) -> String {
        match self.tap {
            LAST => self.mode.as_str().to_owned(),
            tap => format!("{}/{tap}", self.mode.as_str()),
        }
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        measure::open(*self, session)
    }
}
