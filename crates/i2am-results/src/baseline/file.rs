//! The file of a baseline: JSON with a line for each value.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::{BASELINE_SCHEMA_VERSION, Baseline, Score, Snapshot};
use crate::error::ResultsError;
use crate::json::{block, compact, json_problem, member, pretty};
use crate::row::optional_cell;

pub(super) fn read(path: &Path) -> Result<Baseline, ResultsError> {
    let text = i2am_files::read_text(path)?;
    let format = |problem: String| ResultsError::BaselineFormat {
        path: path.to_owned(),
        problem,
    };
    let json: Value = serde_json::from_str(&text).map_err(|error| format(json_problem(&error)))?;
    if let Some(version) = json.get("schema_version")
        && *version != BASELINE_SCHEMA_VERSION
    {
        return Err(ResultsError::SchemaVersion {
            path: path.to_owned(),
            expected: BASELINE_SCHEMA_VERSION,
            found: version.to_string(),
        });
    }
    // Parsed from the text again, so that an error has line and column.
    let baseline: Baseline =
        serde_json::from_str(&text).map_err(|error| format(json_problem(&error)))?;
    match problem(&baseline) {
        Some(problem) => Err(format(problem)),
        None => Ok(baseline),
    }
}

/// What an edit by hand can have left.
fn problem(baseline: &Baseline) -> Option<String> {
    if !baseline.run.has_values() {
        let found = match baseline.run.scores.len() {
            0 => "no score".to_owned(),
            count => format!("{count} without a value"),
        };
        return Some(format!(
            "expected scores to compare with, found {found}: nothing could be worse"
        ));
    }
    for (metric, tolerance) in &baseline.tolerances {
        if let Some(problem) = tolerance.problem() {
            return Some(format!("tolerances.{metric}.{problem}"));
        }
    }
    let mut seen = BTreeSet::new();
    for score in &baseline.run.scores {
        let Score { model, metric, .. } = score;
        if !baseline.tolerances.contains_key(metric) {
            return Some(format!("tolerances: none for `{metric}`"));
        }
        if !seen.insert(score.key()) {
            let level = optional_cell(score.level.as_ref());
            return Some(format!(
                "two scores `{metric}` of model `{model}`, level `{level}`"
            ));
        }
    }
    None
}

/// The text of the file. Everything that a user may change comes first.
pub(super) fn to_json(baseline: &Baseline) -> String {
    let Baseline {
        schema_version,
        tolerances,
        run,
    } = baseline;
    let tolerances = tolerances
        .iter()
        .map(|(metric, tolerance)| member(metric, &compact(tolerance)));
    let members = [
        member("schema_version", &compact(schema_version)),
        member("tolerances", &block(['{', '}'], tolerances)),
        member("run", &snapshot(run)),
    ];
    block(['{', '}'], members) + "\n"
}

fn snapshot(run: &Snapshot) -> String {
    let hashes = &run.config_hashes;
    let hashes = [
        ("generate", &hashes.generate),
        ("score", &hashes.score),
        ("measure", &hashes.measure),
    ]
    .map(|(stage, hash)| member(stage, &compact(hash)));
    let members = [
        member("name", &compact(&run.name)),
        member("dataset", &compact(&run.dataset)),
        member("device", &compact(&run.device)),
        member("versions", &pretty(&run.versions)),
        member("inputs", &pretty(&run.inputs)),
        member("config_hashes", &block(['{', '}'], hashes)),
        member("config", &pretty(&run.config)),
        member(
            "samples",
            &block(['[', ']'], run.samples.iter().map(compact)),
        ),
        member("scores", &block(['[', ']'], run.scores.iter().map(score))),
    ];
    block(['{', '}'], members)
}

/// One line, and one more for each sample.
fn score(score: &Score) -> String {
    if score.samples.is_empty() {
        return compact(score);
    }
    let samples = score
        .samples
        .iter()
        .map(|(id, value)| member(id, &compact(value)));
    let samples = member("samples", &block(['{', '}'], samples));
    let head = compact(&Score {
        samples: BTreeMap::new(),
        ..score.clone()
    });
    let head = head.strip_suffix('}').unwrap_or(&head);
    format!("{head}, {samples}}}")
}
