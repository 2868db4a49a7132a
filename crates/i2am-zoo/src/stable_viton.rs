//! Trains a small `StableVITON`: control model, warp blocks and UNet around a frozen autoencoder and reference encoder.

mod config;
mod export;
mod set;
mod stage;
mod start;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::layout::Checkpoint;
use i2am_nets::vae::VaeConfig;
use i2am_runner::families::{StableVitonConfig, StableVitonPipeline, StableVitonSizes, Start};
use i2am_runner::samplers::SamplerConfig;
use tch::{Device, Tensor};

use config::StableVitonKeys;
pub(crate) use config::StableVitonZoo;
use export::OwnVae;
use set::{Drawn, TryOnSet};

use crate::frozen::Mixed;
use crate::progress;
use crate::train::{Ground, Limits, Zoo};

/// Trains what is not trained yet and saves the checkpoints.
pub(crate) fn train(config: &StableVitonZoo, device: Device, limits: Limits) -> Result<()> {
    crate::train::train::<StableViton>(config, device, limits)
}

/// The networks in training.
struct StableViton {
    config: StableVitonZoo,
    pipeline: StableVitonPipeline,
    own: Option<OwnVae>,
    device: Device,
}

impl StableViton {
    /// Height and width of the pictures.
    fn size(&self) -> (i64, i64) {
        size(&self.config)
    }
}

fn size(config: &StableVitonZoo) -> (i64, i64) {
    (config.data.height as i64, config.data.width as i64)
}

impl Zoo for StableViton {
    type Keys = StableVitonKeys;
    /// Pictures to train on and to evaluate with.
    type Data = (TryOnSet, Vec<Drawn>);
    const STAGE: &'static str = "try-on";

    fn build(ground: &Ground<'_, StableVitonKeys>) -> Result<Self> {
        let (config, keys) = (ground.config, &ground.config.keys);
        let sizes = StableVitonSizes {
            unet: keys.unet.clone(),
            vae: VaeConfig::of(ground.frozen)?,
            image_encoder: ImageEncoderConfig::of(ground.frozen)?,
        };
        let networks = sizes.build(&Mixed {
            kept: ground.kept,
            fresh: ground.fresh,
        });
        config.check(&sizes, networks.warp.len())?;
        let variables = ground.fresh.variables();
        if let Some(attention) = &keys.attention {
            attention.check(&variables)?;
        }
        start::draw(&variables);
        if let Some(path) = &keys.start {
            let taken = start::take_over(&variables, &Checkpoint::open(path)?)?;
            progress::say(&format!(
                "from {}: {} tensors taken over, {} of the control model from the UNet, {} left as drawn",
                path.display(),
                taken.whole,
                taken.from_unet,
                taken.left
            ));
        }
        let settings = StableVitonConfig {
            start: Start::Noise,
            sampler: SamplerConfig {
                steps: keys.evaluation.steps,
                ..SamplerConfig::default()
            },
            ..StableVitonConfig::new(&config.name, config.output.clone())
        };
        let device = ground.device;
        let pipeline = StableVitonPipeline::of_networks(networks, &settings, size(config), device)?;
        Ok(Self {
            config: config.clone(),
            pipeline,
            own: keys
                .vae
                .as_ref()
                .map(|_| OwnVae::of(ground.frozen))
                .transpose()?,
            device,
        })
    }

    fn data(&self) -> Result<Self::Data> {
        let set = TryOnSet::open(&self.config, self.pipeline.networks(), self.device)?;
        let evaluation = &self.config.keys.evaluation;
        let drawn = |index| Drawn::of(evaluation.seed, index, &self.config.data);
        Ok((set, (0..evaluation.count).map(drawn).collect()))
    }

    fn loss(&self, (set, _): &Self::Data) -> Tensor {
        self.batch_loss(set)
    }

    fn evaluate(&self, (_, samples): &Self::Data, step: u64, stem: &Path) -> Result<()> {
        self.evaluate_all(samples, step, stem)
    }

    fn save_snapshot(&self, variables: &BTreeMap<String, Tensor>, step: u64) -> Result<PathBuf> {
        export::save(&self.config, variables, self.own.as_ref(), step)
    }

    fn save_last(&self, variables: &BTreeMap<String, Tensor>, step: u64) -> Result<PathBuf> {
        export::save(&self.config, variables, self.own.as_ref(), step)
    }
}

#[cfg(test)]
mod tests;
