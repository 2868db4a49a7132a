//! The training loop that every stage shares: resume, learning rate, averaging, log, pictures, snapshots.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tch::{Kind, Tensor};

use crate::config::shared::Schedule;
use crate::log::{Line, Log};
use crate::optimizer::AdamW;
use crate::{progress, state};

/// Steps between lines of the log.
const LOG_EVERY: u64 = 50;
/// Time between saved states; a killed run loses no more.
const SAVE_EVERY: Duration = Duration::from_mins(2);

/// What a stage does in addition to steps.
pub(crate) trait Task {
    /// The loss of a fresh batch. libtorch's generator is seeded for the step already.
    fn loss(&self) -> Tensor;

    /// Called every [`Schedule::evaluate_every`] steps, under averaged weights; files start with `stem`.
    fn evaluate(&self, step: u64, stem: &Path) -> Result<()>;

    /// Steps after which [`Task::snapshot`] is called.
    fn snapshots(&self) -> &[u64] {
        &[]
    }

    /// Saves what there is at `step`, under averaged weights.
    fn snapshot(&self, _step: u64) -> Result<()> {
        Ok(())
    }
}

/// Where a training keeps its state, and the seed of its draws.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) work: &'a Path,
    pub(crate) seed: u64,
}

/// One stage's variables, optimizer and progress.
pub(crate) struct Trainer {
    stage: &'static str,
    folder: PathBuf,
    seed: u64,
    schedule: Schedule,
    decay: f64,
    step: u64,
    optimizer: AdamW,
    averages: BTreeMap<String, Tensor>,
}

impl Trainer {
    /// Starts the stage, or goes on where its saved state is.
    pub(crate) fn open(
        place: Place<'_>,
        stage: &'static str,
        variables: BTreeMap<String, Tensor>,
        schedule: &Schedule,
        decay: f64,
    ) -> Result<Self> {
        let averages = variables
            .iter()
            .map(|(name, v)| (name.clone(), v.detach().copy()))
            .collect();
        let mut trainer = Self {
            stage,
            folder: place.work.to_owned(),
            seed: place.seed,
            schedule: schedule.clone(),
            decay,
            step: 0,
            optimizer: AdamW::new(variables),
            averages,
        };
        let path = trainer.state_path();
        if path.is_file() {
            let metadata = state::read_into(&path, &trainer.everything())?;
            let step = metadata
                .get("step")
                .context("the training state has no step")?;
            trainer.step = step
                .parse()
                .with_context(|| format!("{}: step `{step}`", path.display()))?;
            progress::say(&format!("{stage}: going on from step {}", trainer.step));
        }
        Ok(trainer)
    }

    /// Steps made so far.
    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    fn state_path(&self) -> PathBuf {
        self.folder.join(format!("{}.safetensors", self.stage))
    }

    fn everything(&self) -> BTreeMap<String, Tensor> {
        let mut all = self.optimizer.state();
        let clone = |prefix: &str, (name, tensor): (&String, &Tensor)| {
            (format!("{prefix}.{name}"), tensor.detach())
        };
        all.extend(
            self.optimizer
                .variables()
                .iter()
                .map(|entry| clone("variable", entry)),
        );
        all.extend(self.averages.iter().map(|entry| clone("average", entry)));
        all
    }

    fn save(&self) -> Result<()> {
        let metadata = BTreeMap::from([("step".to_owned(), self.step.to_string())]);
        state::write(
            &self.state_path(),
            &self.everything(),
            Kind::Float,
            &metadata,
        )
    }

    /// Runs `task`, unless what there is shall be saved without training on, and makes the averaged weights the weights. Returns
    /// whether nothing is left to train.
    pub(crate) fn complete(
        &mut self,
        deadline: Option<Instant>,
        task: Option<&dyn Task>,
    ) -> Result<bool> {
        let is_done = task.map_or(Ok(true), |task| self.run(deadline, task))?;
        if !is_done {
            progress::say(&format!(
                "stopped at {} step {}; start again to go on",
                self.stage, self.step
            ));
        }
        self.adopt_averages();
        Ok(is_done)
    }

    /// Runs to the end of the schedule or to the deadline. Returns whether the end was reached.
    pub(crate) fn run(&mut self, deadline: Option<Instant>, task: &dyn Task) -> Result<bool> {
        let bar = progress::bar(self.stage, self.schedule.steps).with_position(self.step);
        let mut log = Log::open(&self.folder, self.stage, self.step)?;
        let mut losses = Vec::new();
        let mut norms = Vec::new();
        let mut pace = progress::Pace::start(self.step);
        let mut saved = Instant::now();
        while self.step < self.schedule.steps {
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                self.save()?;
                return Ok(false);
            }
            let (loss, norm) = self.advance(task);
            losses.push(loss);
            norms.push(norm);
            bar.inc(1);
            let at_end = self.step == self.schedule.steps;
            if self.step.is_multiple_of(LOG_EVERY) || at_end {
                let line = Line {
                    step: self.step,
                    loss: mean(&losses),
                    gradient_norm: mean(&norms),
                    learning_rate: self.schedule.rate(self.step),
                };
                losses.clear();
                norms.clear();
                ensure!(
                    line.loss.is_finite(),
                    "{}: the loss is not finite at step {}",
                    self.stage,
                    self.step
                );
                bar.set_message(format!("loss {:.4}", line.loss));
                if bar.is_hidden() {
                    let pace = pace.describe(self.step, self.schedule.steps);
                    progress::say(&format!("{}: {pace}, loss {:.4}", self.stage, line.loss));
                }
                log.append(line)?;
            }
            let has_snapshot = task.snapshots().contains(&self.step);
            let has_evaluation = self.step.is_multiple_of(self.schedule.evaluate_every) || at_end;
            if has_evaluation || has_snapshot || saved.elapsed() > SAVE_EVERY {
                self.save()?;
                saved = Instant::now();
            }
            if has_evaluation {
                log.draw()?;
                let stem = self.folder.join(format!("{}-{:06}", self.stage, self.step));
                self.with_averages(|| task.evaluate(self.step, &stem))?;
            }
            if has_snapshot {
                self.with_averages(|| task.snapshot(self.step))?;
            }
            if has_evaluation || has_snapshot {
                pace = progress::Pace::start(self.step);
            }
        }
        Ok(true)
    }

    /// One step; the loss, and the norm of its gradient.
    fn advance(&mut self, task: &dyn Task) -> (f64, f64) {
        // Each step's draws depend on its number only, so a resumed run sees what an unbroken one sees.
        tch::manual_seed((self.seed.wrapping_mul(1_000_003) ^ self.step) as i64);
        let loss = task.loss();
        loss.backward();
        let rate = self.schedule.rate(self.step);
        let norm = self.optimizer.step(self.step, rate);
        self.update_averages();
        self.step += 1;
        (loss.double_value(&[]), norm)
    }

    fn update_averages(&mut self) {
        let _guard = tch::no_grad_guard();
        // A short run must not be dominated by its random start.
        let decay = self
            .decay
            .min((1.0 + self.step as f64) / (10.0 + self.step as f64));
        for (name, average) in &mut self.averages {
            let variable = self.optimizer.variables()[name].detach();
            let _ = average
                .g_mul_scalar_(decay)
                .g_add_(&(variable * (1.0 - decay)));
        }
    }

    /// Makes the averaged weights the weights. Training does not go on after that.
    fn adopt_averages(&self) {
        let _guard = tch::no_grad_guard();
        for (name, average) in &self.averages {
            self.optimizer.variables()[name].detach().copy_(average);
        }
    }

    fn with_averages(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let variables = self.optimizer.variables();
        let kept: Vec<(Tensor, Tensor)> = variables
            .values()
            .map(|v| (v.detach(), v.detach().copy()))
            .collect();
        self.adopt_averages();
        let done = tch::no_grad(work);
        let _guard = tch::no_grad_guard();
        for (mut variable, value) in kept {
            variable.copy_(&value);
        }
        done
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests;
