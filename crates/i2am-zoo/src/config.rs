use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::unet::UNetConfig;
use i2am_nets::vae::VaeConfig;
use serde::{Deserialize, Serialize};

/// One training: everything that decides what comes out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ZooConfig {
    /// Version of this file's keys.
    pub(crate) schema_version: u32,
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

/// The synthetic pictures to train on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataConfig {
    /// Seed of the pictures. The demonstration draws its own from another seed.
    pub(crate) seed: u64,
    /// Number of pictures.
    pub(crate) count: usize,
    /// Height in pixels.
    pub(crate) height: usize,
    /// Width in pixels.
    pub(crate) width: usize,
}

/// Length and step size of one stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    /// Optimiser steps.
    pub(crate) steps: u64,
    /// Pictures per step.
    pub(crate) batch: usize,
    /// Highest learning rate; reached after `warm_up` steps, then down to zero on a cosine.
    pub(crate) learning_rate: f64,
    /// Steps of linear warm-up.
    pub(crate) warm_up: u64,
}

impl Schedule {
    /// The learning rate of `step`.
    pub(crate) fn rate(&self, step: u64) -> f64 {
        let up = (step + 1) as f64 / self.warm_up.max(1) as f64;
        let along = step.saturating_sub(self.warm_up) as f64
            / self.steps.saturating_sub(self.warm_up).max(1) as f64;
        let down = 0.5 * (1.0 + (along.min(1.0) * std::f64::consts::PI).cos());
        self.learning_rate * up.min(1.0) * down
    }
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
    pub(crate) schedule: Schedule,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffusionStage {
    pub(crate) unet: UNetConfig,
    pub(crate) image_encoder: ImageEncoderConfig,
    pub(crate) schedule: Schedule,
    /// Share of samples that see the unconditional token instead of their reference.
    pub(crate) drop_reference: f64,
    /// Decay per step of the averaged weights that are saved.
    pub(crate) average_decay: f64,
    /// The loss at timestep t is weighted by `1 + min((1 - alpha) / alpha, this)`: colours are decided where the noise is
    /// strongest, and the plain loss hardly sees them there.
    pub(crate) high_noise_weight: f64,
}

impl ZooConfig {
    /// Reads a configuration; folders in it become relative to its own.
    ///
    /// # Errors
    /// A file that cannot be read or parsed, or sizes that do not fit each other.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut config: Self =
            toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
        ensure!(
            config.schema_version == 1,
            "{}: schema_version: expected 1",
            path.display()
        );
        let factor = (config.vae.net.factor() * config.diffusion.unet.size_multiple()) as usize;
        let DataConfig { height, width, .. } = config.data;
        ensure!(
            height % factor == 0 && width % factor == 0,
            "{}: data: expected multiples of {factor} for height and width, found {height} and {width}",
            path.display()
        );
        let (unet, encoder) = (&config.diffusion.unet, &mut config.diffusion.image_encoder);
        ensure!(
            unet.cross_attention_dim == encoder.projection_dim,
            "{}: unet.cross_attention_dim is {}, image_encoder.projection_dim is {}",
            path.display(),
            unet.cross_attention_dim,
            encoder.projection_dim
        );
        // As many as the diffusers library makes for a tower of this depth.
        encoder.mapper_layers = (encoder.num_hidden_layers + 1) / 5;
        let base = path.parent().unwrap_or(Path::new("."));
        config.work = base.join(&config.work);
        config.output = base.join(&config.output);
        Ok(config)
    }
}
