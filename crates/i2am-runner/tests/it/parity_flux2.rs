//! Runs and records of a tiny FLUX.2 klein against the diffusers library.

use i2am_attribution::{AttentionRecord, KeyRole, LayerRecord};
use i2am_nets::flux2::{Placed, Sequence};
use i2am_nets::{NoProbe, Role};
use i2am_runner::RunnerError;
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use i2am_runner::families::{
    Flux2KleinConfig, Flux2KleinInputs, Flux2KleinPipeline, Generated, Pipeline as _, Request,
    Shown, SourceView, Task,
};
use i2am_runner::samplers::{Call, Denoiser, Sampler as _};
use i2am_testkit::{FixtureDir, Tensors, assert_close};
use tch::{Device, Kind, Tensor};

use crate::common::{close, shape, tensor, values};
use crate::flux2::{klein, load, model, noise, sample};
use crate::tryon_records::call;

/// Of the largest magnitude, in single passes and maps.
const PARTS: f64 = 1e-4;
/// And for whole runs.
const RUNS: f64 = 3e-4;

fn generate(fixture: &FixtureDir, config: &Flux2KleinConfig) -> Generated {
    let request = Request {
        noise: &noise(fixture),
        capture: None,
        on_step: &mut |_| {},
    };
    load(config).generate(&sample(fixture), request).unwrap()
}

/// `[1, channels, h, w]` as tokens.
fn tokens(latent: &Tensor) -> Tensor {
    latent.flatten(2, 3).transpose(1, 2)
}

#[test]
fn parity_distilled_runs() {
    for fixture in klein() {
        let (config, _files) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("sampling"));
        let done = generate(&fixture, &config);
        close(
            &name,
            &tokens(&done.latent),
            &golden,
            "distilled.final",
            RUNS,
        );
        let two = Flux2KleinConfig {
            images: vec![Shown::Reference, Shown::Warped],
            ..config
        };
        let done = generate(&fixture, &two);
        close(&name, &tokens(&done.latent), &golden, "two.final", RUNS);
    }
}

#[test]
fn parity_guided_run() {
    for fixture in klein() {
        let (config, _files) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("sampling"));
        let guidance = fixture.json("sampling")["config"]["guidance"].as_f64();
        let guided = Flux2KleinConfig {
            guidance: guidance.unwrap(),
            ..config
        };
        let done = generate(&fixture, &guided);
        close(&name, &tokens(&done.latent), &golden, "guided.final", RUNS);
        close(&name, &done.decoded, &golden, "guided.decoded", RUNS);
    }
}

/// Both strengths: as much of the way as leaves out a step, and all of it. The fixture shows the model the whole source.
#[test]
fn parity_inpainting() {
    for fixture in klein() {
        let _guard = tch::no_grad_guard();
        let (config, _files) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("sampling"));
        let part = fixture.json("sampling")["config"]["inpaint_strength"].as_f64();
        for (strength, run) in [(part.unwrap(), "inpaint"), (1.0, "inpaint_full")] {
            let config = Flux2KleinConfig {
                task: Task::Inpaint,
                images: vec![Shown::Source, Shown::Reference],
                source: SourceView::Whole,
                strength,
                ..config.clone()
            };
            let pipeline = load(&config);
            let times = golden.f32(&format!("{run}.t"));
            assert_eq!(pipeline.steps(), times.len(), "{name}: {run}");
            let done = generate(&fixture, &config);
            let latent = pipeline.networks().vae.unpack(&done.latent);
            close(&name, &latent, &golden, &format!("{run}.latent"), RUNS);
        }
        let inputs = Flux2KleinInputs::of(&sample(&fixture), &config).unwrap();
        let hole = inputs.token_hole().squeeze();
        close(&name, &hole, &golden, "inpaint.mask", 1e-6);
    }
}

/// A recorder with the fixture's masks, which are of the size of the tokens.
fn recorder(fixture: &FixtureDir, steps: usize) -> Recorder {
    let config = CaptureConfig {
        time_groups: 1,
        carried_sums: true,
        ..CaptureConfig::default()
    };
    let mask = |tensors: &Tensors, name: &str| {
        let size = shape(tensors, name);
        let mask = Tensor::from_slice(&tensors.u8(name)).ne(0);
        mask.to_kind(Kind::Float).reshape([1, 1, size[0], size[1]])
    };
    let masks = CaptureMasks {
        inpainting: Some(mask(&fixture.tensors("maps"), "hole")),
        reference: Some(mask(&fixture.tensors("inputs"), "reference_mask")),
    };
    Recorder::new(&config, ConditionalHalf::Whole, |_| true, masks, steps).unwrap()
}

/// The fixture's run with one reference, keeping what the sampler saw.
struct Run<'a> {
    pipeline: &'a Flux2KleinPipeline,
    texts: [Tensor; 2],
    reference: Tensor,
    sequence: Sequence,
    sigmas: Vec<f64>,
    guidance: f64,
    recorder: Recorder,
    latents: Vec<Tensor>,
    predicted: [Vec<Tensor>; 2],
}

impl<'a> Run<'a> {
    fn new(fixture: &FixtureDir, pipeline: &'a Flux2KleinPipeline, sigmas: Vec<f64>) -> Self {
        let (inputs, json) = (fixture.tensors("inputs"), fixture.json("sampling"));
        let config = &json["config"];
        let grid = |key: &str| {
            let side = |axis: usize| config[key][axis].as_i64().unwrap();
            (side(0), side(1))
        };
        let images = [
            ("generated_grid", Role::Generated, 0),
            ("reference_grid", Role::Reference(0), 10),
        ];
        let images = images.map(|(key, role, image)| Placed {
            role,
            grid: grid(key),
            image,
        });
        let texts = ["text.prompt", "text.negative"].map(|name| tensor(&inputs, name));
        let networks = pipeline.networks();
        let sizes = networks.transformer.config();
        let words = [(Role::Text, texts[0].size()[1])];
        Self {
            pipeline,
            reference: tokens(&tensor(&fixture.tensors("parts"), "vae.packed")),
            sequence: Sequence::new(sizes, &words, &images, Device::Cpu),
            recorder: recorder(fixture, sigmas.len()),
            guidance: config["guidance"].as_f64().unwrap(),
            texts,
            sigmas,
            latents: Vec::new(),
            predicted: [Vec::new(), Vec::new()],
        }
    }
}

impl Denoiser for Run<'_> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        self.recorder.begin(call)?;
        let sigma = self.sigmas[call.step];
        let own = tokens(x);
        let all = Tensor::cat(&[&own, &self.reference], 1);
        let transformer = &self.pipeline.networks().transformer;
        let (sequence, [prompt, negative]) = (&self.sequence, &self.texts);
        let with = transformer.forward(&all, prompt, sigma, sequence, &mut self.recorder);
        let without = transformer.forward(&all, negative, sigma, sequence, &mut NoProbe);
        self.latents.push(own);
        self.predicted[0].push(with.shallow_clone());
        self.predicted[1].push(without.shallow_clone());
        let velocity = &without + (with - &without) * self.guidance;
        Ok(velocity.transpose(1, 2).reshape(x.size()))
    }

    fn step_noise(&mut self, _step: usize, _like: &Tensor) -> Result<Tensor, RunnerError> {
        unreachable!("Euler steps add no noise")
    }
}

#[test]
fn parity_every_step_and_its_record() {
    for fixture in klein() {
        let _guard = tch::no_grad_guard();
        let (config, _files) = model(&fixture);
        let (name, golden) = (fixture.name(), fixture.tensors("sampling"));
        let pipeline = load(&config);
        let start = tensor(&fixture.tensors("inputs"), "noise.start");
        let size = start.size();
        let flow = config.sampler.build(size[2] * size[3], 1.0).unwrap();
        let steps = flow.timesteps().len();
        let sigmas: Vec<f64> = (0..=steps).map(|step| flow.sigma(step)).collect();
        let found: Vec<f32> = sigmas.iter().map(|&sigma| sigma as f32).collect();
        assert_close(&name, &found, &golden.f32("guided.sigmas"), 1e-6);
        let mut run = Run::new(&fixture, &pipeline, sigmas[..steps].to_vec());
        let done = flow.sample(start, &mut run).unwrap();
        let [with, without] = run.predicted.map(|rows| Tensor::cat(&rows, 0));
        let latents = Tensor::cat(&run.latents, 0);
        close(&name, &latents, &golden, "guided.x", RUNS);
        close(&name, &with, &golden, "guided.v_prompt", RUNS);
        close(&name, &without, &golden, "guided.v_negative", RUNS);
        close(&name, &tokens(&done), &golden, "guided.final", RUNS);
        let record = run.recorder.finish((size[2], size[3])).unwrap();
        compare(&fixture, &record, &golden, "record.", (RUNS, steps as f32));
    }
}

/// Everything that a record has of one pass.
#[test]
fn parity_recorded_attention() {
    for fixture in klein() {
        let _guard = tch::no_grad_guard();
        let (config, _files) = model(&fixture);
        let pipeline = load(&config);
        let single = fixture.tensors("single");
        let mut run = Run::new(&fixture, &pipeline, vec![f64::from(single.f32("t")[0])]);
        run.recorder.begin(call(0)).unwrap();
        let x = tensor(&single, "x");
        let transformer = &pipeline.networks().transformer;
        let sigma = run.sigmas[0];
        let probe = &mut run.recorder;
        let _ = transformer.forward(&x, &run.texts[0], sigma, &run.sequence, probe);
        let own = run.sequence.segments()[1].places.grid().unwrap();
        let record = run.recorder.finish(own).unwrap();
        record.validate().unwrap();
        compare(
            &fixture,
            &record,
            &fixture.tensors("maps"),
            "",
            (PARTS, 1.0),
        );
    }
}

/// The two rows of a split as their sum.
fn total(split: &[f32]) -> Vec<f32> {
    let (inside, outside) = split.split_at(split.len() / 2);
    inside.iter().zip(outside).map(|(a, b)| a + b).collect()
}

/// Compares what the fixture has, all of it or the sums of a run under names that begin with `prefix`.
fn compare(
    fixture: &FixtureDir,
    record: &AttentionRecord,
    golden: &Tensors,
    prefix: &str,
    (tolerance, steps): (f64, f32),
) {
    let sidecar = fixture.json("maps");
    let blocks = sidecar["blocks"].as_array().unwrap();
    assert_eq!(record.layers.len(), blocks.len());
    let mut compared = std::collections::BTreeMap::new();
    for (layer, block) in record.layers.iter().zip(blocks) {
        let block = block.as_str().unwrap();
        let (kind, index) = block.split_once('.').unwrap();
        let expected = match kind {
            "double" => format!("transformer_blocks.{index}.attn"),
            _ => format!("single_transformer_blocks.{index}.attn"),
        };
        assert_eq!(layer.name, expected);
        let carried = layer.carried.as_ref().unwrap();
        let share = layer.share.as_ref().unwrap();
        for (what, values) in [
            ("r2g", &layer.r2g),
            ("g2r", layer.g2r.as_ref().unwrap()),
            ("g2r_relative", layer.relative.as_ref().unwrap()),
            ("share_masked", share),
            ("share", &total(share)),
            ("carried_g2r", carried.g2r.as_ref().unwrap()),
            ("carried_share", &total(&carried.share)),
        ] {
            let name = format!("{prefix}{block}.{what}");
            if golden.contains(&name) {
                let title = format!("{}: {name}", fixture.name());
                assert_close(&title, values, &golden.f32(&name), tolerance);
                *compared.entry(what).or_insert(0) += 1;
            }
        }
        let title = format!("{}: {prefix}{block}", fixture.name());
        shares_of_all(
            &title,
            layer,
            &tensor(golden, &format!("{prefix}{block}.shares")),
            steps,
        );
        let reads = format!("{prefix}{block}.text_reads");
        if golden.contains(&reads) {
            let of_reference = tensor(golden, &reads).select(1, 2);
            let mean = values(&of_reference.mean_dim([1_i64].as_slice(), false, Kind::Float));
            assert_eq!(layer.readers.len(), 1);
            assert_eq!(layer.readers[0].role, KeyRole::Text);
            assert_close(&title, &layer.readers[0].share, &mean, tolerance);
            *compared.entry("text_reads").or_insert(0) += 1;
        }
    }
    for what in ["r2g", "g2r"] {
        assert_eq!(compared[what], blocks.len(), "{prefix}*.{what}");
    }
    if prefix.is_empty() {
        assert_eq!(compared["text_reads"], blocks.len());
        assert_eq!(compared.len(), 8, "{compared:?}");
    }
}

/// `shares` `[heads, (text, generated, reference), H, W]`.
fn shares_of_all(title: &str, layer: &LayerRecord, shares: &Tensor, steps: f32) {
    let own = values(&shares.select(1, 2));
    assert_close(title, &total(layer.share.as_ref().unwrap()), &own, RUNS);
    let mean = shares.mean_dim([2_i64, 3].as_slice(), false, Kind::Float);
    let other = |role: KeyRole| {
        let other = layer.others.iter().find(|other| other.role == role);
        &other.unwrap().share
    };
    assert_eq!(layer.others.len(), 2, "{title}");
    for (index, role) in [KeyRole::Text, KeyRole::Generated].into_iter().enumerate() {
        let expected = values(&mean.select(1, index as i64));
        assert_close(&format!("{title}: {role}"), other(role), &expected, RUNS);
    }
    let of_reference = values(&mean.select(1, 2));
    for (head, own) in of_reference.iter().enumerate() {
        let all = own + other(KeyRole::Text)[head] + other(KeyRole::Generated)[head];
        assert!((all - steps).abs() < 1e-4, "{title}: head {head}: {all}");
    }
}
