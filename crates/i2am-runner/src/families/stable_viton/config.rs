//! The `[[model]]` table of this family, with the published values as defaults.

use std::path::PathBuf;

use i2am_nets::Precision;
use serde::{Deserialize, Serialize};

use crate::families::Posterior;
use crate::samplers::SamplerConfig;

/// A `[[model]]` table of this family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StableVitonConfig {
    /// Name in rows and folders.
    pub name: String,
    /// `stable-viton`.
    pub family: String,
    /// An LDM `.ckpt`, or a safetensors file with LDM names.
    pub checkpoint: PathBuf,
    /// Precision to compute in; files of any precision are converted.
    #[serde(default)]
    pub precision: Precision,
    /// How to sample.
    #[serde(default)]
    pub sampler: SamplerConfig,
    /// Guidance scale; 1, the published value, runs the conditional pass only.
    #[serde(default = "published_guidance")]
    pub guidance: f64,
    /// What is taken of the autoencoder's distributions over latents.
    #[serde(default)]
    pub posterior: Posterior,
    /// How often a draw is taken of the garment's.
    #[serde(default)]
    pub cloth_posterior: ClothPosterior,
    /// Where sampling starts.
    #[serde(default)]
    pub start: Start,
    /// Whether the person's own pixels are put back outside the masked region.
    #[serde(default)]
    pub repaint: bool,
    /// Height and width of the generated picture.
    #[serde(default = "published_size")]
    pub size: [i64; 2],
    /// Attention heads of the UNet and of what belongs to it, for files whose UNet has not 8.
    #[serde(default)]
    pub unet_heads: Option<i64>,
    /// Attention heads of the vision tower, for files whose heads are not 64 wide.
    #[serde(default)]
    pub clip_heads: Option<i64>,
}

fn published_guidance() -> f64 {
    1.0
}

fn published_size() -> [i64; 2] {
    [512, 384]
}

/// How often the garment's latent is drawn, where the posterior is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClothPosterior {
    /// Anew for every call of the networks, as the published code does: the garment flickers a little from step to step, and under
    /// guidance the two passes of a step see different draws.
    #[default]
    EveryCall,
    /// Once for the sample.
    Once,
}

/// The latent that sampling starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The picture of the person, noised to the last timestep: what the published script does. A little of the picture, the right
    /// answer in the paired setting, is left in it.
    #[default]
    Person,
    /// Noise alone, as in the authors' validation.
    Noise,
}

impl StableVitonConfig {
    /// The configuration with every default, for `checkpoint`.
    pub fn new(name: &str, checkpoint: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            family: super::INFO.name.to_owned(),
            checkpoint,
            precision: Precision::default(),
            sampler: SamplerConfig::default(),
            guidance: published_guidance(),
            posterior: Posterior::default(),
            cloth_posterior: ClothPosterior::default(),
            start: Start::default(),
            repaint: false,
            size: published_size(),
            unet_heads: None,
            clip_heads: None,
        }
    }
}
