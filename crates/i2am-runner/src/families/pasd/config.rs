//! The `[[model]]` table of both families, with the published values as defaults.

use std::path::PathBuf;

use i2am_nets::Precision;
use i2am_nets::vae::Tiles;
use serde::{Deserialize, Deserializer, Serialize};

use super::start::{PasdStart, SecondNoise};
use crate::families::Posterior;
use crate::families::common::is_guided;
use crate::samplers::{SamplerConfig, SamplerKeys, SamplerKind};
use crate::schedule::Spacing;

/// A `[[model]]` table of both families.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasdConfig {
    /// Name in rows and folders.
    pub name: String,
    /// `pasd` or `pasd-light`.
    pub family: String,
    /// A diffusers folder of Stable Diffusion 1.5: `vae`, `text_encoder`, `tokenizer`.
    pub checkpoint: PathBuf,
    /// Which variant of the weights is taken where a network of a diffusers folder has several, such as `fp16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The folder with PASD's `unet` and `controlnet`; without one they lie in `checkpoint`.
    #[serde(default)]
    pub pasd: Option<PathBuf>,
    /// Precision to compute in; files of any precision are converted.
    #[serde(default)]
    pub precision: Precision,
    /// How to sample.
    #[serde(default = "published_sampler", deserialize_with = "over_published")]
    pub sampler: SamplerConfig,
    /// Guidance scale; 1 runs the row of the positive text only.
    #[serde(default = "published_guidance")]
    pub guidance: f64,
    /// Factor on what the `ControlNet` adds and on what is attended to.
    #[serde(default = "one")]
    pub conditioning_scale: f64,
    /// What is taken of the autoencoder's distribution over latents.
    #[serde(default)]
    pub posterior: Posterior,
    /// Where sampling starts.
    #[serde(default)]
    pub start: PasdStart,
    /// What the second noising of the start does.
    #[serde(default)]
    pub second_noise: SecondNoise,
    /// Text that says what is to be seen; `added_prompt` follows without a separator.
    #[serde(default)]
    pub prompt: String,
    /// Text that every prompt ends with.
    #[serde(default = "published_added_prompt")]
    pub added_prompt: String,
    /// Text that says what is not to be seen.
    #[serde(default = "published_negative_prompt")]
    pub negative_prompt: String,
    /// How many times as high and wide the picture becomes.
    #[serde(default = "default_upscale")]
    pub upscale: f64,
    /// Shortest side that is computed at; smaller pictures are enlarged to it, and the result is brought back.
    #[serde(default = "published_least_side")]
    pub least_side: u32,
    /// What is done about colors that have drifted.
    // Manifests keep the first spelling, so that runs can be continued.
    #[serde(default, rename = "colour_fix", alias = "color_fix")]
    pub color_fix: ColorFix,
    /// How large pictures are cut for the autoencoder.
    #[serde(default)]
    pub tiles: Tiles,
}

fn published_sampler() -> SamplerConfig {
    SamplerConfig {
        kind: SamplerKind::UniPc,
        steps: 20,
        spacing: Spacing::Linspace,
        eta: 0.0,
    }
}

fn over_published<'de, D: Deserializer<'de>>(table: D) -> Result<SamplerConfig, D::Error> {
    Ok(SamplerKeys::deserialize(table)?.over(&published_sampler()))
}

fn published_guidance() -> f64 {
    9.0
}

fn one() -> f64 {
    1.0
}

fn published_added_prompt() -> String {
    "clean, high-resolution, 8k".to_owned()
}

fn published_negative_prompt() -> String {
    "blurry, dotted, noise, raster lines, unclear, lowres, over-smoothed".to_owned()
}

fn default_upscale() -> f64 {
    4.0
}

fn published_least_side() -> u32 {
    768
}

/// What is done after decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColorFix {
    /// The low frequencies are those of the input: what the published script does.
    #[default]
    Wavelet,
    /// Nothing.
    None,
}

impl PasdConfig {
    /// The configuration with every default, for a `family` of both and `checkpoint`.
    pub fn new(name: &str, family: &str, checkpoint: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            family: family.to_owned(),
            checkpoint,
            variant: None,
            pasd: None,
            precision: Precision::default(),
            sampler: published_sampler(),
            guidance: published_guidance(),
            conditioning_scale: one(),
            posterior: Posterior::default(),
            start: PasdStart::default(),
            second_noise: SecondNoise::default(),
            prompt: String::new(),
            added_prompt: published_added_prompt(),
            negative_prompt: published_negative_prompt(),
            upscale: default_upscale(),
            least_side: published_least_side(),
            color_fix: ColorFix::default(),
            tiles: Tiles::default(),
        }
    }

    /// What the text attentions read: the negative and the positive text, or the positive one alone without guidance.
    pub(super) fn texts(&self) -> Vec<String> {
        let positive = format!("{}{}", self.prompt, self.added_prompt);
        if is_guided(self.guidance) {
            vec![self.negative_prompt.clone(), positive]
        } else {
            vec![positive]
        }
    }
}
