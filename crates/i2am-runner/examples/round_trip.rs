//! Runs a checkpoint of this project on one drawn sample and writes everything that another program needs to repeat it:
//!
//!     cargo run --release -p i2am-runner --example round_trip -- CHECKPOINT OUT.safetensors [STEPS]
//!
//! `scripts/golden/diffusers_round_trip.py compare CHECKPOINT OUT.safetensors` then does so with the Python library.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use i2am_datasets::Sample;
use i2am_runner::families::{
    Model as _, PaintByExampleConfig, PaintByExamplePipeline, Pipeline as _, Preprocess, Request,
};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::{SamplerConfig, SamplerKind};
use i2am_runner::schedule::Spacing;
use tch::{Device, Kind, Tensor};

const SEED: u64 = 77;
const STEPS: u32 = 20;
const GUIDANCE: f64 = 5.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (checkpoint, out, steps) = match &arguments[..] {
        [checkpoint, out] => (checkpoint, out, STEPS),
        [checkpoint, out, steps] => (checkpoint, out, steps.parse()?),
        _ => return Err("usage: round_trip CHECKPOINT OUT.safetensors [STEPS]".into()),
    };
    let config = PaintByExampleConfig {
        sampler: SamplerConfig {
            kind: SamplerKind::Plms,
            steps,
            spacing: Spacing::Diffusers,
            eta: 0.0,
        },
        guidance: GUIDANCE,
        preprocess: Some(Preprocess::Diffusers),
        ..PaintByExampleConfig::new("round-trip", checkpoint.into())
    };
    // About 3 wide to 4 high, which is what the drawings are laid out for, in sizes that small networks can halve.
    let size = config.check(None)?.size;
    let (height, _) = size.ok_or("expected a model of a fixed size")?;
    let width = height * 3 / 4 / 16 * 16;
    let config = PaintByExampleConfig {
        size: Some([height, width]),
        ..config
    };

    let drawn = i2am_synth::render(SEED, 0, height as usize, width as usize);
    let sample = Sample {
        id: "drawn".to_owned(),
        image: drawn.person,
        mask: drawn.agnostic_mask,
        reference: drawn.garment,
        ..Sample::default()
    };
    let pipeline = PaintByExamplePipeline::load(&config, Device::Cpu)?;
    let vae = pipeline.networks().vae.config();
    let latent = [
        1,
        vae.latent_channels,
        height / vae.factor(),
        width / vae.factor(),
    ];
    let noise = draw(&["start", "posterior.masked_image"], &latent)?;
    let given = noise
        .iter()
        .map(|(purpose, tensor)| (purpose.clone(), tensor.shallow_clone()))
        .collect();
    let request = Request {
        noise: &NoiseSource::Injected(given),
        capture: None,
        on_step: &mut |_| {},
    };
    let done = pipeline.generate(&sample, request)?;

    let picture = |raw: &[u8], size: (u32, u32), channels: &[i64]| {
        let shape: Vec<i64> = [i64::from(size.1), i64::from(size.0)]
            .iter()
            .chain(channels)
            .copied()
            .collect();
        Tensor::from_slice(raw).reshape(shape)
    };
    let tensors = [
        (
            "image",
            picture(sample.image.as_raw(), sample.image.dimensions(), &[3]),
        ),
        (
            "mask",
            picture(sample.mask.as_raw(), sample.mask.dimensions(), &[]),
        ),
        (
            "reference",
            picture(
                sample.reference.as_raw(),
                sample.reference.dimensions(),
                &[3],
            ),
        ),
        ("noise.start", noise["start"].shallow_clone()),
        (
            "noise.posterior",
            noise["posterior.masked_image"].shallow_clone(),
        ),
        ("steps", Tensor::from(i64::from(steps))),
        ("guidance", Tensor::from(GUIDANCE)),
        ("latents", done.latent.contiguous().to_kind(Kind::Float)),
        (
            "picture",
            picture(done.image.as_raw(), done.image.dimensions(), &[3]),
        ),
    ];
    Tensor::write_safetensors(&tensors, Path::new(out))?;
    Ok(())
}

/// The noise of a run, drawn ahead of it so that it can be written down.
fn draw(purposes: &[&str], shape: &[i64]) -> Result<BTreeMap<String, Tensor>, Box<dyn Error>> {
    let source = NoiseSource::Seeded {
        seed: SEED,
        dataset: "round-trip".to_owned(),
        sample: "drawn".to_owned(),
    };
    let named = |purpose: &&str| Ok(((*purpose).to_owned(), source.draw(purpose, shape)?));
    purposes.iter().map(named).collect()
}
