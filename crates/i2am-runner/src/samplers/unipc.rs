//! `UniPC`: a predictor and a corrector of second order, which needs fewer steps than the others. PASD is published with it.

use tch::Tensor;

use super::{Call, Denoiser, Sampler};
use crate::RunnerError;
use crate::schedule::Schedule;

/// Unified predictor-corrector (Zhao et al. 2023) of order 2 with `B(h) = e^h - 1`: each prediction of the network first corrects the
/// latent it was made for, then predicts the next one. First and last step are of order 1; the last ends without noise.
#[derive(Debug)]
pub struct UniPc {
    timesteps: Vec<i64>,
    /// Noise levels of the steps, and that of the clean latent.
    levels: Vec<Level>,
}

/// A noise level: a latent is `alpha · clean + sigma · noise`.
#[derive(Debug, Clone, Copy)]
struct Level {
    alpha: f64,
    sigma: f64,
}

impl Level {
    /// Half the logarithm of the signal-to-noise ratio, infinite without noise.
    fn lambda(self) -> f64 {
        self.alpha.ln() - self.sigma.ln()
    }
}

/// The way between two levels in the exponential integrator: `next = keep · x + gain · (clean + ...)`.
struct Way {
    keep: f64,
    gain: f64,
    /// Step in `lambda`.
    h: f64,
}

impl Way {
    fn new(from: Level, to: Level) -> Self {
        let h = to.lambda() - from.lambda();
        Self {
            keep: to.sigma / from.sigma,
            gain: -to.alpha * (-h).exp_m1(),
            h,
        }
    }

    /// The two right-hand sides of the order conditions, which make the corrector's weights.
    fn conditions(&self) -> [f64; 2] {
        let hh = -self.h;
        let all = hh.exp_m1();
        let first = all / hh - 1.0;
        let second = first / hh - 0.5;
        [first / all, 2.0 * second / all]
    }
}

/// The state after a step.
struct Past {
    /// The corrected latent that the step started from.
    latent: Tensor,
    /// Its clean estimate.
    clean: Tensor,
    /// The difference of the estimate before from `clean`, by its distance; if the step was of order 2.
    slope: Option<(f64, Tensor)>,
}

impl UniPc {
    /// Over `timesteps`, descending.
    pub fn new(schedule: &Schedule, timesteps: Vec<i64>) -> Self {
        let level = |alpha: f64| Level {
            alpha: alpha.sqrt(),
            sigma: (1.0 - alpha).sqrt(),
        };
        let steps = timesteps.iter().map(|&t| level(schedule.alpha(t)));
        Self {
            levels: steps.chain([level(1.0)]).collect(),
            timesteps,
        }
    }

    /// `x`, which the step before has predicted, corrected by the estimate `clean` that was made from it.
    fn correct(&self, step: usize, past: &Past, clean: &Tensor) -> Tensor {
        let way = Way::new(self.levels[step - 1], self.levels[step]);
        let newest = clean - &past.clean;
        let change = match &past.slope {
            None => newest * 0.5,
            Some((distance, slope)) => {
                let ratio = distance / way.h;
                let [first, second] = way.conditions();
                let older = (first - second) / (1.0 - ratio);
                slope * (older / ratio) + newest * (first - older)
            }
        };
        &past.latent * way.keep + (&past.clean + change) * way.gain
    }
}

impl Sampler for UniPc {
    fn timesteps(&self) -> &[i64] {
        &self.timesteps
    }

    fn sample(&self, start: Tensor, denoiser: &mut dyn Denoiser) -> Result<Tensor, RunnerError> {
        let mut x = start;
        let mut past: Option<Past> = None;
        for (step, &timestep) in self.timesteps.iter().enumerate() {
            let call = Call {
                step,
                timestep,
                primary: true,
            };
            let eps = denoiser.predict(&x, call)?;
            let (now, next) = (self.levels[step], self.levels[step + 1]);
            let clean = (&x - eps * now.sigma) / now.alpha;
            if let Some(past) = &past {
                x = self.correct(step, past, &clean);
            }
            let way = Way::new(now, next);
            let last = step + 1 == self.timesteps.len();
            let slope = past.filter(|_| !last).map(|past| {
                let distance = self.levels[step - 1].lambda() - now.lambda();
                (distance, past.clean - &clean)
            });
            let ahead = match &slope {
                None => clean.shallow_clone(),
                Some((distance, slope)) => &clean + slope * (0.5 * way.h / distance),
            };
            let predicted = &x * way.keep + ahead * way.gain;
            past = Some(Past {
                latent: x,
                clean,
                slope,
            });
            x = denoiser.stepped(step, predicted);
        }
        Ok(x)
    }
}
