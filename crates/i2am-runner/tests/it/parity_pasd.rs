//! The networks and runs of a tiny PASD against the published code.

use i2am_nets::{AttentionProbe, Context, NoProbe, Observation};
use i2am_runner::RunnerError;
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use i2am_runner::families::{PasdDenoiser, SecondNoise, start_latent};
use i2am_runner::samplers::{Call, Denoiser, SamplerConfig, SamplerKind};
use i2am_runner::schedule::{Schedule, Spacing, timesteps};
use i2am_testkit::{FixtureDir, Tensors, assert_close, fixtures};
use tch::{Kind, Tensor};

use crate::common::{close, committed, number, shape, tensor};
use crate::pasd::{denoiser, pasd};

/// Of the largest magnitude.
const PARTS: f64 = 1e-4;
/// And for whole runs, where guidance 9 amplifies rounding.
const RUNS: f64 = 5e-3;
/// The row of a batch that saw the positive text.
const POSITIVE: i64 = 1;

/// The low-resolution picture, `[1, 3, H, W]` in 0 to 1.
fn picture(inputs: &Tensors) -> Tensor {
    let levels = Tensor::from_slice(&inputs.u8("picture")).to_kind(Kind::Float);
    levels
        .reshape(shape(inputs, "picture"))
        .permute([2, 0, 1])
        .unsqueeze(0)
        / 255.0
}

/// One call for both rows, seen by `probe`.
fn predict(folder: &FixtureDir, scale: f64, probe: &mut dyn AttentionProbe) -> Tensor {
    let denoiser = denoiser(folder);
    let inputs = folder.tensors("inputs");
    let t = folder.tensors("single").i64("t")[0];
    let context = Context::text(tensor(&inputs, "text"));
    let hint = denoiser.control().conditioning().forward(&picture(&inputs));
    denoiser.predict(&tensor(&inputs, "x"), &hint, t, &context, scale, probe)
}

#[test]
fn parity_controlnet() {
    for folder in pasd() {
        let _guard = tch::no_grad_guard();
        let (name, golden) = (folder.name(), folder.tensors("single"));
        let denoiser = denoiser(&folder);
        let control = denoiser.control();
        let inputs = folder.tensors("inputs");
        let picture = picture(&inputs);
        let hint = control.conditioning().forward(&picture);
        close(&name, &hint, &golden, "cond_embedding", PARTS);
        for (i, rgb) in control.conditioning().pictures(&picture).iter().enumerate() {
            close(&name, rgb, &golden, &format!("rgb.{i}"), PARTS);
        }
        let x = tensor(&inputs, "x").repeat([2, 1, 1, 1]);
        let t = Tensor::from_slice(&golden.i64("t")).repeat([2]);
        let context = Context::text(tensor(&inputs, "text"));
        let residuals = control.forward(&x, &hint, &t, &context, 1.0);
        assert_eq!(residuals.down.len(), 12);
        for (i, residual) in residuals.down.iter().enumerate() {
            close(&name, residual, &golden, &format!("down.{i:02}"), PARTS);
        }
        close(&name, &residuals.middle, &golden, "mid", PARTS);
    }
}

#[test]
fn parity_noise_at_both_scales() {
    for folder in pasd() {
        let _guard = tch::no_grad_guard();
        let (name, golden) = (folder.name(), folder.tensors("single"));
        for (scale, expected) in [(1.0, "eps"), (0.7, "eps_scale07")] {
            let eps = predict(&folder, scale, &mut NoProbe);
            close(&name, &eps, &golden, expected, PARTS);
        }
    }
}

/// Both softmaxes of every pixel attention, in full: the fixture is small enough.
struct Full {
    layers: Vec<(String, Tensor, Tensor, (i64, i64))>,
}

impl AttentionProbe for Full {
    fn observe(&mut self, seen: &Observation<'_>) {
        let (Some(grid), Some(key_grid)) = (seen.grid(), seen.key_grid()) else {
            return;
        };
        assert_eq!(grid, key_grid, "{}", seen.layer);
        let scores = seen.query.matmul(&seen.key.transpose(-2, -1)) * seen.scale;
        let scores = scores.select(0, POSITIVE);
        self.layers.push((
            seen.layer.to_owned(),
            scores.softmax(-2, Kind::Float),
            scores.softmax(-1, Kind::Float),
            grid,
        ));
    }
}

#[test]
fn parity_pixel_attentions() {
    for folder in pasd() {
        let _guard = tch::no_grad_guard();
        let golden = folder.tensors("attention");
        let mut probe = Full { layers: Vec::new() };
        let _ = predict(&folder, 1.0, &mut probe);
        assert_eq!(probe.layers.len(), 12);
        for (layer, r2g, g2r, (height, width)) in &probe.layers {
            let name = layer.strip_suffix(".transformer_blocks.0.attn2").unwrap();
            let over = |x: &Tensor, dim: i64| {
                let mean = x.mean_dim([dim].as_slice(), false, Kind::Float);
                mean.reshape([-1, *height, *width])
            };
            let key = |direction: &str| format!("{name}.{direction}");
            close(layer, &over(r2g, -1), &golden, &key("r2g"), PARTS);
            close(layer, &over(g2r, -2), &golden, &key("g2r"), PARTS);
            if golden.contains(&key("r2g.full")) {
                close(layer, r2g, &golden, &key("r2g.full"), PARTS);
                close(layer, g2r, &golden, &key("g2r.full"), PARTS);
            }
        }
    }
}

/// The fixture's run, keeping what the sampler saw.
struct Run {
    denoiser: PasdDenoiser,
    hint: Tensor,
    context: Context,
    guidance: f64,
    visited: Vec<i64>,
    latents: Vec<Tensor>,
    noises: Vec<Tensor>,
}

impl Denoiser for Run {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        let (t, none) = (call.timestep, &mut NoProbe);
        let (hint, context) = (&self.hint, &self.context);
        let eps = self
            .denoiser
            .guided(x, hint, t, context, 1.0, self.guidance, none);
        self.visited.push(t);
        self.latents.push(x.shallow_clone());
        self.noises.push(eps.shallow_clone());
        Ok(eps)
    }

    fn step_noise(&mut self, _step: usize, _like: &Tensor) -> Result<Tensor, RunnerError> {
        panic!("UniPC adds no noise")
    }
}

#[test]
fn parity_whole_run() {
    for folder in pasd() {
        let _guard = tch::no_grad_guard();
        let (name, golden) = (folder.name(), folder.tensors("sampling"));
        let (sidecar, inputs) = (folder.json("sampling"), folder.tensors("inputs"));
        let denoiser = denoiser(&folder);
        let hint = denoiser.control().conditioning().forward(&picture(&inputs));
        let mut run = Run {
            hint,
            denoiser,
            context: Context::text(tensor(&inputs, "text")),
            guidance: sidecar["config"]["guidance"].as_f64().unwrap(),
            visited: Vec::new(),
            latents: Vec::new(),
            noises: Vec::new(),
        };
        let config = SamplerConfig {
            kind: SamplerKind::UniPc,
            steps: number(&sidecar, "steps") as u32,
            spacing: Spacing::Linspace,
            eta: 0.0,
        };
        let sampler = config.build(&Schedule::default()).unwrap();
        let done = sampler.sample(tensor(&inputs, "x"), &mut run).unwrap();
        assert_eq!(run.visited, golden.i64("unipc.timesteps"));
        close(
            &name,
            &Tensor::cat(&run.latents, 0),
            &golden,
            "unipc.x",
            RUNS,
        );
        close(
            &name,
            &Tensor::cat(&run.noises, 0),
            &golden,
            "unipc.eps",
            RUNS,
        );
        close(&name, &done, &golden, "unipc.final", RUNS);
    }
}

/// The recorder against the published attention. Every layer of the fixture fits into one block of scores; that several blocks give
/// the same is tested in `capture_both`.
#[test]
fn parity_recorded_attention() {
    for folder in pasd() {
        let _guard = tch::no_grad_guard();
        let golden = folder.tensors("attention");
        let capture = CaptureConfig {
            time_groups: 1,
            ..CaptureConfig::default()
        };
        let wants = |layer: &str| layer.contains(".pixel_attentions.");
        let (half, masks) = (ConditionalHalf::Second, CaptureMasks::default());
        let mut recorder = Recorder::new(&capture, half, wants, masks, 1).unwrap();
        let call = Call {
            step: 0,
            timestep: 0,
            primary: true,
        };
        recorder.begin(call).unwrap();
        let _ = predict(&folder, 1.0, &mut recorder);
        let record = recorder.finish((16, 16)).unwrap();
        assert_eq!(record.layers.len(), 12);
        for layer in &record.layers {
            let name = layer
                .name
                .strip_suffix(".transformer_blocks.0.attn2")
                .unwrap();
            let cells = layer.height * layer.width;
            // Without masks everything is inside; the outside's sums follow, and are zero.
            let mean = |sums: &[f32]| -> Vec<f32> {
                let (inside, outside) = sums.split_at(sums.len() / 2);
                assert!(outside.iter().all(|&sum| sum.abs() < 1e-6));
                inside.iter().map(|sum| sum / cells as f32).collect()
            };
            let key = |direction: &str| format!("{name}.{direction}");
            let compare = |direction: &str, sums: &[f32]| {
                let key = key(direction);
                assert_close(&key, &mean(sums), &golden.f32(&key), PARTS);
            };
            compare("r2g", &layer.r2g);
            compare("g2r", layer.g2r.as_ref().unwrap());
        }
    }
}

#[test]
fn parity_double_noising() {
    for folder in fixtures(&committed(), "samplers") {
        let golden = folder.tensors("samplers");
        let part = |name: &str| tensor(&golden, &format!("pasd_start.{name}"));
        let (z, first, second) = (part("z"), part("n1"), part("n2"));
        let visited = timesteps(20, Spacing::Linspace).unwrap();
        let start = |rule| start_latent(&z, [&first, &second], &visited, rule);
        for (rule, name) in [
            (SecondNoise::None, "first"),
            (SecondNoise::LastVisited, "second"),
        ] {
            let expected = format!("pasd_start.{name}");
            close("start", &start(rule), &golden, &expected, 1e-6);
        }
        // Until September 2023: 0.119 of the latent, 0.993 noise.
        let old = start(SecondNoise::Timestep900);
        let expected = start(SecondNoise::None) * 0.119 + &second * 0.993;
        let off = (old - expected).abs().max().double_value(&[]);
        assert!(off < 5e-3, "off by {off}");
    }
}
