//! Euler steps along a predicted velocity, from noise at time 1 to the latent at time 0 (rectified flow). Times are shifted towards noise, the
//! more the larger the image is.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Call, Denoiser, Sampler};
use crate::RunnerError;
use crate::schedule::TRAIN_STEPS;

/// The `[model.sampler]` table of a model that predicts velocities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowConfig {
    /// Steps, 1 to 1000.
    pub steps: u32,
    /// How far times are shifted towards noise; by default it follows from the number of tokens and of steps, see [`shift`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<f64>,
}

impl FlowConfig {
    /// The sampler for a generated image of `tokens`, of which the first steps are left out, as many as `strength` below 1 leaves.
    ///
    /// # Errors
    /// [`RunnerError::Steps`] for a number of steps that cannot work, [`RunnerError::Setting`] for a shift that is no number.
    pub fn build(&self, tokens: i64, strength: f64) -> Result<Flow, RunnerError> {
        let steps = self.steps;
        if steps == 0 || i64::from(steps) > TRAIN_STEPS {
            let reason = format!("expected 1 to {TRAIN_STEPS}");
            return Err(RunnerError::Steps { steps, reason });
        }
        let shift = self.shift.unwrap_or_else(|| shift(tokens, steps));
        if !shift.is_finite() {
            return Err(RunnerError::Setting {
                key: "model.sampler.shift",
                expected: "a finite number".to_owned(),
                found: shift.to_string(),
            });
        }
        let count = f64::from(steps);
        let left_out = (count - (count * strength).min(count)) as usize;
        let sigmas = sigmas(steps, shift);
        Ok(Flow::new(sigmas[left_out.min(sigmas.len() - 1)..].to_vec()))
    }
}

/// The shift of FLUX.2 for `tokens` of the generated image and a number of `steps`.
///
/// # Source
/// huggingface/diffusers: `pipelines/flux2/pipeline_flux2_klein.py` @ 0.42.1; two lines in the number of tokens, one for 200 steps and one for
/// 10, and between them a line in the number of steps.
pub fn shift(tokens: i64, steps: u32) -> f64 {
    /// Above it the line of 200 steps holds for every number of steps.
    const MANY: i64 = 4300;
    let of_200 = 0.000_169_27 * tokens as f64 + 0.456_666_66;
    if tokens > MANY {
        return of_200;
    }
    let of_10 = 8.738_095_24e-5 * tokens as f64 + 1.898_333_33;
    let slope = (of_200 - of_10) / 190.0;
    slope * f64::from(steps) + of_200 - 200.0 * slope
}

/// `steps` times from 1 on, shifted, and none at the end of which is 0.
fn sigmas(steps: u32, shift: f64) -> Vec<f64> {
    let count = f64::from(steps);
    let sigma = |step: u32| {
        let even = (count - f64::from(step)) / count;
        shift.exp() / (shift.exp() + (1.0 / even - 1.0))
    };
    (0..steps).map(sigma).collect()
}

/// Euler steps: what is predicted is the velocity `noise - latent`.
#[derive(Debug, Clone)]
pub struct Flow {
    sigmas: Vec<f64>,
    timesteps: Vec<i64>,
}

impl Flow {
    /// Over the times `sigmas`, descending from at most 1; the last step ends at 0.
    pub fn new(sigmas: Vec<f64>) -> Self {
        let timestep = |sigma: &f64| (sigma * TRAIN_STEPS as f64).round() as i64;
        Self {
            timesteps: sigmas.iter().map(timestep).collect(),
            sigmas,
        }
    }

    /// The time of `step`; 0 after the last one.
    pub fn sigma(&self, step: usize) -> f64 {
        self.sigmas.get(step).copied().unwrap_or(0.0)
    }
}

impl Sampler for Flow {
    fn timesteps(&self) -> &[i64] {
        &self.timesteps
    }

    fn sample(&self, start: Tensor, denoiser: &mut dyn Denoiser) -> Result<Tensor, RunnerError> {
        let mut x = start;
        for (step, &timestep) in self.timesteps.iter().enumerate() {
            let call = Call {
                step,
                timestep,
                primary: true,
            };
            let velocity = denoiser.predict(&x, call)?;
            let next = &x + velocity * (self.sigma(step + 1) - self.sigma(step));
            x = denoiser.stepped(step, next);
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the published function for 512x384 and 1024x1024 pixels, computed apart in Python.
    #[test]
    fn shifts() {
        for (tokens, steps, expected) in [
            (768, 4, 2.008_982_192),
            (768, 50, 1.675_173_295),
            (4096, 4, 2.291_179_894),
            (4300, 4, 2.308_478_071),
            (4301, 4, 1.184_696_93),
        ] {
            let found = shift(tokens, steps);
            assert!((found - expected).abs() < 1e-6, "{tokens} {steps}: {found}");
        }
    }

    #[test]
    fn strength_leaves_out_the_first_steps() {
        let config = FlowConfig {
            steps: 4,
            shift: None,
        };
        let whole = config.build(48, 1.0).unwrap();
        assert_eq!(whole.timesteps().len(), 4);
        assert_eq!(whole.sigma(0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(whole.sigma(4).to_bits(), 0.0_f64.to_bits());
        let part = config.build(48, 0.7).unwrap();
        assert_eq!(part.timesteps(), &whole.timesteps()[1..]);
        // The published default leaves out none of four steps.
        assert_eq!(config.build(48, 0.8).unwrap().timesteps().len(), 4);
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let refused = |steps, shift| {
            let config = FlowConfig { steps, shift };
            config.build(48, 1.0).unwrap_err().to_string()
        };
        assert!(refused(0, None).contains("expected 1 to 1000"));
        assert!(refused(4, Some(f64::NAN)).contains("model.sampler.shift"));
    }
}
