use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::unet::UNetConfig;
use i2am_nets::vae::VaeConfig;
use serde::Deserialize;

use crate::config::shared::{Config, DataConfig, Family, Keys, Schedule, cannot_parse, resolve};

/// A training of the family from nothing: autoencoder, reference encoder, UNet.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaintByExampleZoo {
    /// Version of this file's keys.
    #[serde(rename = "schema_version")]
    _schema_version: u32,
    #[serde(rename = "family")]
    _family: Family,
    /// Name of the checkpoint.
    pub(crate) name: String,
    /// Folder of the training state, log and pictures; relative to this file.
    pub(crate) work: PathBuf,
    /// Folder of the finished checkpoint; relative to this file.
    pub(crate) output: PathBuf,
    /// Seed of weights, batches and noise.
    pub(crate) seed: u64,
    pub(crate) data: DataConfig,
    pub(crate) vae: VaeStage,
    pub(crate) reference: ReferenceStage,
    pub(crate) diffusion: DiffusionStage,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaeStage {
    pub(crate) net: VaeConfig,
    pub(crate) schedule: Schedule,
    /// Weight of the divergence from a standard normal latent.
    pub(crate) kl_weight: f64,
    /// Height and width in pixels of the random crops it is trained on.
    pub(crate) crop: i64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReferenceStage {
    pub(crate) net: ImageEncoderConfig,
    pub(crate) schedule: Schedule,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffusionStage {
    pub(crate) unet: UNetConfig,
    pub(crate) schedule: Schedule,
    /// Share of samples that see the unconditional token instead of their reference.
    pub(crate) drop_reference: f64,
    /// Decay per step of the averaged weights that are saved.
    pub(crate) average_decay: f64,
    /// The loss at timestep t is weighted by `1 + min((1 - alpha) / alpha, this)`: colors are decided where the noise is
    /// strongest, and the plain loss hardly sees them there.
    pub(crate) high_noise_weight: f64,
}

impl PaintByExampleZoo {
    /// The configuration that `text` of `file` holds; its paths become relative to the file's folder.
    pub(crate) fn parse(text: &str, file: &Path) -> Result<Self> {
        let mut config: Self = toml::from_str(text).with_context(|| cannot_parse(file))?;
        let factor = config.vae.net.factor() * config.diffusion.unet.size_multiple();
        config.data.check(factor, file)?;
        let (unet, encoder) = (&config.diffusion.unet, &mut config.reference.net);
        ensure!(
            unet.cross_attention_dim == encoder.projection_dim,
            "{}: diffusion.unet.cross_attention_dim is {}, reference.net.projection_dim is {}",
            file.display(),
            unet.cross_attention_dim,
            encoder.projection_dim
        );
        // As many as the diffusers library makes for a tower of this depth.
        encoder.mapper_layers = (encoder.num_hidden_layers + 1) / 5;
        resolve(file, [&mut config.work, &mut config.output]);
        Ok(config)
    }
}

/// A training of the UNet alone. Its last step becomes a diffusers folder, the steps before LDM files next to that folder.
pub(crate) type UNetZoo = Config<UNetKeys>;

/// The keys of [`UNetZoo`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UNetKeys {
    pub(crate) diffusion: DiffusionStage,
}

impl Keys for UNetKeys {
    fn schedule(&self) -> &Schedule {
        &self.diffusion.schedule
    }

    fn average_decay(&self) -> f64 {
        self.diffusion.average_decay
    }

    fn prepare(&mut self, _: &DataConfig, _: &Path) -> Result<()> {
        Ok(())
    }
}

impl UNetZoo {
    /// Whether the UNet fits to the frozen networks and the pictures.
    pub(super) fn check(&self, vae: &VaeConfig, image_encoder: &ImageEncoderConfig) -> Result<()> {
        let unet = &self.keys.diffusion.unet;
        let inputs = 2 * vae.latent_channels + 1;
        ensure!(
            unet.in_channels == inputs && unet.out_channels == vae.latent_channels,
            "diffusion.unet: expected {inputs} input and {} output channels, found {} and {}",
            vae.latent_channels,
            unet.in_channels,
            unet.out_channels
        );
        ensure!(
            unet.cross_attention_dim == image_encoder.projection_dim,
            "diffusion.unet.cross_attention_dim: expected {}, the width of the frozen encoder's token, found {}",
            image_encoder.projection_dim,
            unet.cross_attention_dim
        );
        let factor = vae.factor() * unet.size_multiple();
        self.data.check(factor, Path::new("configuration"))
    }
}
