//! Trains the UNet of a Paint-by-Example around a frozen autoencoder and reference encoder.

mod card;
mod export;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{CheckpointSource, FreshSource, Precision, Scope};
use serde::{Deserialize, Serialize};
use tch::Device;

use super::config::DiffusionStage;
use super::data::TrainingSet;
use super::diffusion;
use crate::config::{DataConfig, Family, Schedule, check_snapshots, resolve};
use crate::frozen::{Mixed, open_folder};
use crate::init::start_as_identity;
use crate::train::Limits;
use crate::trainer::{Place, Trainer};

pub(super) use export::Exporter;

/// A training of the UNet alone. Its last step becomes a diffusers folder, the steps before LDM files beside that folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UNetZoo {
    /// Version of this file's keys.
    pub(crate) schema_version: u32,
    /// `paint-by-example`.
    pub(crate) family: Family,
    /// Name of the checkpoints.
    pub(crate) name: String,
    /// Folder of the training state, log and pictures; relative to this file.
    pub(crate) work: PathBuf,
    /// Folder of the finished checkpoint; relative to this file.
    pub(crate) output: PathBuf,
    /// Seed of weights, batches and noise.
    pub(crate) seed: u64,
    /// The diffusers folder whose other networks are taken over and stay as they are; relative to this file. May be `output`.
    pub(crate) frozen: PathBuf,
    /// Steps after which a checkpoint is saved beside the last step's.
    pub(crate) snapshots: Vec<u64>,
    pub(crate) data: DataConfig,
    pub(crate) diffusion: DiffusionStage,
}

impl UNetZoo {
    /// Resolves the paths of the configuration `file` and checks what can be checked without the frozen networks.
    pub(crate) fn prepare(&mut self, file: &Path) -> Result<()> {
        resolve(file, [&mut self.work, &mut self.output, &mut self.frozen]);
        check_snapshots(&self.snapshots, self.schedule().steps, file)
    }

    fn schedule(&self) -> &Schedule {
        &self.diffusion.schedule
    }

    /// Whether the UNet fits to the frozen networks and the pictures.
    fn check(&self, vae: &VaeConfig, image_encoder: &ImageEncoderConfig) -> Result<()> {
        let unet = &self.diffusion.unet;
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

/// Trains what is not trained yet and saves the checkpoints.
pub(super) fn train(config: &UNetZoo, device: Device, limits: Limits) -> Result<()> {
    i2am_files::create_dir(&config.work)?;
    let deadline = limits.deadline();
    // Its files are copied at the end; that must not be found out then.
    let frozen = open_folder(&config.frozen)?;
    let vae = VaeConfig::of(&frozen)?;
    let image_encoder = ImageEncoderConfig::of(&frozen)?;
    config.check(&vae, &image_encoder)?;

    tch::manual_seed(config.seed as i64);
    let kept = CheckpointSource::new(&frozen, Precision::F32, device);
    let fresh = FreshSource::new(device);
    let source = Mixed {
        kept: &kept,
        fresh: &fresh,
    };
    let autoencoder = Vae::new(&Scope::root(&source, "vae"), vae.clone());
    let networks = diffusion::Networks::new(&source, &config.diffusion.unet, &image_encoder);
    kept.finish()?;
    let variables = fresh.variables();
    start_as_identity(&variables, "unet", &["conv2.weight", "proj_out.weight"]);

    let exporter = Exporter {
        config,
        frozen: &frozen,
        variables: &variables,
        latent_height: config.data.height as i64 / vae.factor(),
    };
    let place = Place {
        work: &config.work,
        seed: config.seed,
    };
    let decay = config.diffusion.average_decay;
    let schedule = config.schedule();
    let mut trainer = Trainer::open(place, "diffusion", fresh.variables(), schedule, decay)?;
    if !limits.export_only {
        let set = TrainingSet::draw(&config.data, image_encoder.image_size as usize);
        let encoder = Some(&networks.image_encoder);
        let stage = diffusion::Stage {
            networks: &networks,
            autoencoder: &autoencoder,
            latents: &diffusion::Latents::encode(&autoencoder, encoder, &set, device),
            scaling_factor: vae.scaling_factor,
            set: &set,
            config: &config.diffusion,
            exporter: Some(&exporter),
            device,
        };
        if !trainer.run(deadline, &stage)? {
            trainer.say_stopped();
        }
    }
    trainer.adopt_averages();
    exporter.save_folder(trainer.step())
}

#[cfg(test)]
mod tests;
