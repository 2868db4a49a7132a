//! The metric `dists`.

#[cfg(feature = "torch")]
mod net;

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

use super::lpips::VGG;
use crate::metric::{MetricInfo, Needs, Settings, Variant};
use crate::resources::WeightsInfo;

static DISTS: Quantity = Quantity::new("dists", "DISTS", Better::Lower)
    .decimals(4)
    .tolerance(Bound::absolute(2e-5), Some(Bound::absolute(5e-5)))
    .headline()
    .correlated();

/// What each channel counts for.
static WEIGHTS: WeightsInfo = WeightsInfo {
    name: "dists",
    files: &["dists_weights.pt"],
    help: "`scripts/setup --weights lpips` fetches it, `weights.pt` of the package DISTS-pytorch on PyPI; or give `dists_weights.pt` of \
           piq's releases on GitHub with --weights dists=FILE",
};

/// Deep image structure and texture similarity, as a distance: 1 less the weighted similarity of means (texture) and covariances
/// (structure) of the channels of VGG16, at five depths and in the picture itself.
///
/// # Shapes
/// Two RGB pictures of one size in levels of 0 to 255, which become `[0, 1]`; at least 16 x 16. `short-256` first resizes those whose
/// shorter side is longer than 256 pixels to 256, with Pillow's bilinear filter.
/// # Units and range
/// None; 0 for equal pictures, at most about 1; lower is better. What else is measured along with a pair moves its value by less than
/// 1e-6 (order of additions in f32).
/// # Errors
/// [`NoWeights`](crate::MetricError::NoWeights) without VGG16 or the weights of channels, [`Net`](crate::MetricError::Net) if a file does not hold them;
/// [`TooSmall`](crate::MetricError::TooSmall) for a picture that is.
/// # Source
/// Ding, Ma, Wang, Simoncelli 2020; the numbers are those of DISTS-pytorch 0.1 (fixture `dists`).
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dists {
    size: Size,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Size {
    #[default]
    Stored,
    #[serde(rename = "short-256")]
    Short256,
}

impl Settings for Dists {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &DISTS,
        needs: Needs::Pairs,
        needs_torch: true,
        weights: &[&VGG, &WEIGHTS],
        key: "size",
        variants: &[
            Variant {
                name: "stored",
                summary: "images in the size they have: DISTS(), piq",
            },
            Variant {
                name: "short-256",
                summary: "shorter side reduced to 256: prepare_image(resize=True) of the authors",
            },
        ],
        summary: "Deep image structure and texture similarity, a distance",
        source: "Ding et al. 2020; DISTS-pytorch 0.1",
    };

    fn variant(&self) -> String {
        Self::INFO.variants[self.size as usize].name.to_owned()
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        net::open(*self, session.resources())
    }
}
