//! The `[[model]]` table of this family, with the published values as defaults.

use std::path::PathBuf;

use i2am_nets::Precision;
use i2am_nets::layout::Layout;
use serde::{Deserialize, Serialize};

use crate::families::inpainting::Posterior;
use crate::pictures::Quantise;
use crate::samplers::SamplerConfig;

/// A `[[model]]` table of this family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaintByExampleConfig {
    /// Name in rows and folders.
    pub name: String,
    /// `paint-by-example`.
    pub family: String,
    /// A diffusers folder, an LDM `.ckpt`, or a safetensors file with LDM names.
    pub checkpoint: PathBuf,
    /// Which variant of the weights is taken where a network of a diffusers folder has several, such as `fp16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Precision to compute in; files of any precision are converted.
    #[serde(default)]
    pub precision: Precision,
    /// How to sample.
    #[serde(default)]
    pub sampler: SamplerConfig,
    /// Guidance scale; 1 runs the conditional half only.
    #[serde(default = "published_guidance")]
    pub guidance: f64,
    /// Which published preparation of pictures; by default the one that belongs to the checkpoint's layout.
    #[serde(default)]
    pub preprocess: Option<Preprocess>,
    /// What is taken of the autoencoder's distribution over the masked picture's latent.
    #[serde(default)]
    pub posterior: Posterior,
    /// Height and width of the generated picture; by default what the checkpoint was trained at.
    #[serde(default)]
    pub size: Option<[i64; 2]>,
    /// Attention heads of the UNet, for files without a configuration whose UNet has not 8.
    #[serde(default)]
    pub unet_heads: Option<i64>,
    /// Attention heads of the vision tower, for files without a configuration whose heads are not 64 wide.
    #[serde(default)]
    pub clip_heads: Option<i64>,
}

/// The pipeline's default.
fn published_guidance() -> f64 {
    5.0
}

/// How pictures become network inputs and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preprocess {
    /// The authors' script: the reference is stretched to a square, the mask reaches the latent bilinearly (soft edges), bytes
    /// are truncated.
    Ldm,
    /// The diffusers pipeline: the reference's center is cropped, the mask reaches the latent by nearest neighbour, bytes are
    /// rounded.
    Diffusers,
}

impl Preprocess {
    pub(super) fn quantise(self) -> Quantise {
        match self {
            Self::Ldm => Quantise::Truncate,
            Self::Diffusers => Quantise::Round,
        }
    }
}

impl PaintByExampleConfig {
    /// The configuration with every default, for `checkpoint`.
    pub fn new(name: &str, checkpoint: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            family: super::INFO.name.to_owned(),
            checkpoint,
            variant: None,
            precision: Precision::default(),
            sampler: SamplerConfig::default(),
            guidance: published_guidance(),
            preprocess: None,
            posterior: Posterior::default(),
            size: None,
            unet_heads: None,
            clip_heads: None,
        }
    }

    pub(super) fn preprocess_for(&self, layout: Layout) -> Preprocess {
        self.preprocess.unwrap_or(match layout {
            Layout::Diffusers => Preprocess::Diffusers,
            _ => Preprocess::Ldm,
        })
    }
}
