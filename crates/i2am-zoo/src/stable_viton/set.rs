//! The training set: synthetic samples prepared as for inference, and encoded once.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use i2am_datasets::{Sample, synth};
use i2am_imaging::GrayImage;
use i2am_nets::vae::Posterior;
use i2am_runner::families::{StableVitonInputs, StableVitonNetworks};
use i2am_runner::pictures;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::config::DataConfig;
use crate::posteriors::Posteriors;
use crate::{progress, state};

/// Samples encoded at a time; each is four pictures.
const ENCODE_BATCH: usize = 8;
/// Samples between lines where there is no bar.
const SAY_EVERY: usize = 200;
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
    /// The set of `data`, from `cache` if it was made by the same frozen networks, `identity`.
    pub(super) fn open(
        data: &DataConfig,
        networks: &StableVitonNetworks,
        identity: &str,
        cache: &Path,
        device: Device,
    ) -> Result<Self> {
        let key = serde_json::to_string(&(data, synth::VERSION, identity))?;
        if cache.is_file() {
            let (tensors, metadata) = state::read(cache)?;
            if metadata.get("key") == Some(&key) {
                return Self::of_tensors(tensors).with_context(|| cache.display().to_string());
            }
        }
        let tensors = Self::encode(data, networks, device)?;
        let metadata = BTreeMap::from([("key".to_owned(), key)]);
        state::write(cache, &tensors, Kind::Half, &metadata)?;
        Self::of_tensors(tensors)
    }

    fn encode(
        data: &DataConfig,
        networks: &StableVitonNetworks,
        device: Device,
    ) -> Result<BTreeMap<String, Tensor>> {
        let _guard = tch::no_grad_guard();
        let StableVitonNetworks {
            vae, image_encoder, ..
        } = networks;
        let (factor, side) = (vae.config().factor(), image_encoder.config().image_size);
        let bar = progress::bar("encoding", data.count as u64);
        let mut posteriors: [Vec<Posterior>; 4] = Default::default();
        let mut planes: [Vec<Tensor>; 3] = Default::default();
        let size = (data.height as i64, data.width as i64);
        for start in (0..data.count).step_by(ENCODE_BATCH) {
            let indices = start..(start + ENCODE_BATCH).min(data.count);
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
            bar.inc(batch.len() as u64);
            if bar.is_hidden() && start.is_multiple_of(SAY_EVERY) {
                progress::say(&format!("encoding: {start} of {}", data.count));
            }
        }
        let half = |parts: &[Tensor]| {
            Tensor::cat(parts, 0)
                .to_device(Device::Cpu)
                .to_kind(Kind::Half)
        };
        let mut tensors = BTreeMap::new();
        for (name, parts) in PICTURES.into_iter().zip(&posteriors) {
            let Posteriors { mean, deviation } = Posteriors::gather(parts);
            tensors.insert(format!("{name}.mean"), mean);
            tensors.insert(format!("{name}.deviation"), deviation);
        }
        for (name, parts) in ["keep", "worn", "tokens"].into_iter().zip(&planes) {
            tensors.insert(name.to_owned(), half(parts));
        }
        Ok(tensors)
    }

    fn of_tensors(mut tensors: BTreeMap<String, Tensor>) -> Result<Self> {
        let mut take = |name: &str| {
            tensors
                .remove(name)
                .with_context(|| format!("no tensor `{name}`"))
        };
        let mut posteriors = |name: &str| {
            Ok::<_, anyhow::Error>(Posteriors {
                mean: take(&format!("{name}.mean"))?,
                deviation: take(&format!("{name}.deviation"))?,
            })
        };
        let set = Self {
            person: posteriors("person")?,
            agnostic: posteriors("agnostic")?,
            densepose: posteriors("densepose")?,
            cloth: posteriors("cloth")?,
            keep: take("keep")?,
            worn: take("worn")?,
            tokens: take("tokens")?,
        };
        ensure!(set.len() > 0, "no samples");
        Ok(set)
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

fn pick(x: &Tensor, indices: &Tensor, device: Device) -> Tensor {
    x.index_select(0, indices)
        .to_device(device)
        .to_kind(Kind::Float)
}
