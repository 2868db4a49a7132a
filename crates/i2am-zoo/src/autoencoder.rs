//! Trains an autoencoder further: encoder and decoder together, starting from those of another checkpoint, with more channels of the latents
//! and more weight for prints.
//!
//! Its latents become others, so networks that were trained on the old ones must be trained further too.

mod config;
pub(crate) mod reconstruction;
mod set;
mod start;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_nets::Scope;
use i2am_nets::vae::{Vae, VaeConfig};
use tch::{Device, Kind, Tensor};

pub(crate) use config::AutoencoderZoo;
use config::{AutoencoderKeys, EvaluationConfig};
use set::{PictureSet, Printed};

use crate::config::shared::DataConfig;
use crate::diffusers::{vae_config, write, write_weights};
use crate::evaluation::{record, write_columns};
use crate::train::{Ground, Limits, Zoo};

/// Log-variance of a channel of the latents before it is trained.
pub(crate) const FIRST_LOG_VARIANCE: f64 = -8.0;

/// Pictures by which the scale of the latents is measured.
const SCALED_BY: usize = 64;

/// Trains what is not trained yet and saves the autoencoder.
pub(crate) fn train(config: &AutoencoderZoo, device: Device, limits: Limits) -> Result<()> {
    crate::train::train::<Autoencoder>(config, device, limits)
}

/// The network in training.
struct Autoencoder {
    config: AutoencoderZoo,
    vae: Vae,
    device: Device,
}

impl Zoo for Autoencoder {
    type Keys = AutoencoderKeys;
    /// Pictures to train on and to evaluate with.
    type Data = (PictureSet, Vec<Printed>);
    const STAGE: &'static str = "autoencoder";

    fn build(ground: &Ground<'_, AutoencoderKeys>) -> Result<Self> {
        let config = ground.config.clone();
        let sizes = config.sizes(VaeConfig::of(ground.frozen)?)?;
        let vae = Vae::new(&Scope::root(ground.fresh, "vae"), sizes);
        start::take_over(&ground.fresh.variables(), ground.frozen)?;
        Ok(Self {
            config,
            vae,
            device: ground.device,
        })
    }

    fn data(&self) -> Result<Self::Data> {
        let EvaluationConfig { seed, count } = self.config.keys.evaluation;
        let drawn = |index| Printed::draw(seed, index, &self.config.data);
        Ok((
            PictureSet::draw(&self.config.data),
            (0..count).map(drawn).collect(),
        ))
    }

    fn loss(&self, (set, _): &Self::Data) -> Tensor {
        let keys = &self.config.keys;
        let batch = set.batch(keys.schedule.batch, keys.crop, self.device);
        let posterior = self.vae.encode(&batch.pictures);
        let decoded = self
            .vae
            .decode(&posterior.sample(&posterior.mean.randn_like()));
        let weights = batch.printed * keys.loss.print_weight + 1.0;
        reconstruction::loss(&(decoded - batch.pictures), &weights)
            + posterior.kl() * keys.loss.kl_weight
    }

    /// Pictures above, their reconstructions below; mean squared errors, levels from -1 to 1, of all pixels and of those of prints.
    fn evaluate(&self, (_, samples): &Self::Data, step: u64, stem: &Path) -> Result<()> {
        let one = |sample: &Printed| {
            let person = sample.person(self.device);
            let decoded = self.vae.decode(&self.vae.encode(&person).mean);
            let printed = sample.printed(self.device);
            let square = (&decoded - &person).square();
            let of_print = (&square * &printed).sum(Kind::Float)
                / (printed.sum(Kind::Float) * 3.0).clamp_min(1.0);
            let measured = [square.mean(Kind::Float), of_print].map(|x| x.double_value(&[]));
            (vec![person, decoded], measured)
        };
        let done: Vec<_> = samples.iter().map(one).collect();
        let means = write_columns(stem, &done)?;
        record(stem, "error,print_error", step, &means)
    }

    fn save_snapshot(&self, variables: &BTreeMap<String, Tensor>, step: u64) -> Result<PathBuf> {
        let name = format!("{}-{step:06}", self.config.name);
        self.save(self.config.output.join(name), variables)
    }

    fn save_last(&self, variables: &BTreeMap<String, Tensor>, _step: u64) -> Result<PathBuf> {
        self.save(self.config.output.join(&self.config.name), variables)
    }
}

impl Autoencoder {
    /// Writes the folder of the network, as below `vae` of a diffusers folder.
    fn save(&self, folder: PathBuf, variables: &BTreeMap<String, Tensor>) -> Result<PathBuf> {
        let sizes = VaeConfig {
            scaling_factor: self.unit_scale(&self.config.data),
            ..self.vae.config().clone()
        };
        write(&folder.join("config.json"), &vae_config(&sizes)?)?;
        let weights = folder.join("diffusion_pytorch_model.safetensors");
        write_weights(&weights, "vae", variables)?;
        Ok(folder)
    }

    /// What brings the latents of the first pictures to unit variance.
    fn unit_scale(&self, data: &DataConfig) -> f64 {
        let _guard = tch::no_grad_guard();
        let mean = |index| {
            let drawn = Printed::draw(data.seed, index, data);
            self.vae.encode(&drawn.person(self.device)).mean
        };
        let means: Vec<Tensor> = (0..SCALED_BY.min(data.count)).map(mean).collect();
        1.0 / Tensor::cat(&means, 0).std(true).double_value(&[])
    }
}

#[cfg(test)]
mod tests;
