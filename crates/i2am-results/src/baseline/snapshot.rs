//! The scores of a run folder, without its rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use i2am_quantity::{Direction, Level, Measurement, Notes};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aggregate::AggregateRow;
use crate::config_hash::ConfigHashes;
use crate::error::ResultsError;
use crate::manifest::{Manifest, RunStatus};
use crate::paths::RunPaths;
use crate::reader::{Batch, current_batches};
use crate::row::{DatasetName, Row};
use crate::run_folder::aggregate_of;

/// The scores of a run, and what they belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// As [`Manifest::name`]; so are all others until `config`.
    pub name: String,
    /// Where the samples come from.
    pub dataset: DatasetName,
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// What could change a number a little.
    pub versions: BTreeMap<String, String>,
    /// As [`Manifest::inputs`].
    pub inputs: BTreeMap<String, String>,
    /// Which of `config` decide the numbers, and their hashes.
    pub config_hashes: ConfigHashes,
    /// The resolved config.
    pub config: Value,
    /// Ids of the samples that any stage attempted, sorted.
    pub samples: Vec<String>,
    /// One for each row of `aggregate.csv`, in its order.
    pub scores: Vec<Score>,
    /// How far the run got, where it is known: files do not keep it.
    #[serde(skip)]
    pub status: Option<RunStatus>,
    /// Why samples failed, by model and id; files do not keep it.
    #[serde(skip)]
    pub failures: BTreeMap<(String, String), String>,
}

/// A score of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Name of the model.
    pub model: String,
    /// Name of the metric.
    pub metric: String,
    /// As [`Measurement::direction`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// As [`Measurement::level`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// As [`Measurement::convention`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub convention: String,
    /// As [`Measurement::version`].
    pub version: u32,
    /// As [`AggregateRow::note`].
    #[serde(default, skip_serializing_if = "Notes::is_empty")]
    pub note: Notes,
    /// As [`AggregateRow::n`].
    pub n: usize,
    /// As [`AggregateRow::mean`].
    pub mean: Option<f64>,
    /// The value of each sample, for the level `unified` and for what has no level; for others, and for the score of a set,
    /// empty. A sample without a value has `None`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub samples: BTreeMap<String, Option<f64>>,
    /// Why samples have no value; files do not keep it.
    #[serde(skip)]
    pub reasons: BTreeMap<String, String>,
}

/// What tells the scores of a run apart, but for the version: model, metric, convention, direction, level.
pub(super) type ScoreKey = (String, String, String, Option<Direction>, Option<Level>);

impl Score {
    pub(super) fn key(&self) -> ScoreKey {
        (
            self.model.clone(),
            self.metric.clone(),
            self.convention.clone(),
            self.direction,
            self.level.clone(),
        )
    }

    fn of(row: AggregateRow) -> Self {
        Self {
            model: row.model,
            metric: row.metric,
            direction: row.direction,
            level: row.level,
            convention: row.convention,
            version: row.version,
            note: row.note,
            n: row.n,
            mean: row.mean,
            samples: BTreeMap::new(),
            reasons: BTreeMap::new(),
        }
    }
}

impl Snapshot {
    /// Reads the run folder `dir`; nothing is written there, and a run may be writing it meanwhile.
    ///
    /// # Errors
    /// What keeps the manifest, `samples.csv` or `sets.json` from being read; [`ResultsError::ConfigChanged`] if rows come
    /// from other settings than the manifest tells, as a run leaves them that was killed before it had removed them.
    pub fn read(dir: impl Into<PathBuf>) -> Result<Self, ResultsError> {
        let paths = RunPaths::new(dir);
        let manifest = Manifest::read(paths.manifest())?;
        let hashes = &manifest.config_hashes;
        let rows = aggregate_of(&paths, &manifest)?;
        let mut read = Reading::default();
        for batch in current_batches(&paths.samples_csv())? {
            read.add(batch?, hashes, paths.dir())?;
        }
        let with_samples = |row| {
            let mut score = Score::of(row);
            if let Some(OfSamples { values, reasons }) = read.values.remove(&score.key()) {
                score.samples = values;
                score.reasons = reasons;
            }
            score
        };
        // Samples that failed are compared one by one.
        let scores = rows.into_iter().filter(|row| !row.counts_samples());
        Ok(Self {
            scores: scores.map(with_samples).collect(),
            samples: read.samples.into_iter().collect(),
            failures: read.failures,
            status: Some(manifest.status),
            name: manifest.name,
            dataset: manifest.dataset,
            device: manifest.device,
            versions: manifest.versions,
            inputs: manifest.inputs,
            config_hashes: manifest.config_hashes,
            config: manifest.config,
        })
    }
}

impl Snapshot {
    /// Whether there is a number that another run can be compared with.
    pub fn has_values(&self) -> bool {
        self.scores.iter().any(|score| score.mean.is_some())
    }
}

/// What the rows of a ledger say of single samples.
#[derive(Default)]
struct Reading {
    samples: BTreeSet<String>,
    failures: BTreeMap<(String, String), String>,
    values: BTreeMap<ScoreKey, OfSamples>,
}

/// [`Score::samples`] and [`Score::reasons`].
#[derive(Default)]
struct OfSamples {
    values: BTreeMap<String, Option<f64>>,
    reasons: BTreeMap<String, String>,
}

impl Reading {
    fn add(&mut self, batch: Batch, hashes: &ConfigHashes, dir: &Path) -> Result<(), ResultsError> {
        let Batch { rows, closing, .. } = batch;
        let expected = hashes.of_stage(closing.stage).hash();
        if closing.config_hash != expected {
            return Err(ResultsError::ConfigChanged {
                path: dir.to_owned(),
                expected: expected.to_owned(),
                found: closing.config_hash,
                changes: String::new(),
            });
        }
        let reason = closing.measurement.outcome.reason();
        if !reason.is_empty() {
            let sample = (closing.model.clone(), closing.sample_id.clone());
            self.failures.insert(sample, reason.to_owned());
        }
        self.samples.insert(closing.sample_id);
        let shown = |row: &Row| matches!(row.measurement.level, None | Some(Level::Unified));
        for row in rows.into_iter().filter(shown) {
            let Measurement {
                direction,
                level,
                metric,
                outcome,
                convention,
                ..
            } = row.measurement;
            let key = (row.model, metric, convention, direction, level);
            let OfSamples { values, reasons } = self.values.entry(key).or_default();
            if !outcome.reason().is_empty() {
                reasons.insert(row.sample_id.clone(), outcome.reason().to_owned());
            }
            values.insert(row.sample_id, outcome.value());
        }
        Ok(())
    }
}
