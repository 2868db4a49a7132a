//! The networks and runs of a tiny `CatVTON` against the published code.

use i2am_nets::{AttentionProbe, Context, Joint, NoProbe};
use i2am_runner::RunnerError;
use i2am_runner::capture::{InterveneConfig, Region};
use i2am_runner::families::{
    CatVtonConfig, CatVtonInputs, CatVtonPipeline, CatVtonPreprocess, Pipeline as _, Request,
};
use i2am_runner::samplers::{Call, Denoiser, SamplerConfig};
use i2am_runner::schedule::Schedule;
use i2am_testkit::{FixtureDir, Tensors};
use tch::Tensor;

use crate::catvton::{attention, catvton, load, model, noise, sample, write_attention};
use crate::common::{Blocks, close, rgb, tensor};
use crate::tryon_records::{PerGrid, call, compare};

/// Of the largest magnitude.
const PARTS: f64 = 5e-5;
/// And for whole runs.
const RUNS: f64 = 2e-4;
/// The row of a batch that sees the garment.
const WITH: i64 = 1;

/// The fixture's call of the UNet, seen by `probe`.
fn predict(pipeline: &CatVtonPipeline, golden: &Tensors, probe: &mut dyn AttentionProbe) -> Tensor {
    let x9 = tensor(golden, "x9");
    let channels = pipeline.networks().vae.config().latent_channels;
    let x = x9.narrow(0, 0, 1).narrow(1, 0, channels);
    let fixed = x9.narrow(1, channels, x9.size()[1] - channels);
    let context = Context::joint(Joint::LowerHalf);
    let t = golden.i64("t")[0];
    pipeline.networks().predict(&x, &fixed, t, &context, probe)
}

#[test]
fn parity_inputs() {
    for fixture in catvton() {
        let _guard = tch::no_grad_guard();
        let (config, _files) = model(&fixture);
        let golden = fixture.tensors("single");
        let noises = fixture.tensors("inputs");
        let name = fixture.name();
        let pipeline = load(&config);
        let vae = &pipeline.networks().vae;
        let [height, width] = config.size;
        let inputs = CatVtonInputs::of(
            &sample(&fixture),
            CatVtonPreprocess::Script,
            (height, width),
        )
        .unwrap();
        let hole = inputs.latent_hole(vae.config().factor());
        close(&name, &hole, &golden, "mask", 0.0);
        let masked = inputs.masked_person();
        close(&name, &vae.moments(&masked), &golden, "vae.moments", PARTS);
        let latent = |picture: &Tensor, noise: &str| {
            let posterior = vae.encode(picture);
            posterior.sample(&tensor(&noises, noise)) * vae.config().scaling_factor
        };
        let person = latent(&masked, "noise.masked_person");
        close(&name, &person, &golden, "z_masked_person", PARTS);
        let garment = latent(&inputs.garment, "noise.garment");
        close(&name, &garment, &golden, "z_garment", PARTS);
        let decoded = vae.decode(&tensor(&golden, "vae.z"));
        close(&name, &decoded, &golden, "vae.decoded", PARTS);
    }
}

#[test]
fn parity_noise_and_blocks() {
    for fixture in catvton() {
        let _guard = tch::no_grad_guard();
        let (config, _files) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("single"));
        let mut blocks = Blocks::default();
        let eps = predict(&load(&config), &golden, &mut blocks);
        close(&name, &eps, &golden, "eps", PARTS);
        for (block, expected) in [
            ("time_embedding", "out.time_embedding"),
            ("down_blocks.0.0", "out.down_blocks.0.attentions.0"),
            ("down_blocks.3.1", "out.down_blocks.3.resnets.1"),
            ("mid_block", "out.mid_block"),
            ("up_blocks.1.2", "out.up_blocks.1.attentions.2"),
            ("up_blocks.2.0", "out.up_blocks.2.attentions.0"),
            ("up_blocks.3.2", "out.up_blocks.3.attentions.2"),
        ] {
            let output = &blocks.below(block)[0];
            close(&name, &output.narrow(0, WITH, 1), &golden, expected, PARTS);
        }
    }
}

/// What the layers show is what the published attention has.
#[test]
fn parity_recorded_attention() {
    for fixture in catvton() {
        let _guard = tch::no_grad_guard();
        let (config, _files) = model(&fixture);
        let mut probe = PerGrid::new(&fixture, 1, InterveneConfig::default());
        probe.begin(call(0));
        let _ = predict(&load(&config), &fixture.tensors("single"), &mut probe);
        let golden = fixture.tensors("maps");
        compare(&fixture, &probe.finish(), &golden, "", (PARTS, 1.0));
    }
}

/// Every self-attention obeys, the one in the middle too.
#[test]
fn parity_blocked_garment() {
    for fixture in catvton() {
        let _guard = tch::no_grad_guard();
        let (config, _files) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("single"));
        let pipeline = load(&config);
        for (region, expected) in [
            (Region::Reference, "eps.blocked_all"),
            (Region::InsideReferenceMask, "eps.blocked_inside"),
            (Region::OutsideReferenceMask, "eps.blocked_outside"),
        ] {
            let mut probe = PerGrid::forbidding(&fixture, region);
            let eps = predict(&pipeline, &golden, &mut probe);
            close(&name, &eps, &golden, expected, PARTS);
        }
    }
}

fn generate(fixture: &FixtureDir, config: &CatVtonConfig) -> i2am_runner::families::Generated {
    let request = Request {
        noise: &noise(fixture),
        capture: None,
        on_step: &mut |_| {},
    };
    load(config).generate(&sample(fixture), request).unwrap()
}

fn person_of(latent: &Tensor) -> Tensor {
    latent.narrow(2, 0, latent.size()[2] / 2)
}

/// From pictures to picture.
#[test]
fn parity_whole_run() {
    for fixture in catvton() {
        let (config, _files) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("sampling"));
        let done = generate(&fixture, &config);
        close(&name, &done.latent, &golden, "ddim.final", RUNS);
        close(&name, &done.decoded, &golden, "ddim.decoded", RUNS);
        let expected = rgb(&golden, "ddim.image_u8");
        let off = |(a, b): (&u8, &u8)| a.abs_diff(*b);
        let pairs = done.image.as_raw().iter().zip(expected.as_raw());
        assert!(pairs.map(off).max().unwrap() <= 1);
    }
}

#[test]
fn parity_without_noise_and_without_guidance() {
    for fixture in catvton() {
        let (config, _files) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("sampling"));
        let still = CatVtonConfig {
            sampler: SamplerConfig {
                eta: 0.0,
                ..config.sampler.clone()
            },
            ..config.clone()
        };
        let done = generate(&fixture, &still);
        let expected = "ddim_eta0.final_person";
        close(&name, &person_of(&done.latent), &golden, expected, RUNS);
        let unguided = CatVtonConfig {
            guidance: 1.0,
            ..config
        };
        let done = generate(&fixture, &unguided);
        let expected = "ddim_scale1.final_person";
        close(&name, &person_of(&done.latent), &golden, expected, RUNS);
    }
}

/// The fixture's run, keeping what the sampler saw.
struct Run<'a> {
    pipeline: &'a CatVtonPipeline,
    fixed: Tensor,
    context: Context,
    guidance: f64,
    noises: Tensor,
    probe: PerGrid,
    visited: Vec<i64>,
    latents: Vec<Tensor>,
    predicted: [Vec<Tensor>; 2],
}

impl Denoiser for Run<'_> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        let (networks, t) = (self.pipeline.networks(), call.timestep);
        self.probe.begin(call);
        let probe = &mut self.probe;
        let rows = networks.predict(x, &self.fixed, t, &self.context, probe);
        let [without, with] = [0, 1].map(|row| rows.narrow(0, row, 1));
        self.visited.push(t);
        self.latents.push(x.shallow_clone());
        self.predicted[0].push(without.shallow_clone());
        self.predicted[1].push(with.shallow_clone());
        Ok(&without + (with - &without) * self.guidance)
    }

    fn step_noise(&mut self, step: usize, _like: &Tensor) -> Result<Tensor, RunnerError> {
        Ok(self.noises.narrow(0, step as i64, 1))
    }
}

#[test]
fn parity_every_step() {
    for fixture in catvton() {
        let _guard = tch::no_grad_guard();
        let (config, _files) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("sampling"));
        let (pipeline, inputs) = (load(&config), fixture.tensors("inputs"));
        let x9 = tensor(&fixture.tensors("single"), "x9");
        let channels = pipeline.networks().vae.config().latent_channels;
        let sampler = config.sampler.build(&Schedule::default()).unwrap();
        let steps = sampler.timesteps().len();
        let mut run = Run {
            pipeline: &pipeline,
            fixed: x9.narrow(1, channels, x9.size()[1] - channels),
            context: Context::joint(Joint::LowerHalf),
            guidance: config.guidance,
            noises: tensor(&inputs, "noise.step"),
            probe: PerGrid::new(&fixture, steps, InterveneConfig::default()),
            visited: Vec::new(),
            latents: Vec::new(),
            predicted: [Vec::new(), Vec::new()],
        };
        let start = tensor(&inputs, "noise.start");
        let done = sampler.sample(start, &mut run).unwrap();
        assert_eq!(run.visited, golden.i64("ddim.timesteps"));
        let [without, with] = run.predicted.map(|rows| Tensor::cat(&rows, 0));
        let latents = Tensor::cat(&run.latents, 0);
        close(&name, &latents, &golden, "ddim.x", RUNS);
        close(&name, &without, &golden, "ddim.eps_without", RUNS);
        close(&name, &with, &golden, "ddim.eps_with", RUNS);
        close(&name, &done, &golden, "ddim.final", RUNS);
        let records = run.probe.finish();
        compare(&fixture, &records, &golden, "record.", (RUNS, steps as f32));
    }
}

/// The layers of one width are interchangeable by shape; the golden values are not. The largest change of the fixture's own exchanges
/// is 0.3 and more of the noise.
#[test]
fn an_exchange_of_layers_of_one_width_is_another_model() {
    for fixture in catvton() {
        let _guard = tch::no_grad_guard();
        let (config, files) = model(&fixture);
        let golden = fixture.tensors("single");
        let expected = tensor(&golden, "eps");
        for (one, other) in [(32, 40), (48, 120)] {
            let exchanged = attention(&fixture)
                .into_iter()
                .map(|(name, stored)| {
                    let (number, rest) = name.split_once('.').unwrap();
                    let number: usize = number.parse().unwrap();
                    let number = match number {
                        _ if number == one => other,
                        _ if number == other => one,
                        _ => number,
                    };
                    (format!("{number}.{rest}"), stored)
                })
                .collect();
            let config = CatVtonConfig {
                attention: write_attention(files.path(), &exchanged),
                ..config.clone()
            };
            let eps = predict(&load(&config), &golden, &mut NoProbe);
            let off = (eps - &expected).abs().max() / expected.abs().max();
            let off = off.double_value(&[]);
            assert!(off > 0.05, "layers {one} and {other}: {off}");
        }
    }
}

/// What the guided pass has for no garment is the garment's latent at zero, to the last bit.
#[test]
fn a_zero_garment_is_no_garment() {
    for fixture in catvton() {
        let _guard = tch::no_grad_guard();
        let (config, _files) = model(&fixture);
        let (pipeline, golden) = (load(&config), fixture.tensors("single"));
        let x9 = tensor(&golden, "x9");
        let half = x9.size()[2] / 2;
        let [without, with] = [0, 1].map(|row| x9.narrow(0, row, 1));
        let zeroed = with.copy();
        let _ = zeroed.narrow(1, 5, 4).narrow(2, half, half).zero_();
        assert!(zeroed.equal(&without));
        assert!(!with.equal(&without));
        let context = Context::joint(Joint::LowerHalf);
        let predict = |row: &Tensor| {
            let (x, fixed) = (row.narrow(1, 0, 4), row.narrow(1, 4, 5));
            let networks = pipeline.networks();
            networks.predict(&x, &fixed, golden.i64("t")[0], &context, &mut NoProbe)
        };
        assert!(predict(&zeroed).equal(&predict(&without)));
        assert!(!predict(&with).equal(&predict(&without)));
    }
}
