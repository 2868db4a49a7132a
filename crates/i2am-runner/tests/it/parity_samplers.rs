//! Schedule and samplers against the published ones, on noise functions that need no network.

use i2am_runner::RunnerError;
use i2am_runner::families::CatVtonConfig;
use i2am_runner::samplers::{Call, Ddim, Denoiser, Sampler as _, SamplerConfig, SamplerKind};
use i2am_runner::schedule::{Schedule, Spacing, timesteps};
use i2am_testkit::{FixtureDir, Tensors, assert_close, fixtures};
use tch::{Device, Kind, Tensor};

use crate::common::{close, committed, shape, tensor};
use crate::parity_super_resolution::super_resolution;

/// An analytic noise function, keeping what it was asked.
struct Analytic<'a> {
    formula: &'a str,
    calls: Vec<i64>,
    latents: Vec<Tensor>,
    noise: Option<Tensor>,
}

impl<'a> Analytic<'a> {
    fn new(formula: &'a str) -> Self {
        Self {
            formula,
            calls: Vec::new(),
            latents: Vec::new(),
            noise: None,
        }
    }
}

impl Denoiser for Analytic<'_> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        self.calls.push(call.timestep);
        self.latents.push(x.shallow_clone());
        let t = call.timestep as f64;
        Ok(match self.formula {
            "linear" => x * 0.3 + 0.01 * t / 1000.0,
            "sine" => x.sin() * 0.5 + 0.2 * (t / 150.0).cos(),
            other => panic!("no formula {other}"),
        })
    }

    fn step_noise(&mut self, step: usize, _like: &Tensor) -> Result<Tensor, RunnerError> {
        Ok(self
            .noise
            .as_ref()
            .expect("a run without noise asked for some")
            .narrow(0, step as i64, 1))
    }
}

const TOLERANCE: f64 = 1e-5;

#[test]
fn parity_schedule() {
    for folder in fixtures(&committed(), "samplers") {
        let golden = folder.tensors("samplers");
        let schedule = Schedule::default();
        let alphas: Vec<f32> = schedule.alphas().iter().map(|&a| a as f32).collect();
        assert_close(
            "alphas_cumprod",
            &alphas,
            &golden.f32("alphas_cumprod"),
            1e-7,
        );
        for steps in counts(&golden) {
            let mut visited = timesteps(steps, Spacing::Ldm).unwrap();
            visited.reverse();
            assert_eq!(
                visited,
                golden.i64(&format!("schedule.{steps}.timesteps")),
                "{steps} steps"
            );
            let of = |t: &i64| schedule.alpha(*t) as f32;
            let now: Vec<f32> = visited.iter().map(of).collect();
            assert_close(
                "alphas",
                &now,
                &golden.f32(&format!("schedule.{steps}.alphas")),
                1e-7,
            );
            let before: Vec<f32> = [schedule.first_alpha() as f32]
                .into_iter()
                .chain(now)
                .collect();
            let expected = golden.f32(&format!("schedule.{steps}.alphas_prev"));
            assert_close("alphas_prev", &before[..expected.len()], &expected, 1e-7);
        }
    }
}

fn counts(golden: &Tensors) -> Vec<u32> {
    let count = |name: &str| {
        name.strip_prefix("schedule.")?
            .strip_suffix(".timesteps")?
            .parse()
            .ok()
    };
    golden.names().filter_map(count).collect()
}

#[test]
fn parity_on_formulas() {
    for folder in fixtures(&committed(), "samplers") {
        assert!(
            compare_runs(&folder) >= 8,
            "the fixture has runs of all samplers and formulas"
        );
    }
}

/// Both formulas in 4, 10 and 20 steps; diffusers 0.29.2 and 0.35.1 agree on them.
#[test]
fn parity_unipc_of_diffusers() {
    for folder in super_resolution() {
        assert_eq!(compare_runs(&folder), 6);
    }
}

/// Compares every run that `folder` has: timesteps, the latent at each where it is there, and the last. How many there are.
fn compare_runs(folder: &FixtureDir) -> usize {
    let golden = folder.tensors("samplers");
    let start = tensor(&golden, "start");
    let mut compared = 0;
    for name in golden
        .names()
        .filter(|name| name.split('.').next_back() == Some("final"))
    {
        let parts: Vec<&str> = name.split('.').collect();
        let [kind, formula, steps, _] = parts[..] else {
            continue;
        };
        let kind = match kind {
            "ddim" => SamplerKind::Ddim,
            "plms" => SamplerKind::Plms,
            "unipc" => SamplerKind::UniPc,
            _ => continue,
        };
        let config = SamplerConfig {
            kind,
            spacing: match kind {
                SamplerKind::UniPc => Spacing::Linspace,
                _ => Spacing::Ldm,
            },
            steps: steps.parse().unwrap(),
            ..SamplerConfig::default()
        };
        let mut eps = Analytic::new(formula);
        let done = config
            .build(&Schedule::default())
            .unwrap()
            .sample(start.copy(), &mut eps)
            .unwrap();
        close("final", &done, &golden, name, TOLERANCE);
        let stem = name.strip_suffix(".final").unwrap();
        if golden.contains(&format!("{stem}.calls")) {
            assert_eq!(eps.calls, golden.i64(&format!("{stem}.calls")), "{stem}");
            close(
                "latents",
                &Tensor::cat(&eps.latents, 0),
                &golden,
                &format!("{stem}.x"),
                TOLERANCE,
            );
        }
        compared += 1;
    }
    compared
}

#[test]
fn parity_ddim_with_noise() {
    for folder in fixtures(&committed(), "samplers") {
        let golden = folder.tensors("samplers");
        let noise = tensor(&golden, "ddim_eta05.noise");
        let steps = shape(&golden, "ddim_eta05.sigmas")[0] as u32;
        let visited = timesteps(steps, Spacing::Ldm).unwrap();
        let ddim = Ddim::new(&Schedule::default(), visited, 0.5);
        let sigmas: Vec<f32> = ddim.sigmas().iter().rev().map(|&s| s as f32).collect();
        assert_close("sigmas", &sigmas, &golden.f32("ddim_eta05.sigmas"), 1e-6);
        let mut eps = Analytic {
            noise: Some(noise),
            ..Analytic::new("sine")
        };
        let done = ddim.sample(tensor(&golden, "start"), &mut eps).unwrap();
        close("final", &done, &golden, "ddim_eta05.final", TOLERANCE);
    }
}

#[test]
fn parity_timesteps_of_unipc() {
    for folder in fixtures(&committed(), "samplers") {
        let golden = folder.tensors("samplers");
        for steps in [5, 20] {
            let visited = timesteps(steps, Spacing::Linspace).unwrap();
            assert_eq!(visited, golden.i64(&format!("unipc.{steps}.timesteps")));
        }
    }
}

/// No sampler silently visits timesteps that it was not published with.
#[test]
fn spacings_belong_to_samplers() {
    for (kind, spacing) in [
        (SamplerKind::UniPc, Spacing::Ldm),
        (SamplerKind::Ddim, Spacing::Linspace),
    ] {
        let config = SamplerConfig {
            kind,
            spacing,
            ..SamplerConfig::default()
        };
        let refused = config.build(&Schedule::default()).err().unwrap();
        assert!(
            refused
                .to_string()
                .starts_with("sampler.spacing: expected `linspace` with")
        );
    }
}

/// A made-up network and made-up noise, in f64.
struct Waves;

impl Denoiser for Waves {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        Ok((x * 1.7 + call.timestep as f64 * 0.01).sin())
    }

    fn step_noise(&mut self, step: usize, like: &Tensor) -> Result<Tensor, RunnerError> {
        let places = Tensor::arange(like.size()[3], (Kind::Double, Device::Cpu));
        Ok((places + step as f64).cos().reshape(like.size()))
    }
}

/// Mean and variance of Ho et al. 2020 (equations 6 and 7) with the products of the steps left out between two timesteps.
#[test]
fn ddpm_is_the_posterior_of_its_schedule() {
    let schedule = Schedule::default();
    let config = SamplerConfig {
        kind: SamplerKind::Ddpm,
        steps: 7,
        spacing: Spacing::Diffusers,
        eta: 0.0,
    };
    let sampler = config.build(&schedule).unwrap();
    let start = Tensor::arange(6, (Kind::Double, Device::Cpu)) * 0.3 - 0.8;
    let start = start.reshape([1, 1, 1, 6]);
    let done = sampler.sample(start.copy(), &mut Waves).unwrap();
    let visited = sampler.timesteps();
    let mut x = start;
    for (step, &timestep) in visited.iter().enumerate() {
        let call = Call {
            step,
            timestep,
            primary: true,
        };
        let eps = Waves.predict(&x, call).unwrap();
        let now = schedule.alpha(timestep);
        let before = visited.get(step + 1).map_or(1.0, |&t| schedule.alpha(t));
        let beta = 1.0 - now / before;
        let clean = (&x - eps * (1.0 - now).sqrt()) / now.sqrt();
        let mean = clean * (before.sqrt() * beta / (1.0 - now))
            + &x * ((now / before).sqrt() * (1.0 - before) / (1.0 - now));
        let deviation = ((1.0 - before) / (1.0 - now) * beta).sqrt();
        x = mean + Waves.step_noise(step, &x).unwrap() * deviation;
    }
    let off = (done - x).abs().max().double_value(&[]);
    assert!(off < 1e-12, "{off}");
}

/// Values of one sampler are no defaults of another.
#[test]
fn defaults_of_a_family_are_those_of_its_sampler() {
    let sampler = |text: &str| -> Result<SamplerConfig, String> {
        let text =
            format!("name = 'a'\nfamily = 'catvton'\ncheckpoint = 'b'\nattention = 'c'\n{text}");
        let config: CatVtonConfig = toml::from_str(&text).map_err(|error| error.to_string())?;
        Ok(config.sampler)
    };
    let published = sampler("").unwrap();
    assert_eq!(
        (published.kind, published.spacing, published.eta.to_bits()),
        (SamplerKind::Ddim, Spacing::Diffusers, 1.0_f64.to_bits())
    );
    let fewer = sampler("sampler.steps = 20").unwrap();
    assert_eq!(
        fewer,
        SamplerConfig {
            steps: 20,
            ..published
        }
    );
    let plms = sampler("sampler.kind = 'plms'").unwrap();
    assert_eq!((plms.spacing, plms.eta.to_bits()), (Spacing::Ldm, 0));
    plms.build(&Schedule::default()).unwrap();
}
