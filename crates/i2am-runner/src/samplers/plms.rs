//! PLMS: every step uses the predictions of up to three steps before it, which it keeps.

use std::collections::VecDeque;

use tch::Tensor;

use super::{Call, Denoiser, Sampler, alpha_pairs, step_towards};
use crate::RunnerError;
use crate::schedule::Schedule;

/// Pseudo linear multistep (Liu et al. 2022): the update uses a linear combination of up to four predictions.
///
/// The first step has no history, so it is taken twice: a tentative one, then one with the mean of both predictions.
#[derive(Debug)]
pub struct Plms {
    timesteps: Vec<i64>,
    alphas: Vec<(f64, f64)>,
}

impl Plms {
    /// Over `timesteps`, descending.
    pub fn new(schedule: &Schedule, timesteps: Vec<i64>) -> Self {
        let alphas = alpha_pairs(schedule, &timesteps, schedule.first_alpha());
        Self { timesteps, alphas }
    }
}

/// Adams-Bashforth combination of the newest prediction and the history, newest first.
fn combine(eps: &Tensor, history: &VecDeque<Tensor>) -> Tensor {
    match (history.front(), history.get(1), history.get(2)) {
        (Some(e1), Some(e2), Some(e3)) => (eps * 55.0 - e1 * 59.0 + e2 * 37.0 - e3 * 9.0) / 24.0,
        (Some(e1), Some(e2), None) => (eps * 23.0 - e1 * 16.0 + e2 * 5.0) / 12.0,
        (Some(e1), None, _) => (eps * 3.0 - e1) / 2.0,
        (None, ..) => eps.shallow_clone(),
    }
}

impl Sampler for Plms {
    fn timesteps(&self) -> &[i64] {
        &self.timesteps
    }

    fn sample(&self, start: Tensor, denoiser: &mut dyn Denoiser) -> Result<Tensor, RunnerError> {
        let mut x = start;
        let mut history: VecDeque<Tensor> = VecDeque::with_capacity(4);
        for (step, &timestep) in self.timesteps.iter().enumerate() {
            let alphas = self.alphas[step];
            let eps = denoiser.predict(
                &x,
                Call {
                    step,
                    timestep,
                    primary: true,
                },
            )?;
            let used = if history.is_empty() {
                let tentative = step_towards(&x, &eps, alphas, 0.0);
                let timestep = self.timesteps.get(1).copied().unwrap_or(timestep);
                let second = denoiser.predict(
                    &tentative,
                    Call {
                        step,
                        timestep,
                        primary: false,
                    },
                )?;
                (&eps + second) / 2.0
            } else {
                combine(&eps, &history)
            };
            x = denoiser.stepped(step, step_towards(&x, &used, alphas, 0.0));
            history.push_front(eps);
            history.truncate(3);
        }
        Ok(x)
    }
}
