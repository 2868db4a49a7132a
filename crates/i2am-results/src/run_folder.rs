//! The folder that a run writes.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use i2am_files::{Action, FileError};

use crate::aggregate::{AggregateRow, aggregate_with_sets, write_aggregate};
use crate::correlations::{CorrelationRow, write_correlations};
use crate::error::ResultsError;
use crate::ledger::Ledger;
use crate::lock::RunLock;
use crate::manifest::{Counts, Manifest, ManifestStart, RunStatus, is_manifest};
use crate::outcome::{Outcome, Status};
use crate::parquet::write_parquet;
use crate::paths::{DERIVED, RESULTS, RunPaths, SAMPLE_FOLDERS};
use crate::reader::SampleKey;
use crate::row::{SampleResult, Stage};
use crate::sets::{SetScore, read_sets, replaced, write_sets};

/// A run folder open for writing; no other process can open it meanwhile.
///
/// Dropping it without [`finish`](Self::finish) or [`fail`](Self::fail) leaves the run as a killed one: `started`.
#[derive(Debug)]
pub struct RunFolder {
    paths: RunPaths,
    manifest: Manifest,
    ledger: Ledger,
    sets: Vec<SetScore>,
    /// Model and id of the samples that an earlier session got through and this one did not touch.
    untouched: BTreeSet<(String, String)>,
    _lock: RunLock,
}

/// A sample that a stage did not get through with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stage.
    pub stage: Stage,
    /// Name of the model.
    pub model: String,
    /// Id of the sample.
    pub sample_id: String,
    /// What went wrong, on one line.
    pub reason: String,
}

impl RunFolder {
    /// Opens the run folder `dir` to start a run or to take up one that makes the same pictures; nothing is computed
    /// before this has shown that results can be written.
    ///
    /// What a later stage found out under other settings is removed, with all that was computed from it, and a warning
    /// of the manifest says so.
    ///
    /// Creates the folder, its manifest and subfolders. With `fresh`, what an earlier run wrote there is removed first:
    /// only files and folders that a run writes, and only where a manifest shows that one did.
    ///
    /// # Errors
    /// - [`ResultsError::File`]: the folder cannot be made or written.
    /// - [`ResultsError::Locked`]: another process has it open.
    /// - [`ResultsError::NotARunFolder`]: something else lies there, also with `fresh`.
    /// - [`ResultsError::ConfigChanged`], [`ResultsError::InputChanged`]: its pictures and new ones would not belong
    ///   together; nothing is changed then.
    /// - [`ResultsError::SchemaVersion`], [`ResultsError::ManifestFormat`], [`ResultsError::Damaged`]: what is there
    ///   cannot be read.
    pub fn open(
        dir: impl Into<PathBuf>,
        start: ManifestStart,
        fresh: bool,
    ) -> Result<Self, ResultsError> {
        let paths = RunPaths::new(dir);
        i2am_files::create_dir(paths.dir())?;
        check_ours_or_empty(&paths)?;
        let lock = RunLock::acquire(paths.dir())?;
        if fresh {
            remove_results(&paths)?;
        }
        let earlier = (paths.manifest().exists() && !fresh)
            .then(|| Manifest::read(paths.manifest()))
            .transpose()?;
        let mut manifest = if let Some(earlier) = &earlier {
            earlier.resume(start, paths.dir())?
        } else {
            let manifest = Manifest::start(start);
            // Before anything else is written, so that a run killed in the next moment leaves a folder known as ours.
            manifest.write(&paths.manifest())?;
            manifest
        };
        let hashes = manifest.config_hashes.clone();
        let sets = read_sets(&paths.sets(), hashes.measure.hash())?;
        let mut ledger = Ledger::open(
            paths.samples_csv(),
            manifest.dataset.clone(),
            hashes.clone(),
        )?;
        let mut outdated = ledger.outdated().clone();
        if sets.is_none() {
            outdated.insert(Stage::Measure);
        }
        for folder in SAMPLE_FOLDERS {
            i2am_files::create_dir(paths.dir().join(folder))?;
        }
        let [ok, _] = by_outcome(&ledger);
        let untouched: BTreeSet<_> = ok.iter().map(|&(m, s)| (m.into(), s.into())).collect();
        manifest.counts = counts(&ledger, untouched.len());
        if let Some(earlier) = &earlier {
            for &stage in &outdated {
                // A run that was killed before it had removed the rows has told already.
                if earlier.config_hashes.of_stage(stage) != hashes.of_stage(stage) {
                    manifest.warn_done_again(stage, earlier);
                }
            }
        }
        manifest.write(&paths.manifest())?;
        remove_outdated(&paths, &outdated)?;
        ledger.compact()?;
        Ok(Self {
            paths,
            manifest,
            ledger,
            sets: sets.unwrap_or_default(),
            untouched,
            _lock: lock,
        })
    }

    /// Where things lie.
    pub fn paths(&self) -> &RunPaths {
        &self.paths
    }

    /// The manifest as it was last written.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How `stage` ended for a sample: `None` when it has not (or was killed in between), [`Status::Ok`] when it need
    /// not run again, [`Status::Failed`] when it may.
    pub fn done(&self, stage: Stage, model: &str, sample_id: &str) -> Option<Status> {
        let key = SampleKey {
            model: model.to_owned(),
            sample_id: sample_id.to_owned(),
            stage,
        };
        self.ledger.samples().get(&key).map(Outcome::status)
    }

    /// Adds what one stage found out about one sample to `samples.csv`; returns when it is on the disk.
    ///
    /// # Errors
    /// - [`ResultsError::AlreadyDone`]: the sample is there and did not fail.
    /// - [`ResultsError::InvalidRow`]: two rows of one metric, direction, level and convention; a metric named
    ///   [`SAMPLE`](crate::SAMPLE); a line break in a name; an empty model, sample or metric.
    /// - [`ResultsError::File`]: the disk is full. The sample does not count then, and may be appended again.
    pub fn append(&mut self, result: &SampleResult) -> Result<(), ResultsError> {
        remove(self.paths.correlations())?;
        self.ledger.append(result)?;
        let sample = (result.model.clone(), result.sample_id.clone());
        self.untouched.remove(&sample);
        Ok(())
    }

    /// Replaces the scores of whole sets of the models that `scores` name, and writes all of them to `sets.json`, from
    /// where a later session takes them as long as the settings of [`Stage::Measure`] are the same.
    ///
    /// # Errors
    /// [`ResultsError::InvalidScore`]: two scores of one model, metric, version and convention; an `sd` that is not
    /// finite; a line break in a name; an empty model or metric. Nothing is changed then.
    pub fn put_set_scores(&mut self, scores: Vec<SetScore>) -> Result<(), ResultsError> {
        let sets = replaced(&self.sets, scores)?;
        if sets != self.sets {
            remove(self.paths.correlations())?;
        }
        let hash = self.manifest.config_hashes.measure.hash();
        write_sets(&self.paths.sets(), hash, &sets)?;
        self.sets = sets;
        Ok(())
    }

    /// Writes `correlations.csv` with `rows` in the order given. It stands until a result is added to the run.
    ///
    /// # Errors
    /// [`ResultsError::InvalidScore`]: a number that is not finite, a line break in a name, an empty metric.
    pub fn put_correlations(&mut self, rows: &[CorrelationRow]) -> Result<(), ResultsError> {
        write_correlations(&self.paths.correlations(), rows)
    }

    /// What `aggregate.csv` says at the end: the samples so far summed up, and the scores of whole sets, sorted as by
    /// [`aggregate`](crate::aggregate).
    ///
    /// # Errors
    /// As [`read_rows`](crate::read_rows).
    pub fn aggregate(&self) -> Result<Vec<AggregateRow>, ResultsError> {
        let Self {
            paths,
            manifest,
            sets,
            ..
        } = self;
        aggregate_with_sets(&paths.samples_csv(), sets, &manifest.dataset)
    }

    /// Counts over all sessions of the run so far.
    pub fn counts(&self) -> Counts {
        counts(&self.ledger, self.untouched.len())
    }

    /// The samples that failed and were not repaired since, sorted by model and id.
    pub fn failures(&self) -> Vec<Failure> {
        let failed = |(key, outcome): (&SampleKey, &Outcome)| {
            (outcome.status() == Status::Failed).then(|| Failure {
                stage: key.stage,
                model: key.model.clone(),
                sample_id: key.sample_id.clone(),
                reason: outcome.reason().to_owned(),
            })
        };
        self.ledger.samples().iter().filter_map(failed).collect()
    }

    /// Ends the run: writes `samples.parquet` and `aggregate.csv`, and the manifest with its status: `success` when no
    /// sample failed, `partial` when some did, `failed` when all did.
    pub fn finish(&mut self, warnings: Vec<String>) -> Result<&Manifest, ResultsError> {
        self.ledger.compact()?;
        let samples = self.paths.samples_csv();
        write_parquet(&samples, &self.paths.samples_parquet())?;
        write_aggregate(&self.paths.aggregate(), &self.aggregate()?)?;
        let status = match self.counts() {
            Counts { failed: 0, .. } => RunStatus::Success,
            Counts { ok: 0, .. } => RunStatus::Failed,
            _ => RunStatus::Partial,
        };
        self.end(status, warnings)
    }

    /// Ends the run because of an error that concerns more than one sample; `reason` becomes a warning.
    pub fn fail(&mut self, reason: impl Into<String>) -> Result<&Manifest, ResultsError> {
        self.end(RunStatus::Failed, vec![reason.into()])
    }

    fn end(&mut self, status: RunStatus, warnings: Vec<String>) -> Result<&Manifest, ResultsError> {
        self.manifest.counts = self.counts();
        self.manifest.end(status, warnings);
        self.manifest.write(&self.paths.manifest())?;
        Ok(&self.manifest)
    }
}

/// What [`RunFolder::aggregate`] gives, of a run that nobody needs to have open: finished, killed or still going on. Nothing is
/// written.
///
/// # Errors
/// As [`Manifest::read`] and [`read_rows`](crate::read_rows); [`ResultsError::Damaged`] for scores of sets that cannot be read.
pub fn read_aggregate(paths: &RunPaths) -> Result<Vec<AggregateRow>, ResultsError> {
    let manifest = Manifest::read(paths.manifest())?;
    // Scores of other settings belong to no row of this run.
    let sets = read_sets(&paths.sets(), manifest.config_hashes.measure.hash())?;
    aggregate_with_sets(
        &paths.samples_csv(),
        &sets.unwrap_or_default(),
        &manifest.dataset,
    )
}

/// Refuses a folder that holds something but no run.
fn check_ours_or_empty(paths: &RunPaths) -> Result<(), ResultsError> {
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
fn remove_results(paths: &RunPaths) -> Result<(), ResultsError> {
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
    for name in RESULTS.iter().chain(&DERIVED).chain(&SAMPLE_FOLDERS) {
        remove(paths.dir().join(name))?;
    }
    Ok(())
}

/// Removes what was computed from results of the stages `outdated`, but for their rows: those go last, so that a run that
/// is killed here finds them again.
fn remove_outdated(paths: &RunPaths, outdated: &BTreeSet<Stage>) -> Result<(), FileError> {
    if outdated.is_empty() {
        return Ok(());
    }
    for name in DERIVED {
        remove(paths.dir().join(name))?;
    }
    if outdated.contains(&Stage::Measure) {
        remove(paths.sets())?;
    }
    Ok(())
}

fn remove(path: PathBuf) -> Result<(), FileError> {
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

/// Model and id of the samples that got through all stages that ran, and of those that did not.
fn by_outcome(ledger: &Ledger) -> [BTreeSet<(&str, &str)>; 2] {
    let [mut ok, mut failed] = [BTreeSet::new(), BTreeSet::new()];
    for (key, outcome) in ledger.samples() {
        let sample = (key.model.as_str(), key.sample_id.as_str());
        match outcome.status() {
            Status::Ok => ok.insert(sample),
            Status::Empty | Status::Failed => failed.insert(sample),
        };
    }
    let ok = ok.difference(&failed).copied().collect();
    [ok, failed]
}

fn counts(ledger: &Ledger, skipped: usize) -> Counts {
    let [ok, failed] = by_outcome(ledger).map(|samples| samples.len());
    Counts {
        attempted: ok + failed,
        ok,
        failed,
        skipped,
    }
}
