//! Trains a small PASD: UNet with pixel attentions and `ControlNet` around a frozen autoencoder and a frozen text encoder.

mod card;
mod config;
mod export;
mod locality;
mod parts;
mod set;
mod stage;
mod tokenizer;

use std::path::Path;

use anyhow::Result;
use i2am_nets::text_encoder::TextEncoder;
use i2am_nets::unet::PixelKind;
use i2am_nets::vae::VaeConfig;
use i2am_nets::{CheckpointSource, FreshSource, Precision, Scope};
use i2am_runner::families::{Family as _, PASD, PasdPipeline, PasdSizes, Tokenizer};
use tch::{Device, Tensor};

pub(crate) use config::PasdZoo;
use export::Exporter;
use parts::Parts;
use set::{Drawn, PictureSet};
use stage::Stage;

use crate::frozen::{identity, open_folder};
use crate::train::Limits;
use crate::trainer::{Place, Trainer};

/// Trains what is not trained yet and saves the checkpoints.
pub(crate) fn train(config: &PasdZoo, device: Device, limits: Limits) -> Result<()> {
    i2am_files::create_dir(&config.work)?;
    let deadline = limits.deadline();
    // Its autoencoder's files are copied at the end; that must not be found out then.
    let frozen = open_folder(&config.frozen)?;
    let sizes = PasdSizes {
        unet: config.unet.clone(),
        kind: PixelKind::Modules,
        conditioning: config.conditioning.clone(),
        vae: VaeConfig::of(&frozen)?,
        text_encoder: config.text_encoder.clone(),
    };
    config.check(&sizes.vae, tokenizer::vocabulary().len())?;

    tch::manual_seed(config.seed as i64);
    let kept = CheckpointSource::new(&frozen, Precision::F32, device);
    // Drawn first and on the CPU: the same whatever device trains.
    let text = FreshSource::new(Device::Cpu);
    TextEncoder::new(
        &Scope::root(&text, "text_encoder"),
        config.text_encoder.clone(),
    );
    let fresh = FreshSource::new(device);
    let networks = sizes.build(&Parts {
        kept: &kept,
        text: &text,
        fresh: &fresh,
        device,
    });
    kept.finish()?;
    let (variables, text) = (fresh.variables(), text.variables());
    parts::start(&variables);

    let identity = identity(&frozen)?;
    let set = PictureSet::open(config, &networks.vae, &identity, device)?;
    let drawn = |index| Drawn::of(config.evaluation.seed, index, config);
    let evaluation: Vec<Drawn> = (0..config.evaluation.count).map(drawn).collect();
    let settings = config.settings(PASD.info().name);
    let tokens = tokens(&config.work.join("tokenizer"), config)?;
    let pipeline = PasdPipeline::of_networks(networks, &settings, &tokens[1], device)?;
    let nothing = tch::no_grad(|| {
        let encoder = &pipeline.networks().text_encoder;
        encoder.forward(&tokens[0].to_device(device))
    });

    let exporter = Exporter {
        config,
        sizes: &sizes,
        frozen: &frozen,
        variables: &variables,
        text: &text,
    };
    let place = Place {
        work: &config.work,
        seed: config.seed,
    };
    let (decay, schedule) = (config.loss.average_decay, &config.schedule);
    let mut trainer = Trainer::open(place, "pasd", fresh.variables(), schedule, decay)?;
    if !limits.export_only {
        let stage = Stage {
            pipeline: &pipeline,
            nothing: &nothing,
            set: &set,
            evaluation: &evaluation,
            config,
            exporter: &exporter,
            device,
        };
        if !trainer.run(deadline, &stage)? {
            trainer.say_stopped();
        }
    }
    trainer.adopt_averages();
    exporter.save_folder(trainer.step())
}

/// Tokens of no text and of the prompt, `[1, length]` each. The tokenizer's files are written to `folder` for that.
fn tokens(folder: &Path, config: &PasdZoo) -> Result<[Tensor; 2]> {
    tokenizer::write(folder)?;
    let tokenizer = Tokenizer::open(folder)?;
    let length = config.text_encoder.max_position_embeddings as usize;
    Ok([
        tokenizer.batch(&[""], length)?,
        tokenizer.batch(&[&config.prompt], length)?,
    ])
}

#[cfg(test)]
mod tests;
