//! The networks and runs of a tiny Leffa against the published code.

use std::collections::BTreeMap;

use i2am_runner::RunnerError;
use i2am_runner::capture::InterveneConfig;
use i2am_runner::families::{
    Generated, LeffaConfig, LeffaInputs, LeffaPipeline, Pipeline as _, ReferenceFeatures, Request,
};
use i2am_runner::samplers::{Call, Denoiser, SamplerConfig};
use i2am_runner::schedule::Schedule;
use i2am_testkit::{FixtureDir, Tensors};
use tch::Tensor;

use crate::catvton::{noise, sample};
use crate::common::{Blocks, close, rgb, tensor};
use crate::leffa::{leffa, load, model};
use crate::tryon_records::{PerGrid, call, compare};

/// Of the largest magnitude.
const PARTS: f64 = 3e-4;
/// And for whole runs, where guidance with rescaling amplifies rounding.
const RUNS: f64 = 1e-3;
/// The row of a batch that sees the garment.
const WITH: i64 = 1;

/// What both rows read of the garment.
fn features(
    fixture: &FixtureDir,
    config: &LeffaConfig,
    golden: &Tensors,
) -> BTreeMap<String, Tensor> {
    assert_eq!(fixture.tensors("single").i64("t"), golden.i64("t"));
    let reference = tensor(golden, "reference");
    load(config)
        .networks()
        .features(&reference, golden.i64("t")[0])
}

#[test]
fn parity_inputs() {
    for fixture in leffa() {
        let _guard = tch::no_grad_guard();
        let (config, _file) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("single"));
        let noises = fixture.tensors("inputs");
        let pipeline = load(&config);
        let vae = &pipeline.networks().vae;
        let inputs = LeffaInputs::of(&sample(&fixture), config.size.into()).unwrap();
        let latent = |picture: &Tensor, noise: &str| {
            let posterior = vae.encode(picture);
            posterior.sample(&tensor(&noises, noise)) * vae.config().scaling_factor
        };
        let person = latent(&inputs.masked_person(), "noise.masked_person");
        close(&name, &person, &golden, "z_masked_person", PARTS);
        let garment = latent(&inputs.garment, "noise.garment");
        close(&name, &garment, &golden, "z_garment", PARTS);
        let rows = Tensor::cat(&[garment.zeros_like(), garment], 0);
        close(&name, &rows, &golden, "reference", PARTS);
        // The order of the channels that follow those of the latent.
        let x12 = tensor(&golden, "x12");
        let [hole, pose] = inputs.latent_maps(vae.config().factor());
        let latent = x12.narrow(0, 0, 1).narrow(1, 0, person.size()[1]);
        let x = Tensor::cat(&[latent, hole, person, pose], 1).repeat([2, 1, 1, 1]);
        close(&name, &x, &golden, "x12", PARTS);
    }
}

#[test]
fn parity_features() {
    for fixture in leffa() {
        let _guard = tch::no_grad_guard();
        let (config, _file) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("single"));
        let features = features(&fixture, &config, &golden);
        // In the order in which they run.
        let sidecar = fixture.json("maps");
        let layers = sidecar["layers"].as_array().unwrap();
        assert_eq!(features.len(), layers.len());
        let mut compared = 0;
        for (i, layer) in layers.iter().enumerate() {
            let expected = format!("feature.{i:02}");
            if golden.contains(&expected) {
                let feature = &features[layer.as_str().unwrap()];
                close(&name, feature, &golden, &expected, PARTS);
                compared += 1;
            }
        }
        assert!(compared > 5, "{compared}");
    }
}

#[test]
fn parity_noise_and_blocks() {
    for fixture in leffa() {
        let _guard = tch::no_grad_guard();
        let (config, _file) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("single"));
        let features = features(&fixture, &config, &golden);
        let input = tensor(&golden, "x12").narrow(0, 0, 1);
        let mut blocks = Blocks::default();
        let t = golden.i64("t")[0];
        let eps = load(&config)
            .networks()
            .predict(&input, features, t, &mut blocks);
        close(&name, &eps, &golden, "eps", PARTS);
        for (block, expected) in [
            ("mid_block", "out.mid_block"),
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
    for fixture in leffa() {
        let _guard = tch::no_grad_guard();
        let (config, _file) = model(&fixture);
        let golden = fixture.tensors("single");
        let features = features(&fixture, &config, &golden);
        let input = tensor(&golden, "x12").narrow(0, 0, 1);
        let mut probe = PerGrid::new(&fixture, 1, InterveneConfig::default());
        probe.begin(call(0));
        let (pipeline, t) = (load(&config), golden.i64("t")[0]);
        let networks = pipeline.networks();
        let _ = networks.predict(&input, features, t, &mut probe);
        let golden = fixture.tensors("maps");
        compare(&fixture, &probe.finish(), &golden, "", (PARTS, 1.0));
    }
}

/// The fixture's run, keeping what the sampler saw.
struct Run<'a> {
    pipeline: &'a LeffaPipeline,
    fixed: Tensor,
    reference: Tensor,
    scale: f64,
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
        let features = networks.features(&self.reference, t);
        let input = Tensor::cat(&[x, &self.fixed], 1);
        let rows = networks.predict(&input, features, t, &mut self.probe);
        let [without, with] = [0, 1].map(|row| rows.narrow(0, row, 1));
        self.visited.push(t);
        self.latents.push(x.shallow_clone());
        self.predicted[0].push(without.shallow_clone());
        self.predicted[1].push(with.shallow_clone());
        let guided = &without + (&with - &without) * self.scale;
        let rescaled = &guided * (with.std(true) / guided.std(true));
        Ok(rescaled * self.scale + guided * (1.0 - self.scale))
    }

    fn step_noise(&mut self, step: usize, _like: &Tensor) -> Result<Tensor, RunnerError> {
        Ok(self.noises.narrow(0, step as i64, 1))
    }
}

#[test]
fn parity_every_step() {
    for fixture in leffa() {
        let _guard = tch::no_grad_guard();
        let (config, _file) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("sampling"));
        let (pipeline, inputs) = (load(&config), fixture.tensors("inputs"));
        let single = fixture.tensors("single");
        let x12 = tensor(&single, "x12").narrow(0, 0, 1);
        let channels = pipeline.networks().vae.config().latent_channels;
        let sampler = config.sampler.build(&Schedule::default()).unwrap();
        let steps = sampler.timesteps().len();
        let mut run = Run {
            pipeline: &pipeline,
            fixed: x12.narrow(1, channels, x12.size()[1] - channels),
            reference: tensor(&single, "reference"),
            scale: config.guidance,
            noises: tensor(&inputs, "noise.step"),
            probe: PerGrid::new(&fixture, steps, InterveneConfig::default()),
            visited: Vec::new(),
            latents: Vec::new(),
            predicted: [Vec::new(), Vec::new()],
        };
        let start = tensor(&inputs, "noise.start");
        let done = sampler.sample(start, &mut run).unwrap();
        assert_eq!(run.visited, golden.i64("ddpm.timesteps"));
        let [without, with] = run.predicted.map(|rows| Tensor::cat(&rows, 0));
        let latents = Tensor::cat(&run.latents, 0);
        close(&name, &latents, &golden, "ddpm.x", RUNS);
        close(&name, &without, &golden, "ddpm.eps_without", RUNS);
        close(&name, &with, &golden, "ddpm.eps_with", RUNS);
        close(&name, &done, &golden, "ddpm.final", RUNS);
        let records = run.probe.finish();
        compare(&fixture, &records, &golden, "record.", (RUNS, steps as f32));
    }
}

fn generate(fixture: &FixtureDir, config: &LeffaConfig) -> Generated {
    let request = Request {
        noise: &noise(fixture),
        capture: None,
        on_step: &mut |_| {},
    };
    load(config).generate(&sample(fixture), request).unwrap()
}

/// From pictures to picture.
#[test]
fn parity_whole_run() {
    for fixture in leffa() {
        let (config, _file) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("sampling"));
        let sampler = load(&config).steps();
        assert_eq!(sampler, golden.i64("ddpm.timesteps").len());
        let done = generate(&fixture, &config);
        close(&name, &done.latent, &golden, "ddpm.final", RUNS);
        close(&name, &done.decoded, &golden, "ddpm.decoded", RUNS);
        let expected = rgb(&golden, "ddpm.image_u8");
        let off = |(a, b): (&u8, &u8)| a.abs_diff(*b);
        let pairs = done.image.as_raw().iter().zip(expected.as_raw());
        assert!(pairs.map(off).max().unwrap() <= 1);
    }
}

/// In a run of one step the step in the middle is the only one; in a longer run features of one timestep are others.
#[test]
fn features_that_are_computed_once_are_of_the_step_in_the_middle() {
    for fixture in leffa() {
        let (config, _file) = model(&fixture);
        let run = |steps: u32, reference_features: ReferenceFeatures| {
            let config = LeffaConfig {
                sampler: SamplerConfig {
                    steps,
                    ..config.sampler.clone()
                },
                reference_features,
                ..config.clone()
            };
            generate(&fixture, &config).latent
        };
        let [every, once] = [ReferenceFeatures::EveryStep, ReferenceFeatures::Once];
        assert!(run(1, every).equal(&run(1, once)));
        let off = (run(5, every) - run(5, once)).abs().max();
        assert!(off.double_value(&[]) > 1e-4);
    }
}
