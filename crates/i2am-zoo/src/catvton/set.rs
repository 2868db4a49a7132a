//! The training set: synthetic samples prepared as for inference, and encoded once.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use i2am_nets::vae::{Posterior, Vae};
use i2am_runner::pictures;
use i2am_synth as synth;
use rayon::prelude::*;
use tch::{Device, Tensor};

use super::CatVtonZoo;
use crate::config::shared::DataConfig;
use crate::encoded::{Encoded, halves, in_batches, pick};
use crate::frozen::identity;
use crate::places::Places;
use crate::posteriors::Posteriors;

/// Samples encoded at a time; each is three pictures.
const ENCODE_BATCH: usize = 8;
const PICTURES: [&str; 3] = ["person", "masked", "garment"];

/// A drawn sample on the CPU.
pub(super) struct Drawn {
    /// `[1, 3, H, W]` in `[-1, 1]`.
    pub(super) person: Tensor,
    /// The person with the masked region in mid-gray, 0.
    pub(super) masked: Tensor,
    /// `[1, 3, H, W]` in `[-1, 1]`.
    pub(super) garment: Tensor,
    /// 1 to repaint, 0 to keep: `[1, 1, H, W]`.
    pub(super) mask: Tensor,
}

impl Drawn {
    pub(super) fn of(seed: u64, index: usize, data: &DataConfig) -> Self {
        let drawn = synth::render(seed, index as u64, data.height, data.width);
        let mask = pictures::unit(&drawn.agnostic_mask).round();
        let person = pictures::centered(&drawn.person);
        Self {
            masked: &person * (-&mask + 1.0),
            garment: pictures::centered(&drawn.garment),
            person,
            mask,
        }
    }

    /// The mask at the latents' size, by its nearest pixels.
    pub(super) fn latent_mask(&self, factor: i64) -> Tensor {
        let size = self.mask.size();
        let size = [size[2] / factor, size[3] / factor];
        self.mask.upsample_nearest2d(size, None, None)
    }
}

/// Everything a training step reads, on the CPU.
pub(super) struct TallSet {
    pub(super) person: Posteriors,
    pub(super) masked: Posteriors,
    pub(super) garment: Posteriors,
    /// 1 to repaint, 0 to keep: `[count, 1, h, w]`, f16.
    mask: Tensor,
    /// For a training whose loss needs them.
    pub(super) places: Option<Places>,
}

impl TallSet {
    /// The set of `config`, kept in the folder of the training for the same data and the same frozen networks.
    pub(super) fn open(config: &CatVtonZoo, vae: &Vae, device: Device) -> Result<Self> {
        let frozen = identity(config)?;
        let key = serde_json::to_string(&(&config.data, synth::VERSION, frozen))?;
        let encode = || Self::encode(&config.data, vae, device);
        let mut encoded = Encoded::open(&config.work, key, encode)?;
        let set = Self {
            person: encoded.take_posteriors("person.")?,
            masked: encoded.take_posteriors("masked.")?,
            garment: encoded.take_posteriors("garment.")?,
            mask: encoded.take("mask")?,
            places: Places::of(
                &config.data,
                config.keys.attention.as_ref(),
                &config.keys.loss,
                vae.config().factor(),
            ),
        };
        ensure!(set.len() > 0, "no samples");
        Ok(set)
    }

    fn encode(data: &DataConfig, vae: &Vae, device: Device) -> Result<BTreeMap<String, Tensor>> {
        let factor = vae.config().factor();
        let mut posteriors: [Vec<Posterior>; 3] = Default::default();
        let mut masks = Vec::new();
        in_batches(data.count, ENCODE_BATCH, |indices| {
            let draw = |index| Drawn::of(data.seed, index, data);
            let batch: Vec<Drawn> = indices.into_par_iter().map(draw).collect();
            let views: [fn(&Drawn) -> &Tensor; 3] = [|d| &d.person, |d| &d.masked, |d| &d.garment];
            for (view, part) in views.into_iter().zip(&mut posteriors) {
                let pictures: Vec<&Tensor> = batch.iter().map(view).collect();
                part.push(vae.encode(&Tensor::cat(&pictures, 0).to_device(device)));
            }
            masks.extend(batch.iter().map(|drawn| drawn.latent_mask(factor)));
            Ok(())
        })?;
        let mut tensors = BTreeMap::from([("mask".to_owned(), halves(&masks))]);
        for (name, parts) in PICTURES.into_iter().zip(&posteriors) {
            let Posteriors { mean, deviation } = Posteriors::gather(parts);
            tensors.insert(format!("{name}.mean"), mean);
            tensors.insert(format!("{name}.deviation"), deviation);
        }
        Ok(tensors)
    }

    /// Number of samples.
    pub(super) fn len(&self) -> i64 {
        self.mask.size()[0]
    }

    /// 1 to repaint, 0 to keep: `[batch, 1, h, w]`.
    pub(super) fn mask(&self, indices: &Tensor, device: Device) -> Tensor {
        pick(&self.mask, indices, device)
    }
}
