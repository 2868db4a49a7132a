use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::unet::UNetConfig;
use i2am_nets::vae::VaeConfig;
use serde::{Deserialize, Serialize};

use crate::config::{DataConfig, Family, Schedule, resolve};

/// A training of the family from nothing: autoencoder, reference encoder, UNet.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaintByExampleZoo {
    /// Version of this file's keys.
    pub(crate) schema_version: u32,
    /// `paint-by-example`.
    pub(crate) family: Family,
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

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaeStage {
    pub(crate) net: VaeConfig,
    pub(crate) schedule: Schedule,
    /// Weight of the divergence from a standard normal latent.
    pub(crate) kl_weight: f64,
    /// Height and width in pixels of the random crops it is trained on.
    pub(crate) crop: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReferenceStage {
    pub(crate) net: ImageEncoderConfig,
    pub(crate) schedule: Schedule,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffusionStage {
    pub(crate) unet: UNetConfig,
    pub(crate) schedule: Schedule,
    /// Share of samples that see the unconditional token instead of their reference.
    pub(crate) drop_reference: f64,
    /// Decay per step of the averaged weights that are saved.
    pub(crate) average_decay: f64,
    /// The loss at timestep t is weighted by `1 + min((1 - alpha) / alpha, this)`: colours are decided where the noise is
    /// strongest, and the plain loss hardly sees them there.
    pub(crate) high_noise_weight: f64,
}

impl PaintByExampleZoo {
    /// Checks the sizes and resolves the paths of the configuration `file`.
    pub(crate) fn prepare(&mut self, file: &Path) -> Result<()> {
        let factor = self.vae.net.factor() * self.diffusion.unet.size_multiple();
        self.data.check(factor, file)?;
        let (unet, encoder) = (&self.diffusion.unet, &mut self.reference.net);
        ensure!(
            unet.cross_attention_dim == encoder.projection_dim,
            "{}: diffusion.unet.cross_attention_dim is {}, reference.net.projection_dim is {}",
            file.display(),
            unet.cross_attention_dim,
            encoder.projection_dim
        );
        // As many as the diffusers library makes for a tower of this depth.
        encoder.mapper_layers = (encoder.num_hidden_layers + 1) / 5;
        resolve(file, [&mut self.work, &mut self.output]);
        Ok(())
    }
}
