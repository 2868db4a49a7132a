//! Trains a small Paint-by-Example: from nothing, in three stages (autoencoder, reference encoder, UNet), or the UNet alone around
//! networks of an earlier training.

mod config;
mod data;
mod diffusion;
mod export;
mod reference;
mod unet_only;
mod vae;

use anyhow::Result;
use i2am_nets::{FreshSource, Scope};
use tch::Device;

pub(crate) use config::{PaintByExampleZoo, UNetZoo};
use data::TrainingSet;

use crate::init::start_as_identity;
use crate::train::{Limits, say_saved};
use crate::trainer::{Place, Trainer};

/// Decay of the averages in the first two stages.
const FIRST_DECAY: f64 = 0.995;

/// Trains the UNet alone; see [`UNetZoo`].
pub(crate) fn train_unet(config: &UNetZoo, device: Device, limits: Limits) -> Result<()> {
    crate::train::train::<unet_only::UNetOnly>(config, device, limits)
}

/// Trains what is not trained yet and saves the checkpoint.
pub(crate) fn train(config: &PaintByExampleZoo, device: Device, limits: Limits) -> Result<()> {
    i2am_files::create_dir(&config.work)?;
    let deadline = limits.deadline();
    let place = Place {
        work: &config.work,
        seed: config.seed,
    };
    tch::manual_seed(config.seed as i64);
    let source = FreshSource::new(device);
    let reference_size = config.reference.net.image_size as usize;
    let set = TrainingSet::draw(&config.data, reference_size);

    let autoencoder =
        i2am_nets::vae::Vae::new(&Scope::root(&source, "vae"), config.vae.net.clone());
    start_as_identity(
        &source.variables(),
        "vae",
        &["conv2.weight", "to_out.0.weight"],
    );
    vae::start_certain(&source.variables());
    let schedule = &config.vae.schedule;
    let mut trainer = Trainer::open(place, "vae", source.variables(), schedule, FIRST_DECAY)?;
    let stage = vae::Stage {
        vae: &autoencoder,
        set: &set,
        config: &config.vae,
        device,
    };
    if !trainer.complete(deadline, limits.wanted(&stage))? {
        return Ok(());
    }
    let vae_variables = source.variables();

    let networks = diffusion::Networks::new(&source, &config.diffusion.unet, &config.reference.net);
    let mut variables = source.variables();
    variables.retain(|name, _| !vae_variables.contains_key(name));
    start_as_identity(&variables, "unet", &["conv2.weight", "proj_out.weight"]);
    let head = reference::Head::new(
        &Scope::root(&source, "reference_head"),
        config.reference.net.projection_dim,
    );
    let mut describing = source.variables();
    describing.retain(|name, _| {
        name.starts_with("image_encoder.") || name.starts_with("reference_head.")
    });
    let schedule = &config.reference.schedule;
    let mut trainer = Trainer::open(place, "reference", describing, schedule, FIRST_DECAY)?;
    let stage = reference::Stage {
        encoder: &networks.image_encoder,
        head: &head,
        set: &set,
        config: &config.reference,
        device,
    };
    if !trainer.complete(deadline, limits.wanted(&stage))? {
        return Ok(());
    }

    let (decay, schedule) = (config.diffusion.average_decay, &config.diffusion.schedule);
    let mut trainer = Trainer::open(place, "diffusion", variables, schedule, decay)?;
    let latents = diffusion::Latents::encode(&autoencoder, None, &set, device);
    let scaling_factor = latents.unit_scale();
    let stage = diffusion::Stage {
        networks: &networks,
        autoencoder: &autoencoder,
        latents: &latents,
        scaling_factor,
        set: &set,
        config: &config.diffusion,
        device,
    };
    trainer.complete(deadline, limits.wanted(&stage))?;
    let variables = source.variables();
    export::save(config, &variables, scaling_factor)?;
    say_saved(&config.name, &config.output, &variables, trainer.step());
    Ok(())
}
