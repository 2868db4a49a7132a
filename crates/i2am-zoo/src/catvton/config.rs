use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use i2am_nets::layers::CrossAttention;
use i2am_nets::unet::UNetConfig;
use i2am_nets::vae::VaeConfig;
use serde::Deserialize;

use crate::attention::{AttentionConfig, AttentionLossKind};
use crate::config::shared::{Config, DataConfig, Keys, Schedule, TryOnLoss, resolve};

/// A training of a UNet without cross-attention around a frozen autoencoder.
pub(crate) type CatVtonZoo = Config<CatVtonKeys>;

/// The keys of [`CatVtonZoo`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CatVtonKeys {
    /// The Paint-by-Example that the UNet starts from, as far as it has its tensors; relative to this file. From nothing without.
    pub(crate) start: Option<PathBuf>,
    pub(crate) evaluation: EvaluationConfig,
    pub(crate) unet: UNetConfig,
    pub(crate) schedule: Schedule,
    pub(crate) loss: TryOnLoss,
    /// Share of samples whose reference is the picture of the person in the garment. Everything in it lies where it is to be painted,
    /// so that attention learns first where to look, and then to follow a garment of another shape.
    pub(crate) person_references: Option<f64>,
    /// Compared are samples with the garment's own picture.
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
    /// Weight of what the garment changes in the predicted noise; 1 is no guidance.
    pub(crate) guidance: f64,
}

impl Keys for CatVtonKeys {
    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn average_decay(&self) -> f64 {
        self.loss.average_decay
    }

    fn prepare(&mut self, data: &DataConfig, file: &Path) -> Result<()> {
        resolve(file, &mut self.start);
        self.unet.cross = CrossAttention::Absent;
        if let Some(attention) = &self.attention {
            ensure!(
                attention.loss == AttentionLossKind::Correspondence,
                "{}: attention.loss: expected \"correspondence\", which this family has",
                file.display()
            );
        }
        data.check_evaluation(self.evaluation.seed, file)
    }
}

impl CatVtonZoo {
    /// Whether the UNet fits to the autoencoder and the pictures.
    pub(super) fn check(&self, vae: &VaeConfig) -> Result<()> {
        let unet = &self.keys.unet;
        let inputs = 2 * vae.latent_channels + 1;
        ensure!(
            unet.in_channels == inputs && unet.out_channels == vae.latent_channels,
            "unet: expected {inputs} input and {} output channels, found {} and {}",
            vae.latent_channels,
            unet.in_channels,
            unet.out_channels
        );
        // Then the seam between the two pictures lies between rows at every level.
        let factor = vae.factor() * unet.size_multiple();
        self.data.check(factor, Path::new("configuration"))
    }
}
