//! The training set: synthetic persons, drawn and encoded once, and what is left of them at a low resolution.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use i2am_datasets::{Sample, synth};
use i2am_imaging::{RgbImage, pillow_bicubic_rgb};
use i2am_nets::vae::Vae;
use i2am_runner::families::{Family as _, LowResolution, PASD};
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::PasdZoo;
use crate::posteriors::Posteriors;
use crate::{progress, state, tensors};

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
    /// The high-resolution pictures at half their size, `[count, 3, H/2, W/2]` in 0 to 1, f16.
    half: Tensor,
    /// The low-resolution pictures brought back to the size of the high ones, as the pipeline does it; `[count, 3, H, W]` bytes.
    low: Tensor,
}

impl PictureSet {
    /// The set of `config`, from the folder of the training if it was made there by the same autoencoder, `identity`.
    pub(super) fn open(
        config: &PasdZoo,
        vae: &Vae,
        identity: &str,
        device: Device,
    ) -> Result<Self> {
        let cache = config.work.join("encoded.safetensors");
        let key = serde_json::to_string(&(&config.data, config.upscale, synth::VERSION, identity))?;
        if cache.is_file() {
            let (tensors, metadata) = state::read(&cache)?;
            if metadata.get("key") == Some(&key) {
                let made = Self::of_tensors(tensors, config, vae);
                return made.with_context(|| cache.display().to_string());
            }
        }
        let tensors = Self::encode(config, vae, device);
        let metadata = BTreeMap::from([("key".to_owned(), key)]);
        state::write(&cache, &tensors, Kind::Half, &metadata)?;
        Self::of_tensors(tensors, config, vae)
    }

    fn encode(config: &PasdZoo, vae: &Vae, device: Device) -> BTreeMap<String, Tensor> {
        let _guard = tch::no_grad_guard();
        let count = config.data.count;
        let bar = progress::bar("encoding", count as u64);
        let (mut halves, mut lows, mut latents) = (Vec::new(), Vec::new(), Vec::new());
        for start in (0..count).step_by(ENCODE_BATCH) {
            let indices = start..(start + ENCODE_BATCH).min(count);
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
            halves.push(high.avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None) / 255.0);
            lows.push(stack(1));
            bar.inc(drawn.len() as u64);
            if bar.is_hidden() && start.is_multiple_of(SAY_EVERY) {
                progress::say(&format!("encoding: {start} of {count}"));
            }
        }
        let half = |parts: &[Tensor]| Tensor::cat(parts, 0).to_kind(Kind::Half);
        let Posteriors { mean, deviation } = Posteriors::gather(&latents);
        let named = [
            ("mean", mean),
            ("deviation", deviation),
            ("half", half(&halves)),
            // Levels up to 255 are exact in half precision.
            ("low", half(&lows)),
        ];
        named.map(|(name, x)| (name.to_owned(), x)).into()
    }

    fn of_tensors(
        mut tensors: BTreeMap<String, Tensor>,
        config: &PasdZoo,
        vae: &Vae,
    ) -> Result<Self> {
        let mut take = |name: &str| {
            tensors
                .remove(name)
                .with_context(|| format!("no tensor `{name}`"))
        };
        let settings = config.settings(PASD.info().name);
        let factor = vae.config().factor();
        let lows = take("low")?;
        ensure!(lows.size()[0] > 0, "no pictures");
        let enlarged = |index: i64| {
            let sample = Sample {
                id: format!("{index:05}"),
                reference: tensors::to_rgb(&tensors::signed(&lows.get(index))),
                ..Sample::default()
            };
            let low = LowResolution::of(&sample, &settings, factor)?.unit;
            Ok((low * 255.0).round().to_kind(Kind::Uint8))
        };
        let low: Vec<Tensor> = (0..lows.size()[0]).map(enlarged).collect::<Result<_>>()?;
        Ok(Self {
            latents: Posteriors {
                mean: take("mean")?,
                deviation: take("deviation")?,
            },
            half: take("half")?,
            low: Tensor::cat(&low, 0),
        })
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
        let picked = self.half.index_select(0, indices).to_device(device);
        picked.to_kind(Kind::Float)
    }

    /// What the networks see of them, `[batch, 3, H, W]` in 0 to 1.
    pub(super) fn low(&self, indices: &Tensor, device: Device) -> Tensor {
        let picked = self.low.index_select(0, indices).to_device(device);
        picked.to_kind(Kind::Float) / 255.0
    }
}
