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
pub struct CatVtonConfig {
    /// Name in rows and folders.
    pub name: String,
    /// `catvton`.
    pub family: String,
    /// A diffusers folder of Stable Diffusion's inpainting model, of which `unet` is read, and `vae` unless the key `vae` is given.
    pub checkpoint: PathBuf,
    /// The file of trained self-attention with numbered names.
    pub attention: PathBuf,
    /// The folder of another autoencoder: published is `sd-vae-ft-mse`.
    #[serde(default)]
    pub vae: Option<PathBuf>,
    /// Which variant of the weights is taken where a network has several, such as `fp16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Precision to compute in; files of any precision are converted.
    #[serde(default)]
    pub precision: Precision,
    /// How to sample.
    #[serde(default = "published_sampler", deserialize_with = "over_published")]
    pub sampler: SamplerConfig,
    /// Guidance scale; 1 runs the pass with the garment only.
    #[serde(default = "published_guidance")]
    pub guidance: f64,
    /// Which published preparation of pictures.
    #[serde(default)]
    pub preprocess: CatVtonPreprocess,
    /// What is taken of the autoencoder's distributions over latents.
    #[serde(default)]
    pub posterior: Posterior,
    /// Whether the person's own pixels are put back outside the masked region.
    #[serde(default)]
    pub repaint: bool,
    /// Height and width of the generated picture.
    #[serde(default = "published_size")]
    pub size: [i64; 2],
}

fn published_sampler() -> SamplerConfig {
    SamplerConfig {
        kind: SamplerKind::Ddim,
        steps: 50,
        spacing: Spacing::Diffusers,
        eta: 1.0,
    }
}

fn over_published<'de, D: Deserializer<'de>>(table: D) -> Result<SamplerConfig, D::Error> {
    Ok(SamplerKeys::deserialize(table)?.over(&published_sampler()))
}

fn published_guidance() -> f64 {
    2.5
}

/// Of the evaluation script; the demonstration has twice that.
fn published_size() -> [i64; 2] {
    [512, 384]
}

/// How pictures come to the size of the networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatVtonPreprocess {
    /// The evaluation script: everything is stretched.
    #[default]
    Script,
    /// The demonstration: the person's picture and its mask are cropped, the garment's is padded with white, and the mask is blurred
    /// before it is made binary.
    Demo,
}

impl CatVtonConfig {
    /// The configuration with every default, for the files of `checkpoint` and `attention`.
    pub fn new(name: &str, checkpoint: PathBuf, attention: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            family: super::INFO.name.to_owned(),
            checkpoint,
            attention,
            vae: None,
            variant: None,
            precision: Precision::default(),
            sampler: published_sampler(),
            guidance: published_guidance(),
            preprocess: CatVtonPreprocess::default(),
            posterior: Posterior::default(),
            repaint: false,
            size: published_size(),
        }
    }
}
