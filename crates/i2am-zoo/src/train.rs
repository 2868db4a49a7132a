//! The frame of a training around frozen networks. What families differ in is a [`Zoo`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use i2am_nets::layout::Checkpoint;
use i2am_nets::{CheckpointSource, FreshSource, Precision, TensorSource};
use tch::{Device, Tensor};

use crate::config::shared::{Config, Keys};
use crate::progress;
use crate::trainer::{Place, Task, Trainer};

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) minutes: Option<f64>,
    pub(crate) export_only: bool,
}

impl Limits {
    /// `task`, unless what there is shall be saved without training on.
    pub(crate) fn wanted(self, task: &dyn Task) -> Option<&dyn Task> {
        (!self.export_only).then_some(task)
    }

    /// The moment that `minutes` from now are over.
    pub(crate) fn deadline(self) -> Option<Instant> {
        self.minutes
            .map(|minutes| Instant::now() + Duration::from_secs_f64(60.0 * minutes))
    }
}

/// What the networks of a training are built from.
pub(crate) struct Ground<'a, K> {
    pub(crate) config: &'a Config<K>,
    pub(crate) frozen: &'a Checkpoint,
    /// Of the frozen networks.
    pub(crate) kept: &'a dyn TensorSource,
    /// Of what is trained.
    pub(crate) fresh: &'a FreshSource,
    pub(crate) device: Device,
}

/// The networks of a family, some of them in training.
pub(crate) trait Zoo: Sized {
    type Keys: Keys;
    /// What the steps and the evaluations read.
    type Data;
    /// Name of state and log.
    const STAGE: &'static str;

    /// Builds the networks. libtorch's generator has the configuration's seed.
    fn build(ground: &Ground<'_, Self::Keys>) -> Result<Self>;

    /// Draws and encodes the training set.
    fn data(&self) -> Result<Self::Data>;

    /// As [`Task::loss`].
    fn loss(&self, data: &Self::Data) -> Tensor;

    /// As [`Task::evaluate`].
    fn evaluate(&self, data: &Self::Data, step: u64, stem: &Path) -> Result<()>;

    /// Saves the trained `variables`, by their full names, as the checkpoint of `step`. Returns its place.
    fn save_snapshot(&self, variables: &BTreeMap<String, Tensor>, step: u64) -> Result<PathBuf>;

    /// The same for the last step, which comes with the frozen networks.
    fn save_last(&self, variables: &BTreeMap<String, Tensor>, step: u64) -> Result<PathBuf>;
}

struct Stage<'a, Z: Zoo> {
    zoo: &'a Z,
    config: &'a Config<Z::Keys>,
    data: Z::Data,
    variables: &'a BTreeMap<String, Tensor>,
}

impl<Z: Zoo> Task for Stage<'_, Z> {
    fn loss(&self) -> Tensor {
        self.zoo.loss(&self.data)
    }

    fn evaluate(&self, step: u64, stem: &Path) -> Result<()> {
        self.zoo.evaluate(&self.data, step, stem)
    }

    fn snapshots(&self) -> &[u64] {
        &self.config.snapshots
    }

    fn snapshot(&self, step: u64) -> Result<()> {
        let path = self.zoo.save_snapshot(self.variables, step)?;
        say_saved(&self.config.name, &path, self.variables, step);
        Ok(())
    }
}

/// Trains what is not trained yet and saves the checkpoints.
pub(crate) fn train<Z: Zoo>(
    config: &Config<Z::Keys>,
    device: Device,
    limits: Limits,
) -> Result<()> {
    i2am_files::create_dir(&config.work)?;
    let deadline = limits.deadline();
    // Checkpoints name it or have copies of its files: what is wrong with it must show before the training, not at its end.
    let frozen = crate::frozen::open(config)?;
    tch::manual_seed(config.seed as i64);
    let kept = CheckpointSource::new(&frozen, Precision::F32, device);
    let fresh = FreshSource::new(device);
    let zoo = Z::build(&Ground {
        config,
        frozen: &frozen,
        kept: &kept,
        fresh: &fresh,
        device,
    })?;
    kept.finish()?;

    let variables = fresh.variables();
    let place = Place {
        work: &config.work,
        seed: config.seed,
    };
    let (schedule, decay) = (config.keys.schedule(), config.keys.average_decay());
    let mut trainer = Trainer::open(place, Z::STAGE, fresh.variables(), schedule, decay)?;
    let stage = if limits.export_only {
        None
    } else {
        Some(Stage {
            zoo: &zoo,
            config,
            data: zoo.data()?,
            variables: &variables,
        })
    };
    trainer.complete(deadline, stage.as_ref().map(|stage| stage as &dyn Task))?;
    let path = zoo.save_last(&variables, trainer.step())?;
    say_saved(&config.name, &path, &variables, trainer.step());
    Ok(())
}

/// Where the checkpoint `name` is, and what its card says of it: after how many steps, and how many weights were trained.
pub(crate) fn say_saved(name: &str, path: &Path, variables: &BTreeMap<String, Tensor>, step: u64) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, tensor) in variables {
        let network = name.split('.').next().unwrap_or_default();
        *counts.entry(network).or_default() += tensor.numel();
    }
    let counts = counts.iter().map(|(network, n)| format!("{network} {n}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    progress::say(&format!(
        "saved {name} after {step} steps as {}; trained weights: {counts}",
        path.display()
    ));
}
