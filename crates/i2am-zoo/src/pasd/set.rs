//! The training set: synthetic persons, drawn and encoded once, and what is left of them at a low resolution.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use i2am_datasets::Sample;
use i2am_imaging::{RgbImage, pillow_bicubic_rgb};
use i2am_nets::vae::Vae;
use i2am_runner::families::{Family as _, LowResolution, PASD};
use i2am_runner::pictures::{Quantise, unit_to_rgb};
use i2am_synth as synth;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::PasdZoo;
use crate::encoded::{Encoded, halves, in_batches, pick};
use crate::frozen::identity;
use crate::posteriors::Posteriors;
use crate::tensors;

/// Pictures encoded at a time.
const ENCODE_BATCH: usize = 16;

/// A drawn person, and the sample that asks for it.
pub(super) struct Drawn {
    /// With the picture at its low resolution as the reference.
    pub(super) sample: Sample,
    pub(super) high: RgbImage,
}

impl Drawn {
    pub(super) fn of(seed: u64, index: usize, config: &PasdZoo) -> Self {
        let (height, width) = (config.data.height, config.data.width);
        let upscale = config.keys.upscale;
        let high = synth::render(seed, index as u64, height, width).person;
        let low = pillow_bicubic_rgb(&high, height / upscale, width / upscale);
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
    /// The high-resolution pictures at half their size, `[count, 3, H/2, W/2]` in 0 to 1, f16.
    half: Tensor,
    /// The low-resolution pictures brought back to the size of the high ones, as the pipeline does it; `[count, 3, H, W]` bytes.
    low: Tensor,
}

impl PictureSet {
    /// The set of `config`, kept in the folder of the training for the same data and the same frozen autoencoder.
    pub(super) fn open(config: &PasdZoo, vae: &Vae, device: Device) -> Result<Self> {
        let (data, upscale) = (&config.data, config.keys.upscale);
        let frozen = identity(config)?;
        let key = serde_json::to_string(&(data, upscale, synth::VERSION, frozen))?;
        let mut encoded = Encoded::open(&config.work, key, || Self::encode(config, vae, device))?;
        let settings = config.settings(PASD.info().name);
        let factor = vae.config().factor();
        let lows = encoded.take("low")?.to_kind(Kind::Float) / 255.0;
        ensure!(lows.size()[0] > 0, "no pictures");
        let enlarged = |index: i64| {
            let sample = Sample {
                id: format!("{index:05}"),
                reference: unit_to_rgb(&lows.narrow(0, index, 1), Quantise::Round),
                ..Sample::default()
            };
            let low = LowResolution::of(&sample, &settings, factor)?.unit;
            Ok((low * 255.0).round().to_kind(Kind::Uint8))
        };
        let low: Vec<Tensor> = (0..lows.size()[0]).map(enlarged).collect::<Result<_>>()?;
        Ok(Self {
            latents: encoded.take_posteriors("")?,
            half: encoded.take("half")?,
            low: Tensor::cat(&low, 0),
        })
    }

    fn encode(config: &PasdZoo, vae: &Vae, device: Device) -> Result<BTreeMap<String, Tensor>> {
        let (mut smaller, mut lows, mut latents) = (Vec::new(), Vec::new(), Vec::new());
        in_batches(config.data.count, ENCODE_BATCH, |indices| {
            let one = |index: usize| {
                let drawn = Drawn::of(config.data.seed, index, config);
                [&drawn.high, &drawn.sample.reference].map(tensors::from_rgb)
            };
            let drawn: Vec<[Tensor; 2]> = indices.into_par_iter().map(one).collect();
            let stack = |side: usize| {
                let parts: Vec<&Tensor> = drawn.iter().map(|pair| &pair[side]).collect();
                Tensor::stack(&parts, 0)
            };
            let high = stack(0).to_kind(Kind::Float);
            latents.push(vae.encode(&tensors::signed(&high.to_device(device))));
            smaller.push(high.avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None) / 255.0);
            lows.push(stack(1));
            Ok(())
        })?;
        let Posteriors { mean, deviation } = Posteriors::gather(&latents);
        let named = [
            ("mean", mean),
            ("deviation", deviation),
            ("half", halves(&smaller)),
            // Levels up to 255 are exact in half precision.
            ("low", halves(&lows)),
        ];
        Ok(named.map(|(name, x)| (name.to_owned(), x)).into())
    }

    /// Number of pictures.
    pub(super) fn len(&self) -> i64 {
        self.low.size()[0]
    }

    /// Latents of the high-resolution pictures, times `scale`.
    pub(super) fn latents(&self, indices: &Tensor, scale: f64, device: Device) -> Tensor {
        self.latents.sample(indices, scale, device)
    }

    /// High-resolution pictures at half their size, `[batch, 3, H/2, W/2]` in 0 to 1.
    pub(super) fn half(&self, indices: &Tensor, device: Device) -> Tensor {
        pick(&self.half, indices, device)
    }

    /// What the networks see of them, `[batch, 3, H, W]` in 0 to 1.
    pub(super) fn low(&self, indices: &Tensor, device: Device) -> Tensor {
        pick(&self.low, indices, device) / 255.0
    }
}
