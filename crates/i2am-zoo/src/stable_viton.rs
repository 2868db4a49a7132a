//! Trains a small `StableVITON`: control model, warp blocks and UNet around a frozen autoencoder and reference encoder.

mod attention;
mod card;
mod config;
mod export;
mod set;
mod stage;
mod start;

use anyhow::Result;
use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::layout::Checkpoint;
use i2am_nets::vae::VaeConfig;
use i2am_nets::{CheckpointSource, FreshSource, Precision};
use i2am_runner::families::{StableVitonConfig, StableVitonPipeline, StableVitonSizes, Start};
use i2am_runner::samplers::SamplerConfig;
use tch::Device;

pub(crate) use config::StableVitonZoo;
use export::Exporter;
use set::{Drawn, TryOnSet};
use stage::Stage;

use crate::frozen::{Mixed, identity, open_folder};
use crate::progress;
use crate::train::Limits;
use crate::trainer::{Place, Trainer};

/// Trains what is not trained yet and saves the checkpoints.
pub(crate) fn train(config: &StableVitonZoo, device: Device, limits: Limits) -> Result<()> {
    i2am_files::create_dir(&config.work)?;
    let deadline = limits.deadline();
    // Snapshots name it as their base; that must not fail at the end.
    let frozen = open_folder(&config.frozen)?;
    let sizes = StableVitonSizes {
        unet: config.unet.clone(),
        vae: VaeConfig::of(&frozen)?,
        image_encoder: ImageEncoderConfig::of(&frozen)?,
    };

    tch::manual_seed(config.seed as i64);
    let kept = CheckpointSource::new(&frozen, Precision::F32, device);
    let fresh = FreshSource::new(device);
    let networks = sizes.build(&Mixed {
        kept: &kept,
        fresh: &fresh,
    });
    kept.finish()?;
    config.check(&sizes, networks.warp.len())?;
    let variables = fresh.variables();
    start::draw(&variables);
    if let Some(path) = &config.start {
        let taken = start::take_over(&variables, &Checkpoint::open(path)?)?;
        progress::say(&format!(
            "from {}: {} tensors taken over, {} of the control model from the UNet, {} left as drawn",
            path.display(),
            taken.whole,
            taken.from_unet,
            taken.left
        ));
    }

    let cache = config.work.join("encoded.safetensors");
    let set = TryOnSet::open(&config.data, &networks, &identity(&frozen)?, &cache, device)?;
    let drawn = |index| Drawn::of(config.evaluation.seed, index, &config.data);
    let evaluation: Vec<Drawn> = (0..config.evaluation.count).map(drawn).collect();
    let size = (config.data.height as i64, config.data.width as i64);
    let settings = StableVitonConfig {
        start: Start::Noise,
        sampler: SamplerConfig {
            steps: config.evaluation.steps,
            ..SamplerConfig::default()
        },
        ..StableVitonConfig::new(&config.name, config.output.clone())
    };
    let pipeline = StableVitonPipeline::of_networks(networks, &settings, size, device)?;

    let place = Place {
        work: &config.work,
        seed: config.seed,
    };
    let exporter = Exporter {
        config,
        sizes: &sizes,
        frozen: &frozen,
        variables: &variables,
    };
    let (decay, schedule) = (config.loss.average_decay, &config.schedule);
    let mut trainer = Trainer::open(place, "try-on", fresh.variables(), schedule, decay)?;
    if !limits.export_only {
        let stage = Stage {
            pipeline: &pipeline,
            set: &set,
            evaluation: &evaluation,
            config,
            exporter: &exporter,
            device,
        };
        if !trainer.run(deadline, &stage)? {
            trainer.say_stopped();
        }
    }
    trainer.adopt_averages();
    exporter.save(trainer.step())
}

#[cfg(test)]
mod tests;
