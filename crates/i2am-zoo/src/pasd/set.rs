//! The training set: synthetic persons, drawn once and encoded, and what is left of them at a low resolution.

use anyhow::Result;
use i2am_datasets::{Sample, synth};
use i2am_imaging::{RgbImage, pillow_bicubic_rgb};
use i2am_nets::vae::Vae;
use i2am_runner::families::{Family as _, LowResolution, PASD};
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::PasdZoo;
use crate::posteriors::Posteriors;
use crate::{progress, tensors};

/// Pictures encoded at a time.
const ENCODE_BATCH: usize = 16;
/// Pictures between lines where there is no bar.
const SAY_EVERY: usize = 800;

/// A drawn person, and the sample that asks for it.
pub(super) struct Drawn {
    /// With the picture at its low resolution as the reference.
    pub(super) sample: Sample,
    pub(super) high: RgbImage,
}

impl Drawn {
    pub(super) fn of(seed: u64, index: usize, config: &PasdZoo) -> Self {
        let (height, width) = (config.data.height, config.data.width);
        let high = synth::render(seed, index as u64, height, width).person;
        let low = pillow_bicubic_rgb(&high, height / config.upscale, width / config.upscale);
        let sample = Sample {
            id: format!("{index:05}"),
            reference: low,
            ..Sample::default()
        };
        Self { sample, high }
    }
}

/// Everything a training step reads, on the CPU.
pub(super) struct PictureSet {
    latents: Posteriors,
    /// `[count, 3, H, W]` bytes.
    high: Tensor,
    /// The low-resolution pictures brought back to the size of the high ones, as the pipeline does it; `[count, 3, H, W]` bytes.
    low: Tensor,
}

impl PictureSet {
    /// Draws and encodes the pictures of `config`.
    pub(super) fn draw(config: &PasdZoo, vae: &Vae, device: Device) -> Result<Self> {
        let _guard = tch::no_grad_guard();
        let settings = config.settings(PASD.info().name);
        let factor = vae.config().factor();
        let one = |index: usize| -> Result<[Tensor; 2]> {
            let drawn = Drawn::of(config.data.seed, index, config);
            let low = LowResolution::of(&drawn.sample, &settings, factor)?;
            let low = (low.unit.squeeze_dim(0) * 255.0).round();
            Ok([tensors::from_rgb(&drawn.high), low.to_kind(Kind::Uint8)])
        };
        let count = config.data.count;
        let bar = progress::bar("encoding", count as u64);
        let (mut highs, mut lows, mut latents) = (Vec::new(), Vec::new(), Vec::new());
        for start in (0..count).step_by(ENCODE_BATCH) {
            let indices = start..(start + ENCODE_BATCH).min(count);
            let drawn: Vec<[Tensor; 2]> =
                indices.into_par_iter().map(one).collect::<Result<_>>()?;
            let stack = |side: usize| {
                let parts: Vec<&Tensor> = drawn.iter().map(|pair| &pair[side]).collect();
                Tensor::stack(&parts, 0)
            };
            let high = stack(0);
            latents.push(vae.encode(&tensors::signed(&high.to_device(device))));
            highs.push(high);
            lows.push(stack(1));
            bar.inc(drawn.len() as u64);
            if bar.is_hidden() && start.is_multiple_of(SAY_EVERY) {
                progress::say(&format!("encoding: {start} of {count}"));
            }
        }
        Ok(Self {
            latents: Posteriors::gather(&latents),
            high: Tensor::cat(&highs, 0),
            low: Tensor::cat(&lows, 0),
        })
    }

    /// Number of pictures.
    pub(super) fn len(&self) -> i64 {
        self.high.size()[0]
    }

    /// Latents of the high-resolution pictures, times `scale`.
    pub(super) fn latents(&self, indices: &Tensor, scale: f64, device: Device) -> Tensor {
        self.latents.sample(indices, scale, device)
    }

    /// High-resolution pictures, `[batch, 3, H, W]` in 0 to 1.
    pub(super) fn high(&self, indices: &Tensor, device: Device) -> Tensor {
        unit(&self.high, indices, device)
    }

    /// What the networks see of them, `[batch, 3, H, W]` in 0 to 1.
    pub(super) fn low(&self, indices: &Tensor, device: Device) -> Tensor {
        unit(&self.low, indices, device)
    }
}

fn unit(bytes: &Tensor, indices: &Tensor, device: Device) -> Tensor {
    let picked = bytes.index_select(0, indices).to_device(device);
    picked.to_kind(Kind::Float) / 255.0
}
