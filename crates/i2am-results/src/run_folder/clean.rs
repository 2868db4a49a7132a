//! What is removed when a run folder is opened, and the warnings that say so.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use i2am_files::{Action, FileError};

use crate::error::ResultsError;
use crate::ledger::Outdated;
use crate::manifest::{Manifest, is_manifest};
use crate::paths::{DERIVED, LATER_FOLDERS, RESULTS, RunPaths, SAMPLE_FOLDERS};
use crate::row::Stage;
use crate::sets::Sets;

/// Warns of what is removed or done again, all but the changed samples.
pub(super) fn warn(manifest: &mut Manifest, earlier: &Manifest, outdated: &Outdated, sets: bool) {
    let mut stages = outdated.stages.clone();
    stages.extend(sets.then_some(Stage::Measure));
    for stage in stages {
        let [was, now] = [earlier, &*manifest].map(|one| one.config_hashes.of_stage(stage));
        // A run that was killed before it had removed the rows has warned already.
        if was != now {
            manifest.warn_done_again(stage, earlier);
        }
    }
    let gone: BTreeSet<&String> = outdated.gone.iter().map(|(id, _)| id).collect();
    if let Some(first) = gone.first() {
        manifest.warn([format!(
            "the data set has {} samples no more, of which the first is `{first}`; their results were removed",
            gone.len()
        )]);
    }
    if outdated.unrecorded {
        manifest.warn([
            "rows of an earlier version do not record which images they were computed from; \
             they are kept as rows of the images of today"
                .to_owned(),
        ]);
    }
}

/// Refuses a folder that cannot be made or written.
pub(super) fn check_writable(paths: &RunPaths) -> Result<(), FileError> {
    let failed = |path: &Path, cause| Err(FileError::new(Action::CreateFolder, path, cause));
    let absolute = match std::path::absolute(paths.dir()) {
        Ok(absolute) => absolute,
        Err(cause) => return failed(paths.dir(), cause),
    };
    for folder in absolute.ancestors() {
        match fs::metadata(folder) {
            Ok(found) if !found.is_dir() => {
                return failed(paths.dir(), io::ErrorKind::NotADirectory.into());
            }
            Ok(_) => {
                return i2am_files::try_folder(folder).or_else(|cause| failed(paths.dir(), cause));
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return failed(paths.dir(), cause),
        }
    }
    Ok(())
}

/// Refuses a folder that holds something but no run.
pub(super) fn check_ours_or_empty(paths: &RunPaths) -> Result<(), ResultsError> {
    let entries = i2am_files::sorted_entries(paths.dir())?;
    // Hidden files are our lock, a temporary file of a killed run, or what a desktop leaves everywhere.
    let is_hidden = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.as_encoded_bytes().starts_with(b".")
    };
    if paths.manifest().exists() || entries.iter().all(is_hidden) {
        return Ok(());
    }
    Err(ResultsError::NotARunFolder {
        path: paths.dir().to_owned(),
    })
}

/// Removes what an earlier run wrote, but for the manifest, which is replaced next.
pub(super) fn remove_results(paths: &RunPaths) -> Result<(), ResultsError> {
    let manifest = paths.manifest();
    if !manifest.exists() {
        return Ok(());
    }
    if !is_manifest(&manifest) {
        return Err(ResultsError::NotARunFolder {
            path: paths.dir().to_owned(),
        });
    }
    // The ledger first: without it a run that is killed here starts from nothing rather than from missing images.
    let folders = SAMPLE_FOLDERS.iter().chain(&LATER_FOLDERS);
    for name in RESULTS.iter().chain(&DERIVED).chain(folders) {
        remove(paths.dir().join(name))?;
    }
    Ok(())
}

/// Removes what was computed from what is outdated, but for the rows: those go last, so that a run that is killed here finds
/// them again. Scores of sets that an earlier version measured are marked with the samples of today.
pub(super) fn remove_outdated(
    paths: &RunPaths,
    outdated: &Outdated,
    sets: &mut Sets,
) -> Result<(), ResultsError> {
    if outdated.samples().next().is_some() || outdated.stages.contains(&Stage::Measure) {
        sets.outdated = true;
        sets.scores.clear();
    }
    if sets.outdated || !outdated.stages.is_empty() {
        for name in DERIVED {
            remove(paths.dir().join(name))?;
        }
    }
    if sets.scores.is_empty() {
        remove(paths.sets())?;
    } else {
        sets.write(&paths.sets())?;
    }
    for (id, model) in outdated.samples() {
        for stage in Stage::ALL {
            for file in paths.of_stage(stage, model, id) {
                remove(file)?;
            }
        }
    }
    Ok(())
}

/// Removes the file or folder `path`, if it is there.
pub(super) fn remove(path: PathBuf) -> Result<(), FileError> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(&path)
    } else {
        fs::remove_file(&path)
    };
    match removed {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(FileError::new(Action::Write, path, cause))
        }
        _ => Ok(()),
    }
}
