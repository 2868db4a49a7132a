//! The folder that a run writes.

mod clean;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use i2am_quantity::Status;

use crate::aggregate::{AggregateRow, aggregate_with_sets, write_aggregate};
use crate::correlations::{CorrelationRow, write_correlations};
use crate::error::ResultsError;
use crate::inputs::{ChangedSample, Inputs, SampleInputs};
use crate::ledger::Ledger;
use crate::lock::RunLock;
use crate::manifest::{Counts, Manifest, ManifestStart, RunStatus};
use crate::parquet::write_parquet;
use crate::paths::{RunPaths, SAMPLE_FOLDERS};
use crate::reader::{Contents, Sample, SampleKey};
use crate::row::{SampleResult, Stage};
use crate::sets::{SetScore, Sets, replaced};
use clean::{check_ours_or_empty, check_writable, remove, remove_outdated, remove_results, warn};

/// A run folder open for writing; no other process can open it meanwhile.
///
/// Dropping it without [`finish`](Self::finish) or [`fail`](Self::fail) leaves the run as a killed one: `started`.
#[derive(Debug)]
pub struct RunFolder {
    paths: RunPaths,
    manifest: Manifest,
    ledger: Ledger,
    sets: Sets,
    changed: Vec<ChangedSample>,
    /// Model and id of the samples that an earlier session got through and this one did not touch.
    untouched: BTreeSet<(String, String)>,
    /// Whether an earlier session summed up all that is here.
    is_summed_up: bool,
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
    /// of the manifest says so. So is everything about samples whose inputs changed, which [`changed`](Self::changed) names,
    /// and about samples that the data set has no more.
    ///
    /// Rows that do not know their inputs, as an earlier version wrote them, are kept as rows of the inputs of today; a
    /// warning of the manifest says so.
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
        mut start: ManifestStart,
        fresh: bool,
    ) -> Result<Self, ResultsError> {
        let paths = RunPaths::new(dir);
        // In the words of `check`.
        check_writable(&paths)?;
        i2am_files::create_dir(paths.dir())?;
        check_ours_or_empty(&paths)?;
        let lock = RunLock::acquire(paths.dir())?;
        // No other process writes here now.
        i2am_files::remove_unfinished(paths.dir(), Duration::ZERO);
        if fresh {
            remove_results(&paths)?;
        }
        let earlier = (paths.manifest().exists() && !fresh)
            .then(|| Manifest::read(paths.manifest()))
            .transpose()?;
        let samples = start.samples.take();
        let mut manifest = if let Some(earlier) = &earlier {
            earlier.resume(start, paths.dir())?
        } else {
            let manifest = Manifest::start(start);
            // Before anything else is written, so that a run killed in the next moment leaves a folder known as ours.
            manifest.write(&paths.manifest())?;
            manifest
        };
        let hashes = manifest.config_hashes.clone();
        let mut ledger = Ledger::open(
            paths.samples_csv(),
            manifest.dataset.clone(),
            hashes.clone(),
            Inputs::open(&paths.inputs(), samples)?,
        )?;
        let mut sets = Sets::read(&paths.sets(), hashes.measure.hash(), ledger.samples())?;
        for folder in SAMPLE_FOLDERS {
            i2am_files::create_dir(paths.dir().join(folder))?;
        }
        let [ok, _] = by_outcome(&ledger);
        let untouched: BTreeSet<_> = ok.iter().map(|&(m, s)| (m.into(), s.into())).collect();
        manifest.counts = counts(&ledger, untouched.len());
        let outdated = ledger.outdated();
        let ids: BTreeSet<&String> = outdated.changed.iter().map(|(id, _)| id).collect();
        let changed: Vec<_> = ids
            .into_iter()
            .map(|id| ledger.inputs().changed(id))
            .collect();
        // Another version of the program may write other tables.
        let summed_up = |earlier: &Manifest| {
            matches!(earlier.status, RunStatus::Success | RunStatus::Partial)
                && (&earlier.git, &earlier.versions) == (&manifest.git, &manifest.versions)
        };
        let is_summed_up =
            earlier.as_ref().is_some_and(summed_up) && ledger.is_in_order() && !sets.outdated;
        if let Some(earlier) = &earlier {
            warn(&mut manifest, earlier, outdated, sets.outdated);
            manifest.warn_changed(&changed);
        }
        manifest.write(&paths.manifest())?;
        remove_outdated(&paths, outdated, &mut sets)?;
        ledger.compact()?;
        // Last, so that a run that is killed here finds again which files changed.
        ledger.inputs_mut().write(&paths.inputs())?;
        Ok(Self {
            paths,
            manifest,
            ledger,
            sets,
            changed,
            untouched,
            is_summed_up,
            _lock: lock,
        })
    }

    /// What [`open`](Self::open) would say of `dir`, without writing anything: the samples that would be computed again, since their
    /// inputs changed. That another process has the folder open is not looked at.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn check(
        dir: impl Into<PathBuf>,
        mut start: ManifestStart,
        fresh: bool,
    ) -> Result<Vec<ChangedSample>, ResultsError> {
        let paths = RunPaths::new(dir);
        check_writable(&paths)?;
        if !paths.dir().exists() {
            return Ok(Vec::new());
        }
        check_ours_or_empty(&paths)?;
        if fresh || !paths.manifest().exists() {
            return Ok(Vec::new());
        }
        let samples = start.samples.take();
        Manifest::read(paths.manifest())?.resume(start, paths.dir())?;
        Ok(Inputs::open(&paths.inputs(), samples)?.all_changed())
    }

    /// The samples whose inputs changed after they were computed, by id. Nothing of them is left; a run computes them again.
    pub fn changed(&self) -> &[ChangedSample] {
        &self.changed
    }

    /// Adds what other sessions knew of the inputs of their samples.
    pub(crate) fn add_inputs(
        &mut self,
        samples: BTreeMap<String, SampleInputs>,
    ) -> Result<(), ResultsError> {
        self.ledger.inputs_mut().extend(samples);
        self.ledger.inputs_mut().write(&self.paths.inputs())
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
            stage,
            model: model.to_owned(),
            sample_id: sample_id.to_owned(),
        };
        let sample = self.ledger.samples().get(&key);
        sample.map(|sample| sample.outcome.status())
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
        self.is_summed_up = false;
        self.ledger.append(result)?;
        let sample = (result.model.clone(), result.sample_id.clone());
        self.untouched.remove(&sample);
        Ok(())
    }

    /// Replaces the scores of whole sets of the models that `scores` name, and writes all of them to `sets.json`, from
    /// where a later session takes them as long as the settings of [`Stage::Measure`] and the generated samples are the same.
    ///
    /// # Errors
    /// [`ResultsError::InvalidScore`]: two scores of one model, metric, version and convention; an `sd` that is not
    /// finite; a line break in a name; an empty model or metric. Nothing is changed then.
    pub fn put_set_scores(&mut self, scores: Vec<SetScore>) -> Result<(), ResultsError> {
        let mut sets = self.sets();
        sets.scores = replaced(&sets.scores, scores)?;
        if sets.scores != self.sets.scores {
            remove(self.paths.correlations())?;
            self.is_summed_up = false;
        }
        sets.write(&self.paths.sets())?;
        self.sets = sets;
        Ok(())
    }

    /// Puts the rows of `samples.csv` in the order in which a run ends: by stage, model and id.
    ///
    /// # Errors
    /// [`ResultsError::File`].
    pub fn put_in_order(&mut self) -> Result<(), ResultsError> {
        self.ledger.compact()
    }

    /// The scores of whole sets that stand: measured under the settings of [`Stage::Measure`] of today, on the generated samples of now.
    pub fn set_scores(&self) -> Vec<SetScore> {
        self.sets().scores
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
        let Sets { scores, .. } = self.sets();
        aggregate_with_sets(&self.paths.samples_csv(), &scores, &self.manifest.dataset)
    }

    /// The scores of whole sets that were measured on the samples of now.
    fn sets(&self) -> Sets {
        let mut sets = self.sets.clone();
        sets.update(self.ledger.samples());
        sets
    }

    /// Counts over all sessions of the run so far.
    pub fn counts(&self) -> Counts {
        counts(&self.ledger, self.untouched.len())
    }

    /// The samples that failed and were not repaired since, sorted by stage, model and id.
    pub fn failures(&self) -> Vec<Failure> {
        self.ledger.samples().iter().filter_map(failure).collect()
    }

    /// Ends the run: writes `samples.parquet` and `aggregate.csv` where an earlier session did not leave them as they would be, and the
    /// manifest with its status: `success` when nothing failed, `failed` when all samples did, else `partial`.
    pub fn finish(&mut self, warnings: Vec<String>) -> Result<&Manifest, ResultsError> {
        self.ledger.compact()?;
        let (parquet, aggregate) = (self.paths.samples_parquet(), self.paths.aggregate());
        if !(self.is_summed_up && parquet.is_file() && aggregate.is_file()) {
            write_parquet(&self.paths.samples_csv(), &parquet)?;
            write_aggregate(&aggregate, &self.aggregate()?)?;
            self.is_summed_up = true;
        }
        let unmeasured = |score: &SetScore| score.outcome.status() == Status::Failed;
        let status = match self.counts() {
            Counts { failed: 0, .. } if !self.sets.scores.iter().any(unmeasured) => {
                RunStatus::Success
            }
            Counts { ok: 0, .. } => RunStatus::Failed,
            _ => RunStatus::Partial,
        };
        self.end(status, warnings)
    }

    /// Adds the time that `stage` took to that of earlier sessions.
    ///
    /// # Errors
    /// [`ResultsError::File`].
    pub fn took(&mut self, stage: &str, time: Duration) -> Result<(), ResultsError> {
        let seconds = self.manifest.seconds.entry(stage.to_owned()).or_default();
        // Whole milliseconds.
        *seconds = ((*seconds + time.as_secs_f64()) * 1e3).round() / 1e3;
        self.manifest.write(&self.paths.manifest())
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

/// Marks the run in the folder `paths` as interrupted, from another thread than that which writes it; the process is to end then.
///
/// # Errors
/// A manifest that cannot be read or written.
pub fn mark_interrupted(paths: &RunPaths) -> Result<(), ResultsError> {
    let mut manifest = Manifest::read(paths.manifest())?;
    manifest.end(RunStatus::Interrupted, []);
    manifest.write(&paths.manifest())
}

/// What [`RunFolder::aggregate`] gives, of a run that need not be open: finished, killed or still going on. Nothing is
/// written.
///
/// # Errors
/// As [`Manifest::read`] and [`read_rows`](crate::read_rows); [`ResultsError::Damaged`] for scores of sets that cannot be read.
pub fn read_aggregate(paths: &RunPaths) -> Result<Vec<AggregateRow>, ResultsError> {
    aggregate_of(paths, &Manifest::read(paths.manifest())?)
}

/// What [`RunFolder::failures`] gives, of a run that need not be open. Nothing is written.
///
/// # Errors
/// A ledger that cannot be read.
pub fn read_failures(paths: &RunPaths) -> Result<Vec<Failure>, ResultsError> {
    let samples = Contents::scan(&paths.samples_csv())?.samples;
    let samples = samples.iter().map(|(key, (_, sample))| (key, sample));
    Ok(samples.filter_map(failure).collect())
}

/// The failure of a sample that failed.
fn failure((key, Sample { outcome, .. }): (&SampleKey, &Sample)) -> Option<Failure> {
    (outcome.status() == Status::Failed).then(|| Failure {
        stage: key.stage,
        model: key.model.clone(),
        sample_id: key.sample_id.clone(),
        reason: outcome.reason().to_owned(),
    })
}

/// [`read_aggregate`] of a folder whose manifest was read.
pub(crate) fn aggregate_of(
    paths: &RunPaths,
    manifest: &Manifest,
) -> Result<Vec<AggregateRow>, ResultsError> {
    let samples = Contents::scan(&paths.samples_csv())?.samples;
    let samples = samples.iter().map(|(key, (_, sample))| (key, sample));
    let hash = manifest.config_hashes.measure.hash();
    // Scores of other settings or other samples belong to no row of this run.
    let sets = Sets::read(&paths.sets(), hash, samples)?;
    aggregate_with_sets(&paths.samples_csv(), &sets.scores, &manifest.dataset)
}

/// Model and id of the samples that got through all stages that ran, and of those that did not.
fn by_outcome(ledger: &Ledger) -> [BTreeSet<(&str, &str)>; 2] {
    let [mut ok, mut failed] = [BTreeSet::new(), BTreeSet::new()];
    for (key, Sample { outcome, .. }) in ledger.samples() {
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
