//! `sets.json`: what only a whole set of pictures has, such as FID and KID.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use i2am_quantity::{Notes, Outcome, Status};
use serde::{Deserialize, Serialize};

use crate::config_hash::short_hash;
use crate::error::ResultsError;
use crate::json;
use crate::reader::{Sample, SampleKey};
use crate::row::{Stage, check_cell};

/// A score of all pictures of a model together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetScore {
    /// Name of the model.
    pub model: String,
    /// Name of the metric.
    pub metric: String,
    /// Version of the metric, which goes up whenever its values can change.
    pub version: u32,
    /// The variant of the metric, such as `clean`; empty when it has only one.
    pub convention: String,
    /// As [`Measurement::note`](crate::Measurement::note).
    pub note: Notes,
    /// Generated pictures that it is computed from.
    pub n: usize,
    /// The value, or why there is none.
    pub outcome: Outcome,
    /// Standard deviation over the random subsets of a metric that draws some; `None` for others.
    pub sd: Option<f64>,
}

/// The content of `sets.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sets {
    /// Hash of the settings of [`Stage::Measure`] that the scores come from.
    pub(crate) config_hash: String,
    /// What [`measured_on`] gave when the scores were measured; an earlier version did not write it.
    #[serde(default)]
    pub(crate) inputs: Option<BTreeMap<String, String>>,
    pub(crate) scores: Vec<SetScore>,
    /// Whether scores were left out that come from other settings or other samples.
    #[serde(skip)]
    pub(crate) outdated: bool,
}

impl Sets {
    /// Reads the file `path`, if there is one. Scores that come from other settings than those of `config_hash` or from other
    /// samples than `samples` are left out.
    pub(crate) fn read<'a>(
        path: &Path,
        config_hash: &str,
        samples: impl IntoIterator<Item = (&'a SampleKey, &'a Sample)>,
    ) -> Result<Self, ResultsError> {
        let mut sets = Self::default();
        if path.exists() {
            sets = json::read(path)?;
        }
        if sets.config_hash != config_hash {
            sets.outdated = !sets.scores.is_empty();
            sets.scores.clear();
        }
        config_hash.clone_into(&mut sets.config_hash);
        sets.update(samples);
        Ok(sets)
    }

    /// Leaves the scores out that were measured on other samples than `samples`.
    pub(crate) fn update<'a>(
        &mut self,
        samples: impl IntoIterator<Item = (&'a SampleKey, &'a Sample)>,
    ) {
        let now = measured_on(samples);
        if let Some(then) = &self.inputs {
            let before = self.scores.len();
            self.scores
                .retain(|score| then.get(&score.model) == now.get(&score.model));
            self.outdated |= self.scores.len() < before;
        }
        self.inputs = Some(now);
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), ResultsError> {
        Ok(i2am_files::write_atomic(path, json::pretty(self) + "\n")?)
    }
}

/// A fingerprint over the generated samples of each model, which its sets are made of.
fn measured_on<'a>(
    samples: impl IntoIterator<Item = (&'a SampleKey, &'a Sample)>,
) -> BTreeMap<String, String> {
    let mut lists: BTreeMap<&str, String> = BTreeMap::new();
    for (key, sample) in samples {
        if key.stage == Stage::Generate && sample.outcome.status() == Status::Ok {
            let list = lists.entry(&key.model).or_default();
            writeln!(list, "{}\n{}", key.sample_id, sample.inputs)
                .expect("writing to a String cannot fail");
        }
    }
    let hashes = lists.into_iter();
    hashes
        .map(|(model, list)| (model.to_owned(), short_hash(&list)))
        .collect()
}

impl SetScore {
    /// No two scores of a run have the same.
    fn key(&self) -> (&str, &str, u32, &str) {
        (&self.model, &self.metric, self.version, &self.convention)
    }

    fn check(&self) -> Result<(), String> {
        check_cell("model", &self.model)?;
        check_cell("metric", &self.metric)?;
        check_cell("convention", &self.convention)?;
        check_cell("note", &self.note.to_string())?;
        match self.sd {
            Some(sd) if !sd.is_finite() => Err(format!("`sd` must be finite, found {sd}")),
            _ => Ok(()),
        }
    }
}

/// `scores` where those of the models in `new` are replaced by `new`, sorted.
pub(crate) fn replaced(
    scores: &[SetScore],
    new: Vec<SetScore>,
) -> Result<Vec<SetScore>, ResultsError> {
    let mut seen = BTreeSet::new();
    for score in &new {
        let unique = seen.insert(score.key());
        let twice = || "two scores of one version and convention".to_owned();
        score
            .check()
            .and_then(|()| unique.then_some(()).ok_or_else(twice))
            .map_err(|problem| ResultsError::InvalidScore {
                model: score.model.clone(),
                metric: score.metric.clone(),
                problem,
            })?;
    }
    let models: BTreeSet<&str> = new.iter().map(|score| score.model.as_str()).collect();
    let kept = scores
        .iter()
        .filter(|score| !models.contains(score.model.as_str()));
    let mut scores: Vec<SetScore> = kept.cloned().collect();
    scores.extend(new);
    scores.sort_by(|a, b| a.key().cmp(&b.key()));
    Ok(scores)
}
