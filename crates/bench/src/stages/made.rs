//! The last stages are done again only if something that they are made from has changed.
//!
//! What they are made from has a key: a hash over the program's version, their settings and the files that they read. Times of the
//! manifest are left out. The key of the correlations lies in a file of its own, together with their hash; the page ends with its key.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result};
use i2am_results::{Manifest, RunFolder, RunPaths};
use serde_json::{Value, json};

use super::{correlate, report};
use crate::plan::Plan;

/// Correlates, unless the correlations that are there are those of the results of now.
pub(crate) fn correlate(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    // The order of rows is part of the key.
    folder.put_in_order()?;
    let (path, place) = (folder.paths().correlations(), folder.paths().made_from());
    let models: Vec<&str> = plan
        .models
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    let key = key(&json!({
        "statistics": plan.config.statistics,
        "models": models,
        "samples": hash(&folder.paths().samples_csv())?,
        "sets": folder.set_scores(),
    }));
    let stamp = |key: &str| -> Result<String> {
        Ok(format!("{key} {}\n", hash(&path)?.unwrap_or_default()))
    };
    if path.is_file() && i2am_files::read_text(&place).ok() == Some(stamp(&key)?) {
        return Ok(());
    }
    correlate::run(plan, folder)?;
    Ok(i2am_files::write_atomic(&place, stamp(&key)?)?)
}

/// Writes the report, unless the one that is there is that of the results of now.
pub(crate) fn report(plan: &Plan, paths: &RunPaths) -> Result<()> {
    let manifest = Manifest::read(paths.manifest())?;
    let debug: Vec<Value> = plan
        .models
        .iter()
        .map(|entry| Ok(json!(hash(&paths.debug(&entry.name))?)))
        .collect::<Result<_>>()?;
    let key = key(&json!({
        "page": plan.config.page,
        "run": [&json!(manifest.status), &json!(manifest.warnings), &manifest.config],
        "of": [&json!(manifest.name), &json!(manifest.git), &json!(manifest.versions), &json!(manifest.inputs)],
        "on": [&json!(manifest.device), &json!(manifest.threads)],
        "counts": [manifest.counts.ok, manifest.counts.failed],
        "samples": hash(&paths.samples_csv())?,
        "sets": hash(&paths.sets())?,
        "correlations": hash(&paths.correlations())?,
        "debug": debug,
    }));
    let has_folders = paths.tables().is_dir() && paths.plots().is_dir();
    if has_folders && ends_with(&paths.page(), &i2am_report::made_from(&key)) {
        tracing::info!("{}: up to date", paths.page().display());
        return Ok(());
    }
    report::run(plan, paths, &key)
}

fn key(of: &Value) -> String {
    i2am_files::sha256_hex(format!("{} {of}", env!("I2AM_VERSION")))
}

/// The hash of a file; none if it is not there.
fn hash(path: &Path) -> Result<Option<String>> {
    let there = path.is_file();
    Ok(there.then(|| i2am_files::sha256_file(path)).transpose()?)
}

/// Whether the file `path` can be read and ends with `text`.
fn ends_with(path: &Path, text: &str) -> bool {
    let tail = || -> Result<bool> {
        let mut file = File::open(path)?;
        let start = -i64::try_from(text.len()).context("a short text")?;
        file.seek(SeekFrom::End(start))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        Ok(tail == text.as_bytes())
    };
    tail().unwrap_or(false)
}
