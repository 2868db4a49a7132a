//! What the configurations of all trainings have.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// What can be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Family {
    Autoencoder,
    #[serde(rename = "catvton")]
    CatVton,
    PaintByExample,
    Pasd,
    StableViton,
}

/// A training around frozen networks: the keys that every family has, and the family's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config<K> {
    /// Name of the checkpoints.
    pub(crate) name: String,
    /// Folder of the training state, log and pictures; relative to this file.
    pub(crate) work: PathBuf,
    /// Folder of the finished checkpoints; relative to this file.
    pub(crate) output: PathBuf,
    /// Seed of weights, batches and noise.
    pub(crate) seed: u64,
    /// The diffusers folder whose frozen networks are taken over and stay as they are; relative to this file.
    pub(crate) frozen: PathBuf,
    /// Steps after which a checkpoint is saved; that of the last step is saved in any case.
    pub(crate) snapshots: Vec<u64>,
    pub(crate) data: DataConfig,
    pub(crate) keys: K,
}

/// The keys that say how to read a file, and are read before.
const HEADER: [&str; 2] = ["schema_version", "family"];
/// The keys of [`Config`]; the others in a file are the family's.
const SHARED: [&str; 7] = [
    "name",
    "work",
    "output",
    "seed",
    "frozen",
    "snapshots",
    "data",
];

/// The keys of one family.
pub(crate) trait Keys: DeserializeOwned + Clone {
    /// Length and step size.
    fn schedule(&self) -> &Schedule;

    /// Decay per step of the averaged weights that are saved.
    fn average_decay(&self) -> f64;

    /// The folder of an autoencoder that takes the place of the frozen one.
    fn autoencoder(&self) -> Option<&Path> {
        None
    }

    /// Resolves paths against the configuration `file`, and checks what can be checked without the frozen networks.
    fn prepare(&mut self, data: &DataConfig, file: &Path) -> Result<()>;
}

impl<K: Keys> Config<K> {
    /// The configuration that `text` of `file` holds; its paths become relative to the file's folder.
    ///
    /// # Errors
    /// Unknown, missing or wrong keys, with their line; snapshots that are no steps of the training.
    pub(crate) fn parse(text: &str, file: &Path) -> Result<Self> {
        let mut config = Self::split(text).with_context(|| cannot_parse(file))?;
        let Self { data, keys, .. } = &mut config;
        keys.prepare(data, file)?;
        resolve(
            file,
            [&mut config.work, &mut config.output, &mut config.frozen],
        );
        let last = config.keys.schedule().steps;
        let mut snapshots = config.snapshots.iter();
        if let Some(beyond) = snapshots.find(|step| !(1..=last).contains(*step)) {
            bail!(
                "{}: snapshots: expected steps from 1 to {last}, found {beyond}",
                file.display()
            );
        }
        Ok(config)
    }

    /// Puts the family's keys into a table of their own, where each part refuses what it does not know.
    fn split(text: &str) -> Result<Self, toml::de::Error> {
        let root = DeTable::parse(text)?;
        let span = root.span();
        let is_shared = |key: &str| SHARED.contains(&key);
        let mut root = root.into_inner();
        for key in HEADER {
            root.remove(key);
        }
        let (mut all, own): (DeTable<'_>, DeTable<'_>) = root
            .into_iter()
            .partition(|(key, _)| is_shared(key.get_ref()));
        let own = Spanned::new(span.clone(), DeValue::Table(own));
        all.insert(Spanned::new(span.clone(), "keys".into()), own);
        let all = Spanned::new(span, DeValue::Table(all));
        Self::deserialize(ValueDeserializer::from(all)).map_err(|mut error| {
            error.set_input(Some(text));
            error
        })
    }
}

/// What went wrong with a file that is no TOML or has other keys.
pub(crate) fn cannot_parse(file: &Path) -> String {
    format!("cannot parse {}", file.display())
}

/// The synthetic pictures to train on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataConfig {
    /// Seed of the pictures. The demonstration draws its own from another seed.
    pub(crate) seed: u64,
    /// Number of pictures.
    pub(crate) count: usize,
    /// Height in pixels.
    pub(crate) height: usize,
    /// Width in pixels.
    pub(crate) width: usize,
}

impl DataConfig {
    /// # Errors
    /// Sides that are no multiples of `factor`.
    pub(crate) fn check(&self, factor: i64, path: &Path) -> Result<()> {
        let Self { height, width, .. } = self;
        let factor = factor as usize;
        ensure!(
            height.is_multiple_of(factor) && width.is_multiple_of(factor),
            "{}: data: expected multiples of {factor} for height and width, found {height} and {width}",
            path.display()
        );
        Ok(())
    }

    /// # Errors
    /// Evaluation pictures drawn from the `seed` of the training pictures.
    pub(crate) fn check_evaluation(&self, seed: u64, file: &Path) -> Result<()> {
        ensure!(
            seed != self.seed,
            "{}: evaluation.seed: expected another one than data.seed, found {seed} for both",
            file.display()
        );
        Ok(())
    }
}

/// Length and step size of one stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    /// Optimizer steps.
    pub(crate) steps: u64,
    /// Pictures per step.
    pub(crate) batch: usize,
    /// Highest learning rate; reached after `warm_up` steps, then down to zero on a cosine.
    pub(crate) learning_rate: f64,
    /// Steps of linear warm-up.
    pub(crate) warm_up: u64,
    /// Steps between evaluation pictures.
    #[serde(default = "usual_evaluations")]
    pub(crate) evaluate_every: u64,
}

/// What a try-on training minimizes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TryOnLoss {
    /// Share of samples for which the network is shown as the reference what it is shown in the pass without one.
    pub(crate) drop_reference: f64,
    /// Decay per step of the averaged weights that are saved.
    pub(crate) average_decay: f64,
    /// The loss at timestep t is weighted by `1 + min((1 - alpha) / alpha, this)`.
    pub(crate) high_noise_weight: f64,
    /// Weight of positions outside the masked region, where the answer is in the input; inside it is 1.
    pub(crate) outside_weight: f64,
    /// Added to the weight of positions that show the print or the cloth right around it: a few cells, by which a garment is known.
    #[serde(default)]
    pub(crate) print_weight: f64,
}

fn usual_evaluations() -> u64 {
    500
}

impl Schedule {
    /// The learning rate of `step`.
    pub(crate) fn rate(&self, step: u64) -> f64 {
        let up = (step + 1) as f64 / self.warm_up.max(1) as f64;
        let along = step.saturating_sub(self.warm_up) as f64
            / self.steps.saturating_sub(self.warm_up).max(1) as f64;
        let down = 0.5 * (1.0 + (along.min(1.0) * std::f64::consts::PI).cos());
        self.learning_rate * up.min(1.0) * down
    }
}

/// Makes `paths` relative to the folder of the configuration `file`.
pub(crate) fn resolve<'a>(file: &Path, paths: impl IntoIterator<Item = &'a mut PathBuf>) {
    let base = file.parent().unwrap_or(Path::new("."));
    for path in paths {
        *path = base.join(&*path);
    }
}
