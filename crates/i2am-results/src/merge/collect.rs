//! The samples of all parts, each once.

use std::collections::BTreeMap;
use std::path::Path;

use super::Part;
use crate::error::ResultsError;
use crate::reader::{Batch, SampleKey, current_batches};
use crate::row::{SampleResult, Stage, optional_cell};

/// One stage of one sample.
pub(super) struct Found {
    /// Index of the part that has it.
    pub(super) part: usize,
    pub(super) result: SampleResult,
}

/// What every part found out, in the order in which one run would have: by stage, model and sample id.
///
/// Of a sample that several parts have, the first result counts, or the first that is no failure.
///
/// # Errors
/// [`ResultsError::Disagree`] if two of them got through with it and not to the same; [`ResultsError::ConfigChanged`] for rows
/// that come from other settings than their manifest tells.
pub(super) fn collect(parts: &[Part]) -> Result<Vec<Found>, ResultsError> {
    let mut all: BTreeMap<SampleKey, Found> = BTreeMap::new();
    for (
        part,
        Part {
            paths, manifest, ..
        },
    ) in parts.iter().enumerate()
    {
        for batch in current_batches(&paths.samples_csv())? {
            let batch = batch?;
            let expected = manifest.config_hashes.of_stage(batch.closing.stage).hash();
            if batch.closing.config_hash != expected {
                return Err(ResultsError::ConfigChanged {
                    path: paths.dir().to_owned(),
                    expected: expected.to_owned(),
                    found: batch.closing.config_hash,
                    changes: String::new(),
                });
            }
            let (key, result) = (batch.key(), result_of(batch));
            let found = Found { part, result };
            match all.get(&key) {
                Some(other) if other.result.failure.is_none() => {
                    check_same(parts, other, &found)?;
                }
                Some(_) if found.result.failure.is_some() => {}
                _ => {
                    all.insert(key, found);
                }
            }
        }
    }
    Ok(all.into_values().collect())
}

fn result_of(batch: Batch) -> SampleResult {
    let Batch { rows, closing, .. } = batch;
    let reason = closing.measurement.outcome.reason();
    SampleResult {
        stage: closing.stage,
        failure: (!reason.is_empty()).then(|| reason.to_owned()),
        model: closing.model,
        sample_id: closing.sample_id,
        measurements: rows.into_iter().map(|row| row.measurement).collect(),
    }
}

fn check_same(parts: &[Part], one: &Found, other: &Found) -> Result<(), ResultsError> {
    if other.result.failure.is_some() {
        return Ok(());
    }
    let [first, second] = [one, other].map(|found| &parts[found.part].paths);
    let disagree = |what: String| ResultsError::Disagree {
        model: one.result.model.clone(),
        sample_id: one.result.sample_id.clone(),
        first: first.dir().to_owned(),
        second: second.dir().to_owned(),
        what,
    };
    let [a, b] = [one, other].map(|found| &found.result.measurements);
    if a.len() != b.len() {
        let what = format!("number of rows: {} and {}", a.len(), b.len());
        return Err(disagree(what));
    }
    if let Some((row, _)) = a.iter().zip(b).find(|(a, b)| a != b) {
        let level = optional_cell(row.level.as_ref());
        let what = format!("result of `{}`, level `{level}`", row.metric);
        return Err(disagree(what));
    }
    if one.result.stage != Stage::Generate {
        // What a later stage draws follows from these.
        return Ok(());
    }
    let SampleResult {
        stage,
        model,
        sample_id,
        ..
    } = &one.result;
    let [a, b] = [first, second].map(|paths| paths.of_stage(*stage, model, sample_id));
    for (a, b) in a.iter().zip(&b) {
        if hash(a)? != hash(b)? {
            let name = a.file_name().unwrap_or_default();
            return Err(disagree(format!("file {}", name.display())));
        }
    }
    Ok(())
}

/// The content of a file, if it is there.
fn hash(file: &Path) -> Result<Option<String>, ResultsError> {
    let there = file.is_file();
    Ok(there.then(|| i2am_files::sha256_file(file)).transpose()?)
}
