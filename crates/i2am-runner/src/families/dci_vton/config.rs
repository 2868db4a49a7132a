//! The `[[model]]` table of this family, with the published values as defaults.

use std::path::PathBuf;

use i2am_nets::Precision;
use serde::{Deserialize, Deserializer, Serialize};

use crate::families::Posterior;
use crate::samplers::{SamplerConfig, SamplerKeys, SamplerKind};

/// A `[[model]]` table of this family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DciVtonConfig {
    /// Name in rows and folders.
    pub name: String,
    /// `dci-vton`.
    pub family: String,
    /// An LDM `.ckpt`, a safetensors file with LDM names, or a diffusers folder with Paint-by-Example's networks.
    pub checkpoint: PathBuf,
    /// Which variant of the weights is taken where a network of a diffusers folder has several, such as `fp16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Which preparation of the data the checkpoint was trained on. Nothing in a file tells, so there is no default.
    pub data: DataVersion,
    /// Precision to compute in; files of any precision are converted.
    #[serde(default)]
    pub precision: Precision,
    /// How to sample; keys that are not given are as published, PLMS with 100 steps.
    #[serde(default = "published_sampler", deserialize_with = "over_published")]
    pub sampler: SamplerConfig,
    /// Guidance scale; 1 runs the conditional half only.
    #[serde(default = "published_guidance")]
    pub guidance: f64,
    /// What is taken of the autoencoder's distributions over latents.
    #[serde(default)]
    pub posterior: Posterior,
    /// Height and width that the networks work at, by default what they were trained at, 512 by 512: pictures are squashed to it.
    #[serde(default)]
    pub size: Option<[i64; 2]>,
    /// Height and width of the generated picture; by default the height of `size`, and three quarters of it.
    #[serde(default)]
    pub output: Option<[i64; 2]>,
    /// How much of the garment's box is added to it for the reference, half on each side; drawn from 0.1 to 0.2 for each sample if
    /// not given, as the published code does at test time too.
    #[serde(default)]
    pub crop_enlargement: Option<f64>,
    /// Whether the known pixels are pasted back over the generated picture.
    #[serde(default = "yes")]
    pub paste_back: bool,
    /// Attention heads of the UNet, for files whose UNet has not 8.
    #[serde(default)]
    pub unet_heads: Option<i64>,
    /// Attention heads of the vision tower, for files whose heads are not 64 wide.
    #[serde(default)]
    pub clip_heads: Option<i64>,
}

/// How masked region and composite are made of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataVersion {
    /// Of `viton512.ckpt`: the masked region is upper clothes and arms of the parse map, dilated; hands are laid over the composite.
    V1,
    /// Of `viton512_v2.ckpt`: the masked region is painted along the joints, without what the parse map says is to stay.
    V2,
}

fn published_sampler() -> SamplerConfig {
    SamplerConfig {
        kind: SamplerKind::Plms,
        steps: 100,
        ..SamplerConfig::default()
    }
}

fn over_published<'de, D: Deserializer<'de>>(table: D) -> Result<SamplerConfig, D::Error> {
    Ok(SamplerKeys::deserialize(table)?.over(&published_sampler()))
}

fn published_guidance() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}

impl DciVtonConfig {
    /// The configuration with every default, for `checkpoint` trained on `data`.
    pub fn new(name: &str, checkpoint: PathBuf, data: DataVersion) -> Self {
        Self {
            name: name.to_owned(),
            family: super::INFO.name.to_owned(),
            checkpoint,
            variant: None,
            data,
            precision: Precision::default(),
            sampler: published_sampler(),
            guidance: published_guidance(),
            posterior: Posterior::default(),
            size: None,
            output: None,
            crop_enlargement: None,
            paste_back: yes(),
            unet_heads: None,
            clip_heads: None,
        }
    }
}
