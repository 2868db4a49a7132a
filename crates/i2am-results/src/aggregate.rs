//! `aggregate.csv`: the samples of a model summed up, one row per metric, direction and level; and the scores of sets.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use i2am_quantity::{Direction, Level, Measurement, Notes, Outcome, Status};

use crate::error::ResultsError;
use crate::ledger::{CLOSING_VERSION, csv_lines};
use crate::reader::{Batch, current_batches};
use crate::row::{DatasetName, Row, SAMPLE, Stage, number, optional_cell};
use crate::sets::SetScore;

const COLUMNS: [&str; 15] = [
    "model",
    "dataset",
    "split",
    "pairing",
    "stage",
    "direction",
    "level",
    "metric",
    "version",
    "convention",
    "note",
    "n",
    "missing",
    "mean",
    "sd",
];

/// One row of `aggregate.csv`.
///
/// No interval: with few samples the choice of one matters, and is made where the statistics are.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateRow {
    /// Name of the model.
    pub model: String,
    /// Name, split and pairing of the dataset: three columns.
    pub dataset: DatasetName,
    /// The stage that measured.
    pub stage: Stage,
    /// As [`Measurement::direction`].
    pub direction: Option<Direction>,
    /// As [`Measurement::level`].
    pub level: Option<Level>,
    /// As [`Measurement::metric`]; [`SAMPLE`] for the row that counts the samples which failed in the stage.
    pub metric: String,
    /// As [`Measurement::version`].
    pub version: u32,
    /// As [`Measurement::convention`].
    pub convention: String,
    /// The different notes of the rows, sorted.
    pub note: Notes,
    /// Samples that have a value; for the score of a set, [`SetScore::n`].
    pub n: usize,
    /// Samples of this model that have none: it is empty, or they failed in the stage or could not be generated.
    pub missing: usize,
    /// Why samples have no value, with the number of those that say so; not in the file.
    pub reasons: BTreeMap<String, usize>,
    /// Mean of the `n` values, or the score of the set; `None` without any.
    pub mean: Option<f64>,
    /// Standard deviation of the `n` values, with `n - 1`, `None` for fewer than two; for the score of a set,
    /// [`SetScore::sd`].
    pub sd: Option<f64>,
}

impl AggregateRow {
    /// Whether it counts samples and holds no value: `n` of them got through the stage, `missing` failed. There is one for each stage
    /// in which samples of the model failed; its note has the first reason.
    pub fn counts_samples(&self) -> bool {
        self.metric == SAMPLE
    }

    /// How many samples have no value, and why; none if all have one.
    pub fn without_value(&self) -> Option<String> {
        let reasons: Vec<&str> = self.reasons.keys().map(String::as_str).collect();
        let all = self.n + self.missing;
        let said = format!(
            "{} of {all} samples have no value: {}",
            self.missing,
            reasons.join("; ")
        );
        (!reasons.is_empty()).then_some(said)
    }
}

/// Sums up the ledger `samples_csv`, without the scores of whole sets, which
/// [`RunFolder::aggregate`](crate::RunFolder::aggregate) adds. Sorted by model, stage, metric, direction and level, numbers in a level by value.
///
/// The sums do not depend on the order of the samples.
///
/// # Errors
/// As [`read_rows`](crate::read_rows).
pub fn aggregate(samples_csv: &Path) -> Result<Vec<AggregateRow>, ResultsError> {
    Ok(Summary::of(samples_csv)?.rows())
}

/// The rows of a ledger by what they have in common, and how the samples ended.
#[derive(Default)]
struct Summary {
    groups: BTreeMap<Group, Values>,
    ended: BTreeMap<(String, Stage), Ended>,
}

/// How the samples of a model ended in a stage.
#[derive(Default)]
struct Ended {
    ok: usize,
    failed: usize,
    dataset: DatasetName,
    /// Id and reason of the first that failed.
    first: Option<(String, String)>,
}

impl Summary {
    fn of(samples_csv: &Path) -> Result<Self, ResultsError> {
        let mut summary = Self::default();
        for batch in current_batches(samples_csv)? {
            summary.add(batch?);
        }
        Ok(summary)
    }

    fn add(&mut self, batch: Batch) {
        let Batch { rows, closing, .. } = batch;
        let ended = self
            .ended
            .entry((closing.model, closing.stage))
            .or_default();
        let outcome = closing.measurement.outcome;
        if outcome.status() == Status::Ok {
            ended.ok += 1;
        } else {
            ended.failed += 1;
            let sample = (closing.sample_id, outcome.reason().to_owned());
            // Not the first in the file, whose order depends on how often the run was interrupted.
            if ended.first.as_ref().is_none_or(|first| sample.0 < first.0) {
                ended.first = Some(sample);
            }
            ended.dataset = closing.dataset;
        }
        for row in rows {
            let (group, note, outcome) = Group::of(row);
            let values = self.groups.entry(group).or_default();
            values.finite.extend(outcome.value());
            if outcome.value().is_none() {
                *values
                    .reasons
                    .entry(outcome.reason().to_owned())
                    .or_default() += 1;
            }
            if !note.is_empty() {
                values.notes.insert(note.to_string());
            }
        }
    }

    /// Samples of `model` that could not be generated.
    fn not_generated(&self, model: &str) -> usize {
        let generated = self.ended.get(&(model.to_owned(), Stage::Generate));
        generated.map_or(0, |ended| ended.failed)
    }

    fn rows(mut self) -> Vec<AggregateRow> {
        let groups = std::mem::take(&mut self.groups);
        let row = |(group, values): (Group, Values)| {
            let ended = &self.ended[&(group.model.clone(), group.stage)];
            let samples = ended.ok + ended.failed + self.not_generated(&group.model);
            group.row(values, samples)
        };
        let mut rows: Vec<_> = groups.into_iter().map(row).collect();
        rows.extend(self.ended.iter().filter_map(counted));
        rows.sort_by_cached_key(Group::of_summary);
        rows
    }
}

/// The row that counts the samples of a model in a stage, if some failed.
fn counted(((model, stage), ended): (&(String, Stage), &Ended)) -> Option<AggregateRow> {
    let (id, reason) = ended.first.as_ref()?;
    Some(AggregateRow {
        model: model.clone(),
        dataset: ended.dataset.clone(),
        stage: *stage,
        direction: None,
        level: None,
        metric: SAMPLE.to_owned(),
        version: CLOSING_VERSION,
        convention: String::new(),
        note: Notes::from(format!("{id}: {reason}")),
        n: ended.ok,
        missing: ended.failed,
        reasons: BTreeMap::new(),
        mean: None,
        sd: None,
    })
}

/// The ledger `samples_csv` summed up, and the scores of sets of a run over `dataset`, in the order of [`aggregate`].
pub(crate) fn aggregate_with_sets(
    samples_csv: &Path,
    sets: &[SetScore],
    dataset: &DatasetName,
) -> Result<Vec<AggregateRow>, ResultsError> {
    let summary = Summary::of(samples_csv)?;
    let of_set = |score: &SetScore| of_set(score, dataset, summary.not_generated(&score.model));
    let sets: Vec<_> = sets.iter().map(of_set).collect();
    let mut rows = summary.rows();
    rows.extend(sets);
    rows.sort_by_cached_key(Group::of_summary);
    Ok(rows)
}

/// The score of a set that lacks `missing` images as a row, where a note says why there is no value.
fn of_set(score: &SetScore, dataset: &DatasetName, missing: usize) -> AggregateRow {
    let mut note = score.note.clone();
    note.extend(Notes::from(score.outcome.reason()));
    AggregateRow {
        model: score.model.clone(),
        dataset: dataset.clone(),
        stage: Stage::Measure,
        direction: None,
        level: None,
        metric: score.metric.clone(),
        version: score.version,
        convention: score.convention.clone(),
        note,
        n: score.n,
        missing,
        reasons: BTreeMap::new(),
        mean: score.outcome.value(),
        sd: score.sd,
    }
}

pub(crate) fn write_aggregate(path: &Path, rows: &[AggregateRow]) -> Result<(), ResultsError> {
    let header = COLUMNS.map(Cow::Borrowed);
    let lines = csv_lines([header].into_iter().chain(rows.iter().map(cells)));
    Ok(i2am_files::write_atomic(path, lines)?)
}

/// What the samples of one row have in common, in the order of the rows.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    model: String,
    dataset: DatasetName,
    stage: Stage,
    metric: String,
    version: u32,
    convention: String,
    // In the order of their texts.
    order: (&'static str, (String, u64), String),
    direction: Option<Direction>,
    level: Option<Level>,
}

#[derive(Debug, Default)]
struct Values {
    finite: Vec<f64>,
    reasons: BTreeMap<String, usize>,
    notes: BTreeSet<String>,
}

impl Group {
    fn of(row: Row) -> (Self, Notes, Outcome) {
        let Measurement {
            direction,
            level,
            metric,
            version,
            outcome,
            convention,
            note,
        } = row.measurement;
        let group = Self {
            model: row.model,
            dataset: row.dataset,
            stage: row.stage,
            metric,
            version,
            convention,
            order: order(direction, level.as_ref()),
            direction,
            level,
        };
        (group, note, outcome)
    }

    fn of_summary(row: &AggregateRow) -> Self {
        Self {
            model: row.model.clone(),
            dataset: row.dataset.clone(),
            stage: row.stage,
            metric: row.metric.clone(),
            version: row.version,
            convention: row.convention.clone(),
            order: order(row.direction, row.level.as_ref()),
            direction: row.direction,
            level: row.level.clone(),
        }
    }

    fn row(self, values: Values, samples: usize) -> AggregateRow {
        let n = values.finite.len();
        let (mean, sd) = mean_and_sd(values.finite);
        AggregateRow {
            model: self.model,
            dataset: self.dataset,
            stage: self.stage,
            direction: self.direction,
            level: self.level,
            metric: self.metric,
            version: self.version,
            convention: self.convention,
            note: values.notes.into_iter().flat_map(Notes::from).collect(),
            n,
            missing: samples - n,
            reasons: values.reasons,
            mean,
            sd,
        }
    }
}

/// Sorts `head:2` before `head:10`: by what precedes the first number, and that number.
fn order(
    direction: Option<Direction>,
    level: Option<&Level>,
) -> (&'static str, (String, u64), String) {
    let level = optional_cell(level);
    let start = level.find(|c: char| c.is_ascii_digit());
    let (name, rest) = level.split_at(start.unwrap_or(level.len()));
    let digits = rest.find(|c: char| !c.is_ascii_digit());
    let number = rest[..digits.unwrap_or(rest.len())].parse();
    let order = (name.to_owned(), number.unwrap_or(0));
    (
        direction.map_or("", Direction::as_str),
        order,
        level.into_owned(),
    )
}

fn mean_and_sd(mut values: Vec<f64>) -> (Option<f64>, Option<f64>) {
    // A resumed run may have its samples in another order; sorted, they give the same sum to the last bit.
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len() as f64;
    if values.is_empty() {
        return (None, None);
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let sd = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
    (Some(mean), sd)
}

fn cells(row: &AggregateRow) -> [Cow<'_, str>; COLUMNS.len()] {
    [
        row.model.as_str().into(),
        row.dataset.name.as_str().into(),
        row.dataset.split.as_str().into(),
        row.dataset.pairing.as_str().into(),
        row.stage.as_str().into(),
        row.direction.map_or("", Direction::as_str).into(),
        optional_cell(row.level.as_ref()),
        row.metric.as_str().into(),
        row.version.to_string().into(),
        row.convention.as_str().into(),
        row.note.to_string().into(),
        row.n.to_string().into(),
        row.missing.to_string().into(),
        row.mean.map_or(Cow::Borrowed(""), number),
        row.sd.map_or(Cow::Borrowed(""), number),
    ]
}

#[cfg(test)]
mod tests;
