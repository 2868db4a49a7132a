//! The training set: synthetic samples prepared as for inference, and encoded once.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use i2am_datasets::Sample;
use i2am_imaging::GrayImage;
use i2am_nets::vae::Posterior;
use i2am_runner::families::{StableVitonInputs, StableVitonNetworks};
use i2am_runner::pictures;
use i2am_synth as synth;
use rayon::prelude::*;
use tch::{Device, Tensor};

use super::config::StableVitonZoo;
use crate::config::shared::DataConfig;
use crate::encoded::{Encoded, halves, in_batches, pick};
use crate::frozen::identity;
use crate::places::Places;
use crate::posteriors::Posteriors;

/// Samples encoded at a time; each is four pictures.
const ENCODE_BATCH: usize = 8;
const PICTURES: [&str; 4] = ["person", "agnostic", "densepose", "cloth"];

/// Everything a training step reads, on the CPU.
pub(super) struct TryOnSet {
    pub(super) person: Posteriors,
    pub(super) agnostic: Posteriors,
    pub(super) densepose: Posteriors,
    pub(super) cloth: Posteriors,
    /// 1 to keep, 0 to repaint: `[count, 1, h, w]`, f16.
    keep: Tensor,
    /// Share of each cell where the garment is worn: `[count, 1, h, w]`, f16.
    worn: Tensor,
    /// The garment's token, `[count, 1, width]`, f16.
    tokens: Tensor,
    /// For a training whose loss needs them.
    pub(super) places: Option<Places>,
}

/// A drawn sample as the data sets give it, and where its garment is.
pub(super) struct Drawn {
    pub(super) sample: Sample,
    /// 255 where the person shows the garment.
    pub(super) worn: GrayImage,
    /// 255 where the garment's own picture shows it.
    pub(super) garment: GrayImage,
}

impl Drawn {
    pub(super) fn of(seed: u64, index: usize, data: &DataConfig) -> Self {
        let drawn = synth::render(seed, index as u64, data.height, data.width);
        let sample = Sample {
            id: format!("{index:05}"),
            ground_truth: Some(drawn.person.clone()),
            image: drawn.person,
            mask: drawn.agnostic_mask,
            reference: drawn.garment,
            reference_mask: Some(drawn.garment_mask.clone()),
            agnostic: Some(drawn.agnostic),
            densepose: Some(drawn.densepose),
            ..Sample::default()
        };
        Self {
            sample,
            worn: drawn.worn_mask,
            garment: drawn.garment_mask,
        }
    }
}

/// Tensors of one sample before encoding.
struct Prepared {
    inputs: StableVitonInputs,
    worn: Tensor,
}

impl TryOnSet {
    /// The set of `config`, kept in the folder of the training for the same data and the same frozen networks.
    pub(super) fn open(
        config: &StableVitonZoo,
        networks: &StableVitonNetworks,
        device: Device,
    ) -> Result<Self> {
        let frozen = identity(config)?;
        let key = serde_json::to_string(&(&config.data, synth::VERSION, frozen))?;
        let encode = || Self::encode(&config.data, networks, device);
        let mut encoded = Encoded::open(&config.work, key, encode)?;
        let set = Self {
            person: encoded.take_posteriors("person.")?,
            agnostic: encoded.take_posteriors("agnostic.")?,
            densepose: encoded.take_posteriors("densepose.")?,
            cloth: encoded.take_posteriors("cloth.")?,
            keep: encoded.take("keep")?,
            worn: encoded.take("worn")?,
            tokens: encoded.take("tokens")?,
            places: Places::of(
                &config.data,
                config.keys.attention.as_ref(),
                &config.keys.loss,
                networks.vae.config().factor(),
            ),
        };
        ensure!(set.len() > 0, "no samples");
        Ok(set)
    }

    fn encode(
        data: &DataConfig,
        networks: &StableVitonNetworks,
        device: Device,
    ) -> Result<BTreeMap<String, Tensor>> {
        let StableVitonNetworks {
            vae, image_encoder, ..
        } = networks;
        let (factor, side) = (vae.config().factor(), image_encoder.config().image_size);
        let mut posteriors: [Vec<Posterior>; 4] = Default::default();
        let mut planes: [Vec<Tensor>; 3] = Default::default();
        let size = (data.height as i64, data.width as i64);
        in_batches(data.count, ENCODE_BATCH, |indices| {
            let prepare = |index: usize| {
                let drawn = Drawn::of(data.seed, index, data);
                let inputs = StableVitonInputs::of(&drawn.sample, size)?;
                let worn = pictures::unit(&drawn.worn).avg_pool2d(
                    [factor, factor],
                    [factor, factor],
                    [0, 0],
                    false,
                    true,
                    None,
                );
                Ok(Prepared { inputs, worn })
            };
            let batch: Vec<Prepared> = indices
                .into_par_iter()
                .map(prepare)
                .collect::<Result<_>>()?;
            let stack = |part: &dyn Fn(&Prepared) -> Tensor| {
                let parts: Vec<Tensor> = batch.iter().map(part).collect();
                Tensor::cat(&parts, 0).to_device(device)
            };
            let views: [&dyn Fn(&Prepared) -> Tensor; 4] = [
                &|p| p.inputs.person.shallow_clone(),
                &|p| p.inputs.agnostic.shallow_clone(),
                &|p| p.inputs.densepose.shallow_clone(),
                &|p| p.inputs.cloth.shallow_clone(),
            ];
            for (view, part) in views.into_iter().zip(&mut posteriors) {
                part.push(vae.encode(&stack(view)));
            }
            planes[0].push(stack(&|p| p.inputs.latent_keep(factor)));
            planes[1].push(stack(&|p| p.worn.shallow_clone()));
            planes[2].push(image_encoder.forward(&stack(&|p| p.inputs.clip(side))));
            Ok(())
        })?;
        let mut tensors = BTreeMap::new();
        for (name, parts) in PICTURES.into_iter().zip(&posteriors) {
            let Posteriors { mean, deviation } = Posteriors::gather(parts);
            tensors.insert(format!("{name}.mean"), mean);
            tensors.insert(format!("{name}.deviation"), deviation);
        }
        for (name, parts) in ["keep", "worn", "tokens"].into_iter().zip(&planes) {
            tensors.insert(name.to_owned(), halves(parts));
        }
        Ok(tensors)
    }

    /// Number of samples.
    pub(super) fn len(&self) -> i64 {
        self.keep.size()[0]
    }

    /// 1 to keep, 0 to repaint: `[batch, 1, h, w]`.
    pub(super) fn keep(&self, indices: &Tensor, device: Device) -> Tensor {
        pick(&self.keep, indices, device)
    }

    /// Share of each cell where the garment is worn: `[batch, 1, h, w]`.
    pub(super) fn worn(&self, indices: &Tensor, device: Device) -> Tensor {
        pick(&self.worn, indices, device)
    }

    /// The garments' tokens: `[batch, 1, width]`.
    pub(super) fn tokens(&self, indices: &Tensor, device: Device) -> Tensor {
        pick(&self.tokens, indices, device)
    }
}
