//! DDIM, the sampler of latent diffusion scripts: one prediction a step, and as much fresh noise as `eta` says.

use tch::Tensor;

use super::{Call, Denoiser, Sampler, alpha_pairs, step_towards};
use crate::RunnerError;
use crate::schedule::Schedule;

/// DDIM (Song et al. 2020) as in the latent diffusion code: no clipping, the last step ends at the alpha of timestep 0.
#[derive(Debug)]
pub struct Ddim {
    timesteps: Vec<i64>,
    alphas: Vec<(f64, f64)>,
    sigmas: Vec<f64>,
}

impl Ddim {
    /// Over `timesteps`, descending.
    pub fn new(schedule: &Schedule, timesteps: Vec<i64>, eta: f64) -> Self {
        let end = schedule.first_alpha();
        Self::ending(schedule, timesteps, eta, end)
    }

    /// DDPM over the same timesteps, with the posterior's own variance (`fixed_small`): `eta` 1, and the last step ends without noise.
    ///
    /// The mean of the posterior of DDPM is the update of DDIM with `eta` 1: of the clean latent both have `sqrt(next)`, and of the noise
    /// `sqrt(now / next) (1 - next) / sqrt(1 - now)`, the root of `1 - next - sigma²`.
    pub fn ancestral(schedule: &Schedule, timesteps: Vec<i64>) -> Self {
        Self::ending(schedule, timesteps, 1.0, 1.0)
    }

    fn ending(schedule: &Schedule, timesteps: Vec<i64>, eta: f64, end: f64) -> Self {
        let alphas = alpha_pairs(schedule, &timesteps, end);
        let sigma = |&(now, next): &(f64, f64)| {
            eta * ((1.0 - next) / (1.0 - now) * (1.0 - now / next)).sqrt()
        };
        let sigmas = alphas.iter().map(sigma).collect();
        Self {
            timesteps,
            alphas,
            sigmas,
        }
    }

    /// Standard deviation of the noise added after each step, in the order visited.
    pub fn sigmas(&self) -> &[f64] {
        &self.sigmas
    }
}

impl Sampler for Ddim {
    fn timesteps(&self) -> &[i64] {
        &self.timesteps
    }

    fn sample(&self, start: Tensor, denoiser: &mut dyn Denoiser) -> Result<Tensor, RunnerError> {
        let mut x = start;
        for (step, &timestep) in self.timesteps.iter().enumerate() {
            let eps = denoiser.predict(
                &x,
                Call {
                    step,
                    timestep,
                    primary: true,
                },
            )?;
            let sigma = self.sigmas[step];
            x = step_towards(&x, &eps, self.alphas[step], sigma);
            if sigma > 0.0 {
                x += denoiser.step_noise(step, &x)? * sigma;
            }
            x = denoiser.stepped(step, x);
        }
        Ok(x)
    }
}
