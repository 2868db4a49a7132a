//! Trains a small PASD: UNet with pixel attentions and `ControlNet` around a frozen autoencoder and a frozen text encoder.

mod config;
mod export;
mod locality;
mod parts;
mod set;
mod stage;
mod tokenizer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_nets::text_encoder::TextEncoder;
use i2am_nets::unet::PixelKind;
use i2am_nets::vae::VaeConfig;
use i2am_nets::{FreshSource, Scope};
use i2am_runner::families::{Family as _, PASD, PasdPipeline, PasdSizes, Tokenizer};
use tch::{Device, Tensor};

use config::PasdKeys;
pub(crate) use config::PasdZoo;
use parts::Parts;
use set::{Drawn, PictureSet};

use crate::train::{Ground, Limits, Zoo};

/// Trains what is not trained yet and saves the checkpoints.
pub(crate) fn train(config: &PasdZoo, device: Device, limits: Limits) -> Result<()> {
    crate::train::train::<Pasd>(config, device, limits)
}

/// The networks in training.
struct Pasd {
    config: PasdZoo,
    pipeline: PasdPipeline,
    /// The text encoder's tensors by their full names.
    text: BTreeMap<String, Tensor>,
    /// States of no text, `[1, tokens, width]`; those of the prompt are the pipeline's.
    nothing: Tensor,
    device: Device,
}

impl Zoo for Pasd {
    type Keys = PasdKeys;
    /// Pictures to train on and to evaluate with.
    type Data = (PictureSet, Vec<Drawn>);
    const STAGE: &'static str = "pasd";

    fn build(ground: &Ground<'_, PasdKeys>) -> Result<Self> {
        let (config, keys, device) = (ground.config, &ground.config.keys, ground.device);
        let sizes = PasdSizes {
            unet: keys.unet.clone(),
            kind: PixelKind::Modules,
            conditioning: keys.conditioning.clone(),
            vae: VaeConfig::of(ground.frozen)?,
            text_encoder: keys.text_encoder.clone(),
        };
        config.check(&sizes.vae, tokenizer::vocabulary().len())?;
        // Drawn first and on the CPU: the same whatever device trains.
        let text = FreshSource::new(Device::Cpu);
        TextEncoder::new(
            &Scope::root(&text, "text_encoder"),
            keys.text_encoder.clone(),
        );
        let networks = sizes.build(&Parts {
            kept: ground.kept,
            text: &text,
            fresh: ground.fresh,
            device,
        });
        parts::start(&ground.fresh.variables());

        let settings = config.settings(PASD.info().name);
        let tokens = tokens(&config.work.join("tokenizer"), keys)?;
        let pipeline = PasdPipeline::of_networks(networks, &settings, &tokens[1], device)?;
        let nothing = tch::no_grad(|| {
            let encoder = &pipeline.networks().text_encoder;
            encoder.forward(&tokens[0].to_device(device))
        });
        Ok(Self {
            config: config.clone(),
            pipeline,
            text: text.variables(),
            nothing,
            device,
        })
    }

    fn data(&self) -> Result<Self::Data> {
        let vae = &self.pipeline.networks().vae;
        let set = PictureSet::open(&self.config, vae, self.device)?;
        let evaluation = &self.config.keys.evaluation;
        let drawn = |index| Drawn::of(evaluation.seed, index, &self.config);
        Ok((set, (0..evaluation.count).map(drawn).collect()))
    }

    fn loss(&self, (set, _): &Self::Data) -> Tensor {
        self.batch_loss(set)
    }

    fn evaluate(&self, (_, samples): &Self::Data, step: u64, stem: &Path) -> Result<()> {
        self.evaluate_all(samples, step, stem)
    }

    fn save_snapshot(&self, variables: &BTreeMap<String, Tensor>, step: u64) -> Result<PathBuf> {
        let root = self.snapshot_path(step);
        self.save_trained(&root, variables)?;
        Ok(root)
    }

    fn save_last(&self, variables: &BTreeMap<String, Tensor>, _step: u64) -> Result<PathBuf> {
        self.save_folder(variables)?;
        Ok(self.config.output.clone())
    }
}

/// Tokens of no text and of the prompt, `[1, length]` each. The tokenizer's files are written to `folder` for that.
fn tokens(folder: &Path, keys: &PasdKeys) -> Result<[Tensor; 2]> {
    tokenizer::write(folder)?;
    let tokenizer = Tokenizer::open(folder)?;
    let length = keys.text_encoder.max_position_embeddings as usize;
    Ok([
        tokenizer.batch(&[""], length)?,
        tokenizer.batch(&[&keys.prompt], length)?,
    ])
}

#[cfg(test)]
mod tests;
