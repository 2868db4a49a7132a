use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use i2am_nets::unet::UNetConfig;
use i2am_runner::families::StableVitonSizes;
use serde::Deserialize;

use crate::attention::AttentionConfig;
use crate::config::shared::{Config, DataConfig, Keys, Schedule, TryOnLoss, resolve};

/// A training of control model, warp blocks and UNet around a frozen autoencoder and a frozen reference encoder.
pub(crate) type StableVitonZoo = Config<StableVitonKeys>;

/// The keys of [`StableVitonZoo`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StableVitonKeys {
    /// The checkpoint that the trained networks start from, as far as it has them; relative to this file. From nothing without.
    pub(crate) start: Option<PathBuf>,
    /// The folder of an autoencoder that is used, frozen, instead of that in `frozen`, and saved with the checkpoint; relative to this file.
    pub(crate) vae: Option<PathBuf>,
    pub(crate) evaluation: EvaluationConfig,
    pub(crate) unet: UNetConfig,
    pub(crate) schedule: Schedule,
    /// Samples that see the unconditional token have their garment in the warp blocks all the same.
    pub(crate) loss: TryOnLoss,
    pub(crate) attention: Option<AttentionConfig>,
}

/// The samples that are generated on the way.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EvaluationConfig {
    /// Seed of the pictures; another one than that of the training set.
    pub(crate) seed: u64,
    /// Number of pictures.
    pub(crate) count: usize,
    /// Sampling steps.
    pub(crate) steps: u32,
    /// The warp block whose attention is shown.
    pub(crate) slot: usize,
}

impl Keys for StableVitonKeys {
    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn average_decay(&self) -> f64 {
        self.loss.average_decay
    }

    fn autoencoder(&self) -> Option<&Path> {
        self.vae.as_deref()
    }

    fn prepare(&mut self, data: &DataConfig, file: &Path) -> Result<()> {
        resolve(file, self.start.iter_mut().chain(&mut self.vae));
        data.check_evaluation(self.evaluation.seed, file)
    }
}

impl StableVitonZoo {
    /// Whether the UNet fits to the frozen networks, the pictures, and the warp block that is shown.
    pub(super) fn check(&self, sizes: &StableVitonSizes, warp_blocks: usize) -> Result<()> {
        let StableVitonSizes {
            unet,
            vae,
            image_encoder,
        } = sizes;
        let inputs = 3 * vae.latent_channels + 1;
        ensure!(
            unet.in_channels == inputs && unet.out_channels == vae.latent_channels,
            "unet: expected {inputs} input and {} output channels, found {} and {}",
            vae.latent_channels,
            unet.in_channels,
            unet.out_channels
        );
        ensure!(
            unet.cross_attention_dim == image_encoder.projection_dim,
            "unet.cross_attention_dim: expected {}, the width of the frozen encoder's token, found {}",
            image_encoder.projection_dim,
            unet.cross_attention_dim
        );
        let factor = vae.factor() * unet.size_multiple();
        self.data.check(factor, Path::new("configuration"))?;
        let keys = &self.keys;
        let slot = keys.evaluation.slot;
        ensure!(
            slot < warp_blocks,
            "slot {slot}: the UNet has {warp_blocks} warp blocks"
        );
        Ok(())
    }
}
