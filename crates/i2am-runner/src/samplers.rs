//! Samplers: from a start latent and a noise predictor to a clean latent.

mod ddim;
mod flow;
mod plms;
mod unipc;

use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use ddim::Ddim;
pub use flow::{Flow, FlowConfig, shift};
pub use plms::Plms;
pub use unipc::UniPc;

use crate::RunnerError;
use crate::schedule::{Schedule, Spacing, timesteps};

/// One evaluation of the model that a sampler asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Which step it belongs to, 0 being the first (noisiest).
    pub step: usize,
    /// The timestep that the model is given.
    pub timestep: i64,
    /// Whether it is the step's own evaluation. PLMS evaluates its first step twice; the second is not a step of its own
    /// and must not be counted in attention maps.
    pub primary: bool,
}

/// Predicts the noise in a latent: the network, with whatever conditioning and guidance it runs under.
pub trait Denoiser {
    /// Predicted noise for `x`, of the same shape.
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError>;

    /// Standard normal noise for the update after `step`, asked for only where it is used.
    fn step_noise(&mut self, step: usize, like: &Tensor) -> Result<Tensor, RunnerError>;

    /// What sampling goes on with, of the latent `x` that follows from `step`: `x` itself, unless a model holds on to a part of an image.
    fn stepped(&mut self, _step: usize, x: Tensor) -> Tensor {
        x
    }
}

/// A way from noise to picture.
pub trait Sampler {
    /// The timesteps visited, descending; their number is the number of steps.
    fn timesteps(&self) -> &[i64];

    /// Runs from `start` `[batch, channels, h, w]` to the clean latent.
    fn sample(&self, start: Tensor, denoiser: &mut dyn Denoiser) -> Result<Tensor, RunnerError>;
}

/// Which sampler, and its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplerConfig {
    /// `ddim`, `ddpm`, `plms` or `uni-pc`.
    pub kind: SamplerKind,
    /// Steps asked for, 1 to 1000.
    pub steps: u32,
    /// How the steps are laid over the schedule.
    pub spacing: Spacing,
    /// DDIM's share of fresh noise, 0 (none) to 1.
    pub eta: f64,
}

/// The samplers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamplerKind {
    /// Song et al. 2020.
    Ddim,
    /// Ho et al. 2020, over the timesteps visited: DDIM with as much noise as the posterior has, but without any left at the end.
    Ddpm,
    /// Liu et al. 2022, as latent diffusion's PLMS and diffusers' PNDM without Runge-Kutta steps.
    Plms,
    /// Zhao et al. 2023, of order 2 with the `B2` function on predicted clean latents, as the diffusers library has it.
    UniPc,
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self {
            kind: SamplerKind::Ddim,
            steps: 50,
            spacing: Spacing::Ldm,
            eta: 0.0,
        }
    }
}

/// The keys of a [`SamplerConfig`] that a family with other defaults was given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SamplerKeys {
    kind: Option<SamplerKind>,
    steps: Option<u32>,
    spacing: Option<Spacing>,
    eta: Option<f64>,
}

impl SamplerKeys {
    /// With the rest from `published`, but the spacing and the noise that another kind needs.
    pub(crate) fn over(self, published: &SamplerConfig) -> SamplerConfig {
        let kind = self.kind.unwrap_or(published.kind);
        let spacing = match kind {
            _ if kind == published.kind => published.spacing,
            SamplerKind::UniPc => Spacing::Linspace,
            SamplerKind::Ddim | SamplerKind::Ddpm | SamplerKind::Plms => Spacing::default(),
        };
        let eta = match kind {
            _ if kind == published.kind => published.eta,
            _ => 0.0,
        };
        SamplerConfig {
            kind,
            steps: self.steps.unwrap_or(published.steps),
            spacing: self.spacing.unwrap_or(spacing),
            eta: self.eta.unwrap_or(eta),
        }
    }
}

impl SamplerConfig {
    /// Builds the sampler.
    ///
    /// # Errors
    /// [`RunnerError::Steps`] for a number of steps that cannot work, [`RunnerError::Setting`] for an `eta` or a
    /// `spacing` that the sampler cannot use.
    pub fn build(&self, schedule: &Schedule) -> Result<Box<dyn Sampler>, RunnerError> {
        let setting = |expected: &str| RunnerError::Setting {
            key: "sampler.eta",
            expected: expected.to_owned(),
            found: self.eta.to_string(),
        };
        if !(0.0..=1.0).contains(&self.eta) {
            return Err(setting("0 to 1"));
        }
        if (self.kind == SamplerKind::UniPc) != (self.spacing == Spacing::Linspace) {
            return Err(RunnerError::Setting {
                key: "sampler.spacing",
                expected: "`linspace` with `uni-pc`, another one with the other samplers"
                    .to_owned(),
                found: format!("{:?}", self.spacing).to_lowercase(),
            });
        }
        let timesteps = timesteps(self.steps, self.spacing)?;
        match self.kind {
            SamplerKind::Ddim => Ok(Box::new(Ddim::new(schedule, timesteps, self.eta))),
            SamplerKind::Ddpm if self.eta > 0.0 => Err(setting(
                "0, because the noise of DDPM is given by the schedule",
            )),
            SamplerKind::Ddpm => Ok(Box::new(Ddim::ancestral(schedule, timesteps))),
            SamplerKind::Plms if self.eta > 0.0 => Err(setting("0, because PLMS adds no noise")),
            SamplerKind::Plms => Ok(Box::new(Plms::new(schedule, timesteps))),
            SamplerKind::UniPc if self.eta > 0.0 => Err(setting("0, because UniPC adds no noise")),
            SamplerKind::UniPc => Ok(Box::new(UniPc::new(schedule, timesteps))),
        }
    }
}

/// The two alphas of each step, in the order visited; the last step ends at `end`.
fn alpha_pairs(schedule: &Schedule, timesteps: &[i64], end: f64) -> Vec<(f64, f64)> {
    let now = timesteps.iter().map(|&t| schedule.alpha(t));
    let after = timesteps
        .iter()
        .skip(1)
        .map(|&t| schedule.alpha(t))
        .chain([end]);
    now.zip(after).collect()
}

/// The deterministic update: estimates the clean latent and moves it to the next noise level.
///
/// `direction` is the factor on `eps` there: `sqrt(1 - next - sigma²)`.
fn step_towards(x: &Tensor, eps: &Tensor, (now, next): (f64, f64), sigma: f64) -> Tensor {
    let clean = (x - eps * (1.0 - now).sqrt()) / now.sqrt();
    clean * next.sqrt() + eps * (1.0 - next - sigma * sigma).sqrt()
}
