//! The metric `lpips`.

#[cfg(feature = "torch")]
mod net;

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

use crate::metric::{MetricInfo, Needs, Settings, Variant};
use crate::resources::WeightsInfo;

#[cfg(feature = "torch")]
pub use net::LpipsNet;

static LPIPS: Quantity = Quantity::new("lpips", "LPIPS", Better::Lower)
    .decimals(4)
    .tolerance(Bound::relative(1e-4), Some(Bound::relative(5e-4)))
    .headline()
    .correlated();

/// What the messages about missing weights say.
const HELP: &str = "`scripts/setup --weights lpips` fetches it, or put torchvision's file there under its own name";
const HELP_SQUEEZE: &str = "`scripts/setup --weights squeezenet` fetches it, or put torchvision's file there under its own name";

static ALEX: WeightsInfo = WeightsInfo {
    name: "lpips-alex",
    files: &[
        "alexnet-owt-7be5be79.pth",
        "alexnet-owt-4df8aa71.pth",
        "alexnet-convolutions-5684a8db.safetensors",
    ],
    help: HELP,
};
static SQUEEZE: WeightsInfo = WeightsInfo {
    name: "lpips-squeeze",
    files: &["squeezenet1_1-b8a52dc0.pth", "squeezenet1_1-f364aa15.pth"],
    help: HELP_SQUEEZE,
};
pub(super) static VGG: WeightsInfo = WeightsInfo {
    name: "lpips-vgg",
    files: &[
        "vgg16-397923af.pth",
        "vgg16-convolutions-489ffb78.safetensors",
    ],
    help: HELP,
};

/// Learned perceptual image patch similarity: weighted squared difference of features that are scaled to length 1 at every position,
/// averaged over positions and summed over layers.
///
/// # Shapes
/// Two RGB pictures of one size in levels of 0 to 255, which become `[-1, 1]`; at least 31 x 31 for `alex`, 17 x 17 for `squeeze`,
/// 16 x 16 for `vgg`. They are not resized.
/// # Units and range
/// None; at least 0; lower is better; 0 for equal pictures. Values of different nets cannot be compared. What else is measured along
/// with a pair moves its value by less than 1e-7 (order of additions in f32).
/// # Errors
/// [`NoWeights`](crate::MetricError::NoWeights) without the backbone's file, [`Unusable`](crate::MetricError::Unusable) if that has another hash than its name says,
/// [`Net`](crate::MetricError::Net) if it does not hold the network; [`TooSmall`](crate::MetricError::TooSmall) for a picture that is.
/// # Source
/// Zhang, Isola, Efros, Shechtman, Wang 2018, heads of version 0.1; the numbers are those of lpips 0.1.4 (fixture `pairs`).
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lpips {
    net: Net,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Net {
    #[default]
    Alex,
    Squeeze,
    Vgg,
}

impl Settings for Lpips {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &LPIPS,
        needs: Needs::Pairs,
        needs_torch: true,
        weights: &[&ALEX, &SQUEEZE, &VGG],
        key: "net",
        variants: &[
            Variant {
                name: "alex",
                summary: "AlexNet: the usual one to report",
            },
            Variant {
                name: "squeeze",
                summary: "SqueezeNet 1.1",
            },
            Variant {
                name: "vgg",
                summary: "VGG16",
            },
        ],
        summary: "Learned perceptual image patch similarity, heads of version 0.1",
        source: "Zhang et al. 2018; lpips 0.1.4",
    };

    fn variant(&self) -> String {
        Self::INFO.variants[self.net as usize].name.to_owned()
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        let net = LpipsNet::open(self.net.into(), session.resources())?;
        Ok(crate::Prepared::Pairs(Box::new(net)))
    }
}
