//! What moved between a baseline and a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use i2am_quantity::{Better, Bound, Direction, Level, Notes};
use serde::{Serialize, Serializer};

use super::snapshot::ScoreKey;
use super::{Baseline, Score, Snapshot, Tolerance};
use crate::error::ResultsError;
use crate::manifest::{CHECKPOINT, RunStatus, changed};
use crate::row::optional_cell;

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The baseline has it, the run has not. A failure.
    Missing,
    /// It moved beyond the tolerance, the wrong way. A failure.
    Worse,
    /// It moved beyond the tolerance, and no way is the wrong one.
    Moved,
    /// It moved beyond the tolerance, the right way.
    Better,
    /// The run has it, the baseline has not.
    New,
    /// It is within the tolerance.
    Same,
}

impl Verdict {
    /// In the order of their severity.
    pub const ALL: [Self; 6] = [
        Self::Missing,
        Self::Worse,
        Self::Moved,
        Self::Better,
        Self::New,
        Self::Same,
    ];

    /// As written in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Worse => "worse",
            Self::Moved => "moved",
            Self::Better => "better",
            Self::New => "new",
            Self::Same => "same",
        }
    }

    /// Whether a run with such a value is worse than the baseline.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Missing | Self::Worse)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A value of the baseline and that of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// As [`Score::model`]; so are the next five.
    pub model: String,
    /// Name of the metric.
    pub metric: String,
    /// The direction; an empty text in JSON where there is none.
    #[serde(serialize_with = "text")]
    pub direction: Option<Direction>,
    /// The level; an empty text in JSON where there is none.
    #[serde(serialize_with = "text")]
    pub level: Option<Level>,
    /// Convention or variant, or empty.
    pub convention: String,
    /// Remarks that belong to the value wherever it is shown.
    pub note: Notes,
    /// The sample; `None` for the score of the model.
    pub sample: Option<String>,
    /// The baseline's value.
    pub old: Option<f64>,
    /// The run's value.
    pub new: Option<f64>,
    /// Which direction is better.
    pub better: Better,
    /// How far `new` may be from `old`.
    pub tolerance: Option<f64>,
    /// What became of it.
    pub verdict: Verdict,
    /// Why the run has no value, or none that could be compared; otherwise empty.
    pub reason: String,
}

impl Change {
    /// The new value less the old one.
    pub fn difference(&self) -> Option<f64> {
        Some(self.new? - self.old?)
    }

    /// The size of the difference as a part of the tolerance: above 1 it is beyond. `None` where there is no tolerance, or one
    /// of 0 that is kept.
    pub fn used(&self) -> Option<f64> {
        let used = self.difference()?.abs() / self.tolerance?;
        (!used.is_nan()).then_some(used)
    }
}

#[expect(
    clippy::ref_option,
    reason = "serde passes a field of any type by reference"
)]
fn text<S: Serializer>(
    value: &Option<impl fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&optional_cell(value.as_ref()))
}

/// All that a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// One for each value that either side has.
    pub changes: Vec<Change>,
    /// What else differs, and may explain them.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Whether the run is worse than the baseline allows, or lacks something that it has.
    pub fn is_worse(&self) -> bool {
        self.changes
            .iter()
            .any(|change| change.verdict.is_failure())
    }

    /// How many values have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        let of_it = self.changes.iter().filter(|one| one.verdict == verdict);
        of_it.count()
    }

    /// The value within its tolerance that came closest to its end; the first of several, `None` if nothing moved at all.
    pub fn closest(&self) -> Option<&Change> {
        let mut closest: Option<(f64, &Change)> = None;
        for change in &self.changes {
            let used = change.used().filter(|&used| used > 0.0);
            if let Some(used) = used.filter(|_| change.verdict == Verdict::Same)
                && closest.is_none_or(|(most, _)| used > most)
            {
                closest = Some((used, change));
            }
        }
        closest.map(|(_, change)| change)
    }
}

pub(super) fn compare(baseline: &Baseline, run: &Snapshot) -> Result<Comparison, ResultsError> {
    let old = &baseline.run;
    let differences = differences(old, run);
    if !differences.is_empty() {
        return Err(ResultsError::NotComparable { differences });
    }
    let of_run: BTreeMap<ScoreKey, &Score> = run
        .scores
        .iter()
        .map(|score| (score.key(), score))
        .collect();
    let mut changes = Vec::new();
    for score in &old.scores {
        let pair = Pair {
            baseline,
            run,
            old: Some(score),
            new: of_run.get(&score.key()).copied(),
        };
        pair.compare(score, &mut changes);
    }
    let known: BTreeSet<ScoreKey> = old.scores.iter().map(Score::key).collect();
    for score in run.scores.iter().filter(|one| !known.contains(&one.key())) {
        let pair = Pair {
            baseline,
            run,
            old: None,
            new: Some(score),
        };
        pair.compare(score, &mut changes);
    }
    Ok(Comparison {
        changes,
        notes: notes(old, run),
    })
}

/// What keeps two runs from being compared.
fn differences(old: &Snapshot, new: &Snapshot) -> Vec<String> {
    let configs = [&old.config, &new.config];
    let mut found = new
        .config_hashes
        .differences_from(&old.config_hashes, configs);
    // Checkpoints are under test rather than part of the measurement.
    for (name, was, now) in changed(&old.inputs, &new.inputs) {
        if !name.starts_with(CHECKPOINT) {
            found.push(format!("sha256 of `{name}`: {was}, now {now}"));
        }
    }
    let mut metrics = BTreeSet::new();
    for Score {
        metric, version, ..
    } in &new.scores
    {
        let was = old.scores.iter().find(|score| score.metric == *metric);
        if let Some(was) = was.filter(|was| was.version != *version)
            && metrics.insert(metric)
        {
            let was = was.version;
            found.push(format!(
                "version of metric `{metric}`: {was}, now {version}"
            ));
        }
    }
    let more: Vec<&String> = new
        .samples
        .iter()
        .filter(|id| !old.samples.contains(id))
        .collect();
    if let [first, ..] = more[..] {
        found.push(format!(
            "samples: {} that the baseline lacks, of which the first is `{first}` (--limit takes the first few)",
            more.len()
        ));
    }
    found
}

/// What differs and may move a number, or explain why one is missing.
fn notes(old: &Snapshot, new: &Snapshot) -> Vec<String> {
    /// Digits of a hash that tell it from another.
    const SHORT: usize = 12;
    let mut notes = Vec::new();
    match new.status {
        None | Some(RunStatus::Success) => {}
        Some(RunStatus::Started | RunStatus::Interrupted) => {
            notes.push("the run did not end".to_owned());
        }
        Some(RunStatus::Partial) => {
            notes.push("some samples or scores of the run failed".to_owned());
        }
        Some(RunStatus::Failed) => notes.push("the run failed".to_owned()),
    }
    for (name, was, now) in changed(&old.inputs, &new.inputs) {
        let short = |hash: &str| hash.chars().take(SHORT).collect::<String>();
        if name.starts_with(CHECKPOINT) {
            notes.push(format!("{name}: {}, now {}", short(was), short(now)));
        }
    }
    for (name, was, now) in changed(&old.versions, &new.versions) {
        notes.push(format!("version of {name}: {was}, now {now}"));
    }
    if old.device != new.device {
        notes.push(format!("device: {}, now {}", old.device, new.device));
    }
    notes
}

/// One score on both sides.
struct Pair<'a> {
    baseline: &'a Baseline,
    run: &'a Snapshot,
    old: Option<&'a Score>,
    new: Option<&'a Score>,
}

impl Pair<'_> {
    /// Adds the score, and the value of each sample; `named` is either side.
    fn compare(&self, named: &Score, changes: &mut Vec<Change>) {
        let tolerance = self.baseline.tolerances.get(&named.metric);
        let mut add = |sample: Option<&String>, values: Values, bound: Option<Bound>| {
            let better = tolerance.map_or(Better::Neither, |tolerance| tolerance.better);
            let (tolerance, verdict) = values.judge(better, bound);
            changes.push(Change {
                model: named.model.clone(),
                metric: named.metric.clone(),
                direction: named.direction,
                level: named.level.clone(),
                convention: named.convention.clone(),
                note: named.note.clone(),
                sample: sample.cloned(),
                old: values.old,
                new: values.new,
                better,
                tolerance,
                verdict,
                reason: values.reason,
            });
        };
        add(None, self.of_model(), tolerance.map(|one| one.mean));
        let of = |score: Option<&Score>| score.map(|score| score.samples.clone());
        let [old, new] = [of(self.old), of(self.new)].map(Option::unwrap_or_default);
        // All samples of a new score are as new as the score itself.
        let ids: BTreeSet<&String> = match self.old {
            Some(_) => old.keys().chain(new.keys()).collect(),
            None => BTreeSet::new(),
        };
        for id in ids {
            let [was, now] = [&old, &new].map(|values| values.get(id).copied().flatten());
            let values = Values {
                old: was,
                new: now,
                counts: (1, 1),
                reason: now.map_or_else(|| self.why_without(named, id), |_| String::new()),
            };
            add(Some(id), values, tolerance.map(Tolerance::of_sample));
        }
    }

    fn of_model(&self) -> Values {
        let value = |score: Option<&Score>| score.and_then(|score| score.mean);
        let [was, now] = [self.old, self.new].map(|score| score.map_or(0, |score| score.n));
        let reason = match (self.old, self.new) {
            (Some(_), None) => "the run has no such score".to_owned(),
            (Some(_), Some(_)) if was != now => format!("over {was} samples, now {now}"),
            (_, Some(new)) if new.mean.is_none() => new.note.to_string(),
            _ => String::new(),
        };
        Values {
            old: value(self.old),
            new: value(self.new),
            counts: (was, now),
            reason,
        }
    }

    fn why_without(&self, named: &Score, id: &str) -> String {
        let own = self.new.and_then(|score| score.reasons.get(id));
        let sample = (named.model.clone(), id.to_owned());
        let reason = own.or_else(|| self.run.failures.get(&sample));
        reason.map_or_else(|| "not in the run".to_owned(), Clone::clone)
    }
}

/// Two values of one thing.
struct Values {
    old: Option<f64>,
    new: Option<f64>,
    /// Samples that they are of.
    counts: (usize, usize),
    reason: String,
}

impl Values {
    fn judge(&self, better: Better, bound: Option<Bound>) -> (Option<f64>, Verdict) {
        let (Some(old), Some(new)) = (self.old, self.new) else {
            let verdict = match (self.old, self.new) {
                (Some(_), _) => Verdict::Missing,
                (None, Some(_)) => Verdict::New,
                (None, None) => Verdict::Same,
            };
            return (None, verdict);
        };
        // Means over other samples are other things.
        let (was, now) = self.counts;
        let bound = match bound {
            Some(bound) if was == now => bound,
            _ if now < was => return (None, Verdict::Missing),
            _ => return (None, Verdict::New),
        };
        let allowed = bound.allowed(old);
        let difference = new - old;
        let verdict = match better {
            _ if difference.abs() <= allowed => Verdict::Same,
            Better::Neither => Verdict::Moved,
            Better::Higher if difference < 0.0 => Verdict::Worse,
            Better::Lower if difference > 0.0 => Verdict::Worse,
            Better::Higher | Better::Lower => Verdict::Better,
        };
        (Some(allowed), verdict)
    }
}
