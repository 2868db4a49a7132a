//! The metric `cmmd`.

#[cfg(feature = "torch")]
mod measure;

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

use crate::metric::{MetricInfo, Needs, Settings, Variant};
use crate::tower_weights::CLIP_L_14_336;

// It is a difference of nearly equal means.
static CMMD: Quantity = Quantity::new("cmmd", "CMMD", Better::Lower)
    .decimals(3)
    .tolerance(Bound::absolute(1e-3), None)
    .headline()
    .correlated()
    .of_sets();

/// CLIP maximum mean discrepancy: the squared distance of the means of two sets of CLIP embeddings, in the space of a Gaussian kernel,
/// times 1000.
///
/// Embeddings are scaled to length 1; the kernel is `exp(-|a - b|² / (2 · 10²))`, and every picture is also compared with itself. The
/// largest square in the middle of a picture is resized to the input of the network.
///
/// # Shapes
/// Sets of any number of pictures from 2, of any sizes; what lies outside their middle square plays no part.
/// # Units and range
/// None; at least 0, and 0 for equal sets; lower is better.
/// # Errors
/// [`TooFew`](crate::MetricError::TooFew) below 2 pictures on a side; [`NoWeights`](crate::MetricError::NoWeights) without CLIP.
/// # Source
/// Jayasumana et al. 2024, who publish sigma 10 and scale 1000; checked against cmmd-pytorch's definition at commit f7673a9 on a small
/// CLIP (fixture `towers`).
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cmmd {
    net: Net,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
enum Net {
    #[default]
    #[serde(rename = "vit-l-14-336")]
    VitL14At336,
}

impl Settings for Cmmd {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &CMMD,
        needs: Needs::Sets,
        needs_torch: true,
        weights: &[&CLIP_L_14_336],
        key: "net",
        variants: &[Variant {
            name: "vit-l-14-336",
            summary: "OpenAI's CLIP ViT-L/14 at 336 pixels, sigma 10, scale 1000: as published",
        }],
        summary: "CLIP maximum mean discrepancy of two sets",
        source: "Jayasumana et al. 2024; cmmd-pytorch f7673a9",
    };

    fn variant(&self) -> String {
        Self::INFO.variants[self.net as usize].name.to_owned()
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        measure::open(session)
    }
}
