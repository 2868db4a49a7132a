//! First stage: the autoencoder.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use i2am_nets::vae::Vae;
use tch::{Device, Kind, Tensor};

use super::config::VaeStage;
use super::data::TrainingSet;
use crate::autoencoder::{FIRST_LOG_VARIANCE, reconstruction};
use crate::pictures;
use crate::trainer::Task;

/// Lets training start with an almost noiseless latent. Under the unit noise of a random start the latent carries brightness
/// only for thousands of steps.
pub(super) fn start_certain(variables: &BTreeMap<String, Tensor>) {
    let _guard = tch::no_grad_guard();
    let bias = variables["vae.quant_conv.bias"].detach();
    let half = bias.size()[0] / 2;
    let _ = bias.narrow(0, half, half).fill_(FIRST_LOG_VARIANCE);
}

/// The error of the reconstruction, and the divergence of the latent.
fn loss(vae: &Vae, set: &TrainingSet, config: &VaeStage, device: Device) -> Tensor {
    let batch = config.schedule.batch as i64;
    let indices = Tensor::randint(set.len() as i64, [batch], (Kind::Int64, Device::Cpu));
    let person = set.person(&indices, device);
    // Half of the pictures with their masked region in gray, as the inpainting input has it.
    let half = batch / 2;
    let keep = set.keep(&indices, device);
    let keep = Tensor::cat(
        &[
            keep.narrow(0, 0, half),
            keep.narrow(0, half, batch - half).ones_like(),
        ],
        0,
    );
    let pictures = crop(&(person * keep), config.crop);
    let posterior = vae.encode(&pictures);
    let decoded = vae.decode(&posterior.sample(&posterior.mean.randn_like()));
    let error = decoded - pictures;
    let weights = error.narrow(1, 0, 1).ones_like();
    reconstruction::loss(&error, &weights) + posterior.kl() * config.kl_weight
}

/// The same random window of every picture.
fn crop(x: &Tensor, side: i64) -> Tensor {
    let size = x.size();
    let window = |x: &Tensor, axis: i64, length: i64| {
        let side = side.min(length);
        let start =
            Tensor::randint(length - side + 1, [1], (Kind::Int64, Device::Cpu)).int64_value(&[0]);
        x.narrow(axis, start, side)
    };
    window(&window(x, 2, size[2]), 3, size[3])
}

/// Everything the stage needs.
pub(super) struct Stage<'a> {
    pub(super) vae: &'a Vae,
    pub(super) set: &'a TrainingSet,
    pub(super) config: &'a VaeStage,
    pub(super) device: Device,
}

impl Task for Stage<'_> {
    fn loss(&self) -> Tensor {
        loss(self.vae, self.set, self.config, self.device)
    }

    /// Pictures above, their reconstructions below.
    fn evaluate(&self, _step: u64, stem: &Path) -> Result<()> {
        let indices = Tensor::arange(8, (Kind::Int64, Device::Cpu));
        let person = self.set.person(&indices, self.device);
        let decoded = self.vae.decode(&self.vae.encode(&person).mean);
        pictures::write_rows(&stem.with_extension("png"), &[person, decoded])
    }
}
