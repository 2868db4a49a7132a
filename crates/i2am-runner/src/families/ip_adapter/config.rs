//! The `[[model]]` table of this family, with the authors' values as defaults.

use std::path::PathBuf;

use i2am_nets::Precision;
use serde::{Deserialize, Deserializer, Serialize};

use crate::families::Posterior;
use crate::families::common::is_guided;
use crate::samplers::{SamplerConfig, SamplerKeys, SamplerKind};
use crate::schedule::Spacing;

/// A `[[model]]` table of this family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IpAdapterConfig {
    /// Name in rows and folders.
    pub name: String,
    /// `ip-adapter`.
    pub family: String,
    /// A diffusers folder of Stable Diffusion v1, for inpainting or not: `unet`, `vae`, `text_encoder`, `tokenizer`.
    pub checkpoint: PathBuf,
    /// Which variant of the weights is taken where a network of a diffusers folder has several, such as `fp16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The adapter's file; its tensors tell which variant it is.
    pub adapter: PathBuf,
    /// The folder of CLIP's image encoder; by default `image_encoder` next to the adapter, or else in the checkpoint.
    #[serde(default)]
    pub image_encoder: Option<PathBuf>,
    /// Precision to compute in; files of any precision are converted.
    #[serde(default)]
    pub precision: Precision,
    /// How to sample.
    #[serde(default = "published_sampler", deserialize_with = "over_published")]
    pub sampler: SamplerConfig,
    /// Guidance scale; 1 runs the row of the positive text only.
    #[serde(default = "published_guidance")]
    pub guidance: f64,
    /// Factor on what is attended to in the reference; at 0 the model is that without an adapter.
    #[serde(default = "one")]
    pub scale: f64,
    /// Text that says what is to be seen.
    #[serde(default = "published_prompt")]
    pub prompt: String,
    /// Text that says what is not to be seen.
    #[serde(default = "published_negative_prompt")]
    pub negative_prompt: String,
    /// How the reference becomes CLIP's square.
    #[serde(default)]
    pub reference_fit: ReferenceFit,
    /// What is taken of the autoencoder's distribution over latents.
    #[serde(default)]
    pub posterior: Posterior,
    /// Height and width of the generated picture; by default what the UNet was trained at.
    #[serde(default)]
    pub size: Option<[i64; 2]>,
}

/// How the reference becomes a square picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceFit {
    /// Its center is cropped, as CLIP's own preparation does.
    #[default]
    Center,
    /// It is stretched, as the authors advise for references that are no square.
    Stretch,
}

fn published_sampler() -> SamplerConfig {
    SamplerConfig {
        kind: SamplerKind::Ddim,
        steps: 30,
        spacing: Spacing::Diffusers,
        eta: 0.0,
    }
}

fn over_published<'de, D: Deserializer<'de>>(table: D) -> Result<SamplerConfig, D::Error> {
    Ok(SamplerKeys::deserialize(table)?.over(&published_sampler()))
}

fn published_guidance() -> f64 {
    7.5
}

fn one() -> f64 {
    1.0
}

fn published_prompt() -> String {
    "best quality, high quality".to_owned()
}

fn published_negative_prompt() -> String {
    "monochrome, lowres, bad anatomy, worst quality, low quality".to_owned()
}

impl IpAdapterConfig {
    /// The configuration with every default, for `checkpoint` and the file `adapter`.
    pub fn new(name: &str, checkpoint: PathBuf, adapter: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            family: super::INFO.name.to_owned(),
            checkpoint,
            variant: None,
            adapter,
            image_encoder: None,
            precision: Precision::default(),
            sampler: published_sampler(),
            guidance: published_guidance(),
            scale: one(),
            prompt: published_prompt(),
            negative_prompt: published_negative_prompt(),
            reference_fit: ReferenceFit::default(),
            posterior: Posterior::default(),
            size: None,
        }
    }

    /// What the first softmax reads: the negative and the positive text, or the positive one alone without guidance.
    pub(super) fn texts(&self) -> Vec<&str> {
        if is_guided(self.guidance) {
            vec![&self.negative_prompt, &self.prompt]
        } else {
            vec![&self.prompt]
        }
    }
}
