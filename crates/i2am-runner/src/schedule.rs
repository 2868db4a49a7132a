//! The noise schedule and the timesteps a sampler visits.

use serde::{Deserialize, Serialize};

use crate::RunnerError;

/// Training timesteps of every model here.
pub const TRAIN_STEPS: i64 = 1000;

/// Stable Diffusion's schedule: `alphas_cumprod` of betas that are linear in their square roots from 0.00085 to 0.012.
#[derive(Debug, Clone)]
pub struct Schedule {
    alphas_cumprod: Vec<f64>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::new(0.00085, 0.012)
    }
}

impl Schedule {
    /// Betas `linspace(sqrt(start), sqrt(end), 1000)²`; products in f64, rounded to f32 as the published code stores them.
    pub fn new(start: f64, end: f64) -> Self {
        let (first, last) = (start.sqrt(), end.sqrt());
        let mut product = 1.0;
        let alpha = |i: i64| {
            let root = first + (last - first) * i as f64 / (TRAIN_STEPS - 1) as f64;
            product *= 1.0 - root * root;
            f64::from(product as f32)
        };
        Self {
            alphas_cumprod: (0..TRAIN_STEPS).map(alpha).collect(),
        }
    }

    /// The share of signal left in the variance at timestep `t`.
    pub fn alpha(&self, t: i64) -> f64 {
        self.alphas_cumprod[t as usize]
    }

    /// All 1000 of them.
    pub fn alphas(&self) -> &[f64] {
        &self.alphas_cumprod
    }

    /// The signal left before the first (least noisy) step. It is that of timestep 0, not 1.
    pub fn first_alpha(&self) -> f64 {
        self.alphas_cumprod[0]
    }
}

/// How `steps` timesteps are laid over the 1000 of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Every `1000 / steps`-th (rounded down) from 1 on, as the latent diffusion code does. Where `steps` does not divide 1000
    /// there can be more timesteps than asked for: 30 gives 31.
    #[default]
    Ldm,
    /// The same distance, cut to exactly `steps`, as the diffusers library does (`leading`, offset 1).
    Diffusers,
    /// Equal distances from 999 down, 0 left out, each timestep rounded (half to even): the diffusers library's `linspace` for `UniPC`.
    Linspace,
}

/// The timesteps visited, in descending order.
///
/// # Errors
/// [`RunnerError::Steps`] if `steps` is 0, above 1000, or leads to a timestep beyond 999 (3, 9, 27, ... do under
/// [`Spacing::Ldm`]).
pub fn timesteps(steps: u32, spacing: Spacing) -> Result<Vec<i64>, RunnerError> {
    let refuse = |reason: String| RunnerError::Steps { steps, reason };
    if steps == 0 || i64::from(steps) > TRAIN_STEPS {
        return Err(refuse(format!("expected 1 to {TRAIN_STEPS}")));
    }
    let distance = TRAIN_STEPS / i64::from(steps);
    let all = (0..TRAIN_STEPS).step_by(distance as usize).map(|t| t + 1);
    let mut visited: Vec<i64> = match spacing {
        Spacing::Ldm => all.collect(),
        Spacing::Diffusers => all.take(steps as usize).collect(),
        // The timestep 0 is left out, so that there is one step fewer to take.
        Spacing::Linspace if i64::from(steps) == TRAIN_STEPS => {
            return Err(refuse(format!("expected 1 to {}", TRAIN_STEPS - 1)));
        }
        Spacing::Linspace => {
            let distance = (TRAIN_STEPS - 1) as f64 / f64::from(steps);
            let timestep = |i: u32| (f64::from(i) * distance).round_ties_even() as i64;
            return Ok((1..=steps).rev().map(timestep).collect());
        }
    };
    if let Some(&last) = visited.last()
        && last >= TRAIN_STEPS
    {
        let near = (steps + 1..=1000).find(|&other| timesteps(other, spacing).is_ok());
        let near = near.map_or_else(String::new, |other| format!("; {other} works"));
        return Err(refuse(format!(
            "timesteps would reach {last}, the schedule ends at {}{near}",
            TRAIN_STEPS - 1
        )));
    }
    visited.reverse();
    Ok(visited)
}
