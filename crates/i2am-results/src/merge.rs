//! Parts of one run, computed in several folders, put together in one.

mod collect;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use i2am_quantity::Status;

use crate::error::ResultsError;
use crate::inputs::{SampleInputs, changed_parts, read_inputs};
use crate::manifest::{
    CHECKPOINT, Counts, Manifest, ManifestStart, RunStatus, changed, changed_checkpoints,
};
use crate::paths::RunPaths;
use crate::row::SampleResult;
use crate::run_folder::RunFolder;
use collect::{Found, collect};

/// What [`merge`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Samples of the merged run; `skipped` are those that it had before.
    pub counts: Counts,
    /// What a reader of the numbers should know; also in the manifest.
    pub warnings: Vec<String>,
}

/// A folder that is read.
struct Part {
    paths: RunPaths,
    manifest: Manifest,
    /// What its samples were computed from.
    inputs: BTreeMap<String, SampleInputs>,
}

/// Puts the run folders `parts` together in the folder `into`, which is then that of a run that did all of their samples: its
/// rows are in the order of stages, models and ids, whatever the order of `parts`. `into` may hold some samples already, from a
/// merge that was killed or that knew fewer parts; the others are then added.
///
/// Scores of whole sets, such as FID, do not follow from those of parts. None are taken over; they have to be measured on the
/// result. The rows of all parts are in memory at a time.
///
/// # Errors
/// - [`ResultsError::NotOneRun`]: the folders differ in settings, data set, checkpoints or the inputs of a sample.
/// - [`ResultsError::Disagree`]: two have the same sample with other results or another picture.
/// - [`ResultsError::MergeIntoPart`]: `into` is one of `parts`.
/// - Those of [`RunFolder::open`] for `into`, and of reading a manifest and a ledger.
///
/// Nothing is written before all parts are known to fit.
///
/// # Panics
/// Without parts.
pub fn merge(parts: &[PathBuf], into: &Path) -> Result<Merged, ResultsError> {
    assert!(!parts.is_empty(), "at least one part");
    check_apart(parts, into)?;
    let mut all = parts
        .iter()
        .map(|dir| open(dir))
        .collect::<Result<Vec<_>, _>>()?;
    let warnings = warnings(&all);
    // What is there already has to fit like any other part, and to stay.
    if RunPaths::new(into).manifest().exists() {
        all.insert(0, open(into)?);
    }
    for (index, first) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            check_one_run(first, other)?;
        }
    }
    let found = collect(&all)?;
    let mut run = RunFolder::open(into, start(&all), false)?;
    run.add_inputs(all.iter().flat_map(|part| part.inputs.clone()).collect())?;
    for Found { part, result } in found {
        if run.done(result.stage, &result.model, &result.sample_id) == Some(Status::Ok) {
            continue;
        }
        // First the files: a sample whose rows are there counts as done.
        copy_files(&all[part].paths, run.paths(), &result)?;
        run.append(&result)?;
    }
    let manifest = run.finish(warnings.clone())?;
    Ok(Merged {
        counts: manifest.counts,
        warnings,
    })
}

fn open(dir: &Path) -> Result<Part, ResultsError> {
    let paths = RunPaths::new(dir);
    Ok(Part {
        manifest: Manifest::read(paths.manifest())?,
        inputs: read_inputs(&paths.inputs())?,
        paths,
    })
}

fn check_apart(parts: &[PathBuf], into: &Path) -> Result<(), ResultsError> {
    // A folder that does not exist yet is none of them.
    let Ok(target) = fs::canonicalize(into) else {
        return Ok(());
    };
    let same = |dir: &&PathBuf| fs::canonicalize(dir).is_ok_and(|dir| dir == target);
    match parts.iter().find(same) {
        Some(dir) => Err(ResultsError::MergeIntoPart { path: dir.clone() }),
        None => Ok(()),
    }
}

fn check_one_run(first: &Part, other: &Part) -> Result<(), ResultsError> {
    let [was, now] = [first, other].map(|part| &part.manifest);
    let configs = [&was.config, &now.config];
    let mut differences = now
        .config_hashes
        .differences_from(&was.config_hashes, configs);
    let others = changed(&was.inputs, &now.inputs).into_iter();
    let others = others.filter(|(name, ..)| !name.starts_with(CHECKPOINT));
    for (name, was, now) in others.chain(changed_checkpoints(&was.inputs, &now.inputs)) {
        differences.push(format!("sha256 of `{name}`: {was}, now {now}"));
    }
    for (id, now) in &other.inputs {
        let was = first.inputs.get(id);
        if let Some(was) = was.filter(|was| was.fingerprint != now.fingerprint) {
            let files = changed_parts(was, now).into_iter().map(|(_, path)| path);
            let files = files.collect::<Vec<_>>().join(", ");
            differences.push(format!("inputs of sample `{id}`: {files}"));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(ResultsError::NotOneRun {
        path: other.paths.dir().to_owned(),
        first: first.paths.dir().to_owned(),
        differences,
    })
}

/// What `parts` say of themselves, and where they differ in what can move a number a little.
fn warnings(parts: &[Part]) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    let first = &parts[0].manifest;
    for Part {
        paths, manifest, ..
    } in parts
    {
        let dir = paths.dir().display();
        let own = manifest.warnings.iter();
        warnings.extend(own.map(|warning| format!("{dir}: {warning}")));
        if matches!(manifest.status, RunStatus::Started | RunStatus::Interrupted) {
            warnings.push(format!("{dir}: the run did not end"));
        }
        for (name, was, now) in changed(&first.versions, &manifest.versions) {
            warnings.push(format!("{dir}: version of {name}: {now}, elsewhere {was}"));
        }
        if manifest.device != first.device {
            let (now, was) = (&manifest.device, &first.device);
            warnings.push(format!("{dir}: device {now}, elsewhere {was}"));
        }
        if manifest.git != first.git {
            warnings.push(format!("{dir}: another commit or working tree"));
        }
    }
    warnings
}

/// A run like that of `parts`, with the checkpoints that any of them names.
fn start(parts: &[Part]) -> ManifestStart {
    let manifest = parts[0].manifest.clone();
    let inputs = parts.iter().flat_map(|part| part.manifest.inputs.clone());
    ManifestStart {
        name: manifest.name,
        dataset: manifest.dataset,
        git: manifest.git,
        config: manifest.config,
        config_hashes: manifest.config_hashes,
        inputs: inputs.collect(),
        samples: None,
        versions: manifest.versions,
        device: manifest.device,
        threads: manifest.threads,
        seed: manifest.seed,
    }
}

/// Copies what the stage of `result` wrote in addition to its rows.
fn copy_files(from: &RunPaths, to: &RunPaths, result: &SampleResult) -> Result<(), ResultsError> {
    let [sources, targets] =
        [from, to].map(|paths| paths.of_stage(result.stage, &result.model, &result.sample_id));
    for (source, target) in sources.into_iter().zip(targets) {
        if source.is_dir() {
            for file in i2am_files::sorted_entries(&source)? {
                let name = file.file_name().unwrap_or_default();
                i2am_files::write_atomic(target.join(name), i2am_files::read(&file)?)?;
            }
        } else if source.is_file() {
            i2am_files::write_atomic(target, i2am_files::read(source)?)?;
        }
    }
    Ok(())
}
