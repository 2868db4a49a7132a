//! The `[[model]]` table of this family, with the published values as defaults.

use std::path::PathBuf;

use i2am_nets::Precision;
use serde::{Deserialize, Deserializer, Serialize};

use crate::families::Posterior;
use crate::samplers::{SamplerConfig, SamplerKeys, SamplerKind};
use crate::schedule::Spacing;

/// A `[[model]]` table of this family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeffaConfig {
    /// Name in rows and folders.
    pub name: String,
    /// `leffa`.
    pub family: String,
    /// The `.pth` of all three networks, or a safetensors file with the same names.
    pub checkpoint: PathBuf,
    /// Precision to compute in; files of any precision are converted.
    #[serde(default)]
    pub precision: Precision,
    /// How to sample.
    #[serde(default = "published_sampler", deserialize_with = "over_published")]
    pub sampler: SamplerConfig,
    /// Guidance scale; 1 runs the pass with the garment only.
    #[serde(default = "published_guidance")]
    pub guidance: f64,
    /// How far the deviation of the guided noise is taken to that of the pass with the garment: 0 not at all, 1 all the way, more beyond
    /// it. Published is the guidance scale.
    #[serde(default)]
    pub guidance_rescale: Option<f64>,
    /// How often the garment goes through its network.
    #[serde(default)]
    pub reference_features: ReferenceFeatures,
    /// What is taken of the autoencoder's distributions over latents.
    #[serde(default)]
    pub posterior: Posterior,
    /// Whether the person's own pixels are put back outside the masked region.
    #[serde(default)]
    pub repaint: bool,
    /// Height and width of the generated picture.
    #[serde(default = "published_size")]
    pub size: [i64; 2],
    /// Attention heads of both denoising networks, for files that have no configuration and whose networks have not 8.
    #[serde(default)]
    pub unet_heads: Option<i64>,
}

fn published_sampler() -> SamplerConfig {
    SamplerConfig {
        kind: SamplerKind::Ddpm,
        steps: 50,
        spacing: Spacing::Diffusers,
        eta: 0.0,
    }
}

fn over_published<'de, D: Deserializer<'de>>(table: D) -> Result<SamplerConfig, D::Error> {
    Ok(SamplerKeys::deserialize(table)?.over(&published_sampler()))
}

fn published_guidance() -> f64 {
    2.5
}

fn published_size() -> [i64; 2] {
    [1024, 768]
}

/// When the features of the garment are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceFeatures {
    /// At every step, for its timestep.
    #[default]
    EveryStep,
    /// Once, for the timestep in the middle: the published code's way to save time.
    Once,
}

impl LeffaConfig {
    /// The configuration with every default, for `checkpoint`.
    pub fn new(name: &str, checkpoint: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            family: super::INFO.name.to_owned(),
            checkpoint,
            precision: Precision::default(),
            sampler: published_sampler(),
            guidance: published_guidance(),
            guidance_rescale: None,
            reference_features: ReferenceFeatures::default(),
            posterior: Posterior::default(),
            repaint: false,
            size: published_size(),
            unet_heads: None,
        }
    }
}
