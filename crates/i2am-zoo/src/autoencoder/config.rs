use std::path::Path;

use anyhow::{Result, ensure};
use i2am_nets::vae::VaeConfig;
use serde::Deserialize;

use crate::config::shared::{Config, DataConfig, Keys, Schedule};

/// A training of the autoencoder of the folder `frozen`.
pub(crate) type AutoencoderZoo = Config<AutoencoderKeys>;

/// The keys of [`AutoencoderZoo`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AutoencoderKeys {
    pub(crate) evaluation: EvaluationConfig,
    pub(crate) schedule: Schedule,
    pub(crate) loss: AutoencoderLoss,
    /// Height and width in pixels of the crops it is trained on.
    pub(crate) crop: i64,
    /// Channels of its latents; at least as many as it starts with.
    pub(crate) latent_channels: i64,
}

/// The pictures that are reconstructed on the way.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EvaluationConfig {
    /// Seed of the pictures; another one than that of the training set.
    pub(crate) seed: u64,
    /// Number of pictures.
    pub(crate) count: usize,
}

/// What is minimized.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AutoencoderLoss {
    /// Weight of the divergence from a standard normal latent.
    pub(crate) kl_weight: f64,
    /// Added to the weight of pixels that show the print or the cloth right around it; other pixels weigh 1.
    pub(crate) print_weight: f64,
    /// Decay per step of the averaged weights that are saved.
    pub(crate) average_decay: f64,
}

impl Keys for AutoencoderKeys {
    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn average_decay(&self) -> f64 {
        self.loss.average_decay
    }

    fn prepare(&mut self, data: &DataConfig, file: &Path) -> Result<()> {
        data.check_evaluation(self.evaluation.seed, file)
    }
}

impl AutoencoderZoo {
    /// The sizes in training, of those it starts with.
    pub(super) fn sizes(&self, start: VaeConfig) -> Result<VaeConfig> {
        let (expected, found) = (start.latent_channels, self.keys.latent_channels);
        ensure!(
            found >= expected,
            "latent_channels: expected at least {expected}, as the autoencoder in {} has, found {found}",
            self.frozen.display()
        );
        let (factor, crop) = (start.factor(), self.keys.crop);
        ensure!(
            crop > 0 && crop % factor == 0,
            "crop: expected a multiple of {factor}, found {crop}"
        );
        self.data.check(factor, Path::new("configuration"))?;
        Ok(VaeConfig {
            latent_channels: found,
            ..start
        })
    }
}
