//! The metric `clip-i`.

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

use crate::metric::{MetricInfo, Needs, Settings, Variant};
use crate::pair::Compared;
use crate::resources::WeightsInfo;
use crate::tower_weights::{CLIP_B_32, CLIP_L_14};

static CLIP_I: Quantity = Quantity::new("clip-i", "CLIP-I", Better::Higher)
    .decimals(4)
    .tolerance(Bound::absolute(2e-4), Some(Bound::absolute(5e-4)))
    .headline()
    .correlated();

/// In the order of the variants.
static WEIGHTS: [&WeightsInfo; 2] = [&CLIP_B_32, &CLIP_L_14];

/// CLIP image similarity: the cosine of the CLIP embeddings of the generated image and of its reference image.
///
/// Of both, the shorter side is resized to the input of the network, and the middle is cut out. With `region = "masked"` only the
/// rectangle around the masked region of the generated image is looked at.
///
/// # Shapes
/// A generated image and a reference image of any sizes.
/// # Units and range
/// None; in `[-1, 1]`; higher is better. Paint-by-Example's authors multiply it by 100. Values of different networks cannot be compared.
/// # Errors
/// [`NoWeights`](crate::MetricError::NoWeights) without CLIP. A pair without a masked region has no value under `masked`.
/// # Source
/// Radford et al. 2021 (the network and its processor); Yang et al. 2023, Paint by Example, section 4.1 (region, ViT-B/32). Checked against
/// transformers and torchvision on a small CLIP (fixture `towers`).
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClipI {
    net: Net,
    region: Compared,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
enum Net {
    #[default]
    #[serde(rename = "vit-b-32")]
    Base,
    #[serde(rename = "vit-l-14")]
    Large,
}

impl Settings for ClipI {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &CLIP_I,
        needs: Needs::References,
        needs_torch: true,
        weights: &WEIGHTS,
        key: "net",
        variants: &[
            Variant {
                name: "vit-b-32",
                summary: "OpenAI's CLIP ViT-B/32, as Paint-by-Example's authors report it",
            },
            Variant {
                name: "vit-l-14",
                summary: "OpenAI's CLIP ViT-L/14",
            },
        ],
        summary: "CLIP similarity of the generated image and its reference image",
        source: "Radford et al. 2021; Yang et al. 2023, Paint by Example",
    };

    fn variant(&self) -> String {
        self.region
            .named(Self::INFO.variants[self.net as usize].name)
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        use crate::similarity::Similarity;
        use crate::tower::{Family, Fit};

        let tower = session.tower(Family::Clip, WEIGHTS[self.net as usize])?;
        let fit = Fit::Middle(tower.side());
        Ok(crate::Prepared::Pairs(Box::new(Similarity {
            tower,
            fit,
            compared: self.region,
        })))
    }
}
