//! The metric `dino-i`.

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

use crate::metric::{MetricInfo, Needs, Settings};
use crate::pair::Compared;
use crate::tower_weights::DinoNet;

static DINO_I: Quantity = Quantity::new("dino-i", "DINO-I", Better::Higher)
    .decimals(4)
    .tolerance(Bound::absolute(2e-4), Some(Bound::absolute(5e-4)))
    .headline()
    .correlated();

/// The shorter side of a picture before its middle is cut out, as the processor of `DINOv2` has it.
#[cfg(feature = "torch")]
const SHORT: usize = 256;

/// DINO image similarity: the cosine of the class tokens that `DINOv2` gives the generated image and its reference image.
///
/// Of both, the shorter side is resized to 256, and the middle 224 x 224 pixels are cut out. With `region = "masked"` only the rectangle
/// around the masked region of the generated image is looked at.
///
/// # Shapes
/// A generated image and a reference image of any sizes.
/// # Units and range
/// None; in `[-1, 1]`; higher is better. Values of different networks cannot be compared, nor with those of the first DINO, which
/// `DreamBooth`'s authors report.
/// # Errors
/// [`NoWeights`](crate::MetricError::NoWeights) without `DINOv2`. A pair without a masked region has no value under `masked`.
/// # Source
/// Ruiz et al. 2023, `DreamBooth`, section 4.1 (the metric); Oquab et al. 2023 (the network). Checked against the authors' code of `DINOv2` and
/// torchvision on a small network (fixture `towers`).
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DinoI {
    net: DinoNet,
    region: Compared,
}

impl Settings for DinoI {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &DINO_I,
        needs: Needs::References,
        needs_torch: true,
        weights: &DinoNet::WEIGHTS,
        key: "net",
        variants: &DinoNet::VARIANTS,
        summary: "DINOv2 similarity of the generated image and its reference image",
        source: "Ruiz et al. 2023, DreamBooth; Oquab et al. 2023, DINOv2",
    };

    fn variant(&self) -> String {
        self.region.named(self.net.name())
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        use crate::similarity::Similarity;
        use crate::tower::{Family, Fit};

        let tower = session.tower(Family::Dino, self.net.weights())?;
        Ok(crate::Prepared::Pairs(Box::new(Similarity {
            tower,
            fit: Fit::Middle(SHORT),
            compared: self.region,
        })))
    }
}
