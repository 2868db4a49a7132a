//! `sets.json`: what only a whole set of pictures has, such as FID and KID.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::aggregate::AggregateRow;
use crate::error::ResultsError;
use crate::outcome::Outcome;
use crate::row::{DatasetName, Stage, check_cell};

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
    /// A remark that belongs to the value wherever it is shown; usually empty.
    pub note: String,
    /// Generated pictures that it is computed from.
    pub n: usize,
    /// The value, or why there is none.
    pub outcome: Outcome,
    /// Standard deviation over the random subsets of a metric that draws some; `None` for others.
    pub sd: Option<f64>,
}

/// The content of `sets.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sets<Scores> {
    /// Hash of the settings of [`Stage::Measure`] that the scores come from.
    config_hash: String,
    scores: Scores,
}

impl SetScore {
    /// As a row of `aggregate.csv`, where a note says why there is no value.
    pub(crate) fn row(&self, dataset: &DatasetName) -> AggregateRow {
        let mut notes = vec![self.note.as_str(), self.outcome.reason()];
        notes.retain(|note| !note.is_empty());
        AggregateRow {
            model: self.model.clone(),
            dataset: dataset.clone(),
            stage: Stage::Measure,
            direction: String::new(),
            level: String::new(),
            metric: self.metric.clone(),
            version: self.version,
            convention: self.convention.clone(),
            note: notes.join("; "),
            n: self.n,
            missing: 0,
            mean: self.outcome.value(),
            sd: self.sd,
        }
    }

    /// No two scores of a run have the same.
    fn key(&self) -> (&str, &str, u32, &str) {
        (&self.model, &self.metric, self.version, &self.convention)
    }

    fn check(&self) -> Result<(), String> {
        check_cell("model", &self.model)?;
        check_cell("metric", &self.metric)?;
        check_cell("convention", &self.convention)?;
        check_cell("note", &self.note)?;
        match self.sd {
            Some(sd) if !sd.is_finite() => Err(format!("`sd` must be finite, found {sd}")),
            _ => Ok(()),
        }
    }
}

/// The scores in the file `path`, none where there is no file; `None` when they come from other settings.
pub(crate) fn read_sets(
    path: &Path,
    config_hash: &str,
) -> Result<Option<Vec<SetScore>>, ResultsError> {
    if !path.exists() {
        return Ok(Some(Vec::new()));
    }
    let bytes = i2am_files::read(path)?;
    let sets: Sets<Vec<SetScore>> =
        serde_json::from_slice(&bytes).map_err(|error| ResultsError::Damaged {
            path: path.to_owned(),
            line: error.line() as u64,
            problem: error.to_string(),
        })?;
    Ok((sets.config_hash == config_hash).then_some(sets.scores))
}

pub(crate) fn write_sets(
    path: &Path,
    config_hash: &str,
    scores: &[SetScore],
) -> Result<(), ResultsError> {
    let sets = Sets {
        config_hash: config_hash.to_owned(),
        scores,
    };
    let mut json = serde_json::to_vec_pretty(&sets).expect("scores have only text keys");
    json.push(b'\n');
    Ok(i2am_files::write_atomic(path, json)?)
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
