//! `manifest.json`: what a table of this folder can be traced back to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config_hash::ConfigHashes;
use crate::error::ResultsError;
use crate::inputs::{ChangedSample, SampleInputs};
use crate::row::{DatasetName, Stage};

/// Version of the manifest's and the ledger's format; goes up when either changes.
pub const SCHEMA_VERSION: u32 = 3;

/// The version before, which can still be read: its rows do not know the inputs that they were computed from.
const SCHEMA_VERSION_WITHOUT_INPUTS: u32 = 2;

/// What the names of checkpoints in [`ManifestStart::inputs`] begin with: `checkpoint:MODEL:FILE`.
pub(crate) const CHECKPOINT: &str = "checkpoint:";

/// Changed keys that an error or warning names; the first few show what happened.
const SHOWN_CHANGES: usize = 3;

/// How far a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// It runs, or was killed.
    Started,
    /// A signal, such as that of Ctrl-C, ended it; the same command continues it.
    Interrupted,
    /// It ended, and nothing failed.
    Success,
    /// It ended; some samples or scores of sets failed, some did not.
    Partial,
    /// It ended in an error, or every sample failed.
    Failed,
}

/// Samples of all models together; a sample that two models got counts twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Samples that got an outcome, now or before the run was resumed: `ok + failed`.
    pub attempted: usize,
    /// Samples that got through every stage that ran.
    pub ok: usize,
    /// Samples that failed in a stage.
    pub failed: usize,
    /// Those of `ok` that an earlier session had done and this one left as they were.
    pub skipped: usize,
}

/// The commit that the program was built from, fixed when it was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitState {
    /// Full hash of the commit.
    pub commit: String,
    /// Whether files differed from it.
    pub dirty: bool,
}

/// What is known about a run when it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestStart {
    /// Name of the run.
    pub name: String,
    /// Where the samples come from.
    pub dataset: DatasetName,
    /// The commit of the program; `None` if it was built outside a repository.
    pub git: Option<GitState>,
    /// The resolved config: every default filled in.
    pub config: Value,
    /// The parts of `config` that can change the numbers of each stage.
    pub config_hashes: ConfigHashes,
    /// `dataset`: identity of the list of samples. `checkpoint:MODEL:FILE`: sha256 of a checkpoint. A start that generates
    /// nothing needs no checkpoint and names none; those of an earlier session are kept then.
    pub inputs: BTreeMap<String, String>,
    /// Every sample of the data set by its id, also those that this session does not take; `None` where this is not known,
    /// and nothing is concluded. A sample's inputs are `None` where they are not known, and what an earlier session knew of
    /// them is kept.
    pub samples: Option<BTreeMap<String, Option<SampleInputs>>>,
    /// Version of each thing that can change a number, such as `i2am-bench` and `libtorch`.
    pub versions: BTreeMap<String, String>,
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// Threads that compute.
    pub threads: usize,
    /// Seed of the run.
    pub seed: u64,
}

/// The content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`], or the version before.
    pub schema_version: u32,
    /// Name of the run.
    pub name: String,
    /// How far it got.
    pub status: RunStatus,
    /// When it started, RFC 3339 in UTC, whole seconds; so are the other times.
    pub started: String,
    /// When it was taken up again, once for each time.
    pub resumed: Vec<String>,
    /// When it ended; `null` while it runs and when it was killed.
    pub finished: Option<String>,
    /// What each stage took, in seconds, over all sessions.
    #[serde(default)]
    pub seconds: BTreeMap<String, f64>,
    /// As [`ManifestStart::git`], of the last session; so is all that follows.
    pub git: Option<GitState>,
    /// As [`ManifestStart::dataset`].
    pub dataset: DatasetName,
    /// As [`ManifestStart::config`].
    pub config: Value,
    /// As [`ManifestStart::config_hashes`].
    pub config_hashes: ConfigHashes,
    /// As [`ManifestStart::inputs`].
    pub inputs: BTreeMap<String, String>,
    /// As [`ManifestStart::versions`].
    pub versions: BTreeMap<String, String>,
    /// As [`ManifestStart::device`].
    pub device: String,
    /// As [`ManifestStart::threads`].
    pub threads: usize,
    /// As [`ManifestStart::seed`].
    pub seed: u64,
    /// How many samples.
    pub counts: Counts,
    /// What a reader of the numbers should know, in the order in which it came up; each once.
    pub warnings: Vec<String>,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ResultsError::SchemaVersion`] for another version of the format, [`ResultsError::ManifestFormat`] for what is
    /// no manifest.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ResultsError> {
        let path = path.as_ref();
        let text = i2am_files::read_text(path)?;
        let format = |cause| ResultsError::ManifestFormat {
            path: path.to_owned(),
            cause,
        };
        let json: Value = serde_json::from_str(&text).map_err(format)?;
        match json.get("schema_version") {
            Some(version)
                if [SCHEMA_VERSION, SCHEMA_VERSION_WITHOUT_INPUTS]
                    .iter()
                    .all(|known| version != known) =>
            {
                Err(ResultsError::SchemaVersion {
                    path: path.to_owned(),
                    expected: SCHEMA_VERSION,
                    found: version.to_string(),
                })
            }
            // Parsed from the text again, so that an error has line and column.
            _ => serde_json::from_str(&text).map_err(format),
        }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), ResultsError> {
        let mut json = serde_json::to_vec_pretty(self).expect("a manifest has only text keys");
        json.push(b'\n');
        Ok(i2am_files::write_atomic(path, json)?)
    }

    /// The manifest of a run that starts now.
    pub(crate) fn start(start: ManifestStart) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            name: start.name,
            status: RunStatus::Started,
            started: now(),
            resumed: Vec::new(),
            finished: None,
            seconds: BTreeMap::new(),
            git: start.git,
            dataset: start.dataset,
            config: start.config,
            config_hashes: start.config_hashes,
            inputs: start.inputs,
            versions: start.versions,
            device: start.device,
            threads: start.threads,
            seed: start.seed,
            counts: Counts::default(),
            warnings: Vec::new(),
        }
    }

    /// The manifest of the run of this manifest in the folder `dir`, taken up again now.
    ///
    /// # Errors
    /// [`ResultsError::ConfigChanged`] and [`ResultsError::InputChanged`]: its pictures and new ones would not belong
    /// together.
    pub(crate) fn resume(&self, start: ManifestStart, dir: &Path) -> Result<Self, ResultsError> {
        self.check_same_config(&start, dir)?;
        self.check_same_checkpoints(&start, dir)?;
        let mut resumed = Self::start(start);
        let checkpoints = checkpoints(&self.inputs);
        let kept = checkpoints.map(|(name, hash)| (name.clone(), hash.clone()));
        resumed.inputs.extend(kept);
        for (what, was, now) in [
            ("git", text(&self.git), text(&resumed.git)),
            ("versions", text(&self.versions), text(&resumed.versions)),
            ("device", text(&self.device), text(&resumed.device)),
        ] {
            if was != now {
                let warning = format!("resumed with another {what}: {was}, then {now}");
                resumed.warnings.push(warning);
            }
        }
        resumed.resumed.clone_from(&self.resumed);
        resumed.seconds.clone_from(&self.seconds);
        let now = std::mem::replace(&mut resumed.started, self.started.clone());
        resumed.resumed.push(now);
        let new = std::mem::replace(&mut resumed.warnings, self.warnings.clone());
        resumed.warn(new);
        Ok(resumed)
    }

    /// Warns that `stage`, whose results came from the settings of `earlier`, is done again.
    pub(crate) fn warn_done_again(&mut self, stage: Stage, earlier: &Self) {
        let changes = changes(stage, &earlier.config, &self.config, &self.config_hashes);
        self.warn([format!(
            "stage `{stage}` is done again under other settings{changes}"
        )]);
    }

    /// Warns that these samples are computed again, since their inputs changed.
    pub(crate) fn warn_changed(&mut self, changed: &[ChangedSample]) {
        let shown = changed.iter().take(SHOWN_CHANGES);
        let shown: Vec<String> = shown
            .map(|sample| format!("`{}` ({})", sample.id, sample.files()))
            .collect();
        let more = match changed.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        if !changed.is_empty() {
            self.warn([format!(
                "samples whose inputs changed are computed again: {}{more}",
                shown.join(", ")
            )]);
        }
    }

    /// Marks the run as ended now.
    pub(crate) fn end(&mut self, status: RunStatus, warnings: impl IntoIterator<Item = String>) {
        self.status = status;
        self.finished = Some(now());
        self.warn(warnings);
    }

    pub(crate) fn warn(&mut self, warnings: impl IntoIterator<Item = String>) {
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    fn check_same_config(&self, start: &ManifestStart, dir: &Path) -> Result<(), ResultsError> {
        let [found, expected] =
            [&self.config_hashes, &start.config_hashes].map(|hashes| hashes.generate.hash());
        if found == expected {
            return Ok(());
        }
        let hashes = &start.config_hashes;
        Err(ResultsError::ConfigChanged {
            path: dir.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
            changes: changes(Stage::Generate, &self.config, &start.config, hashes),
        })
    }

    /// Refuses other checkpoints, if both sides name any.
    fn check_same_checkpoints(
        &self,
        start: &ManifestStart,
        dir: &Path,
    ) -> Result<(), ResultsError> {
        match changed_checkpoints(&self.inputs, &start.inputs).first() {
            Some((name, found, expected)) => Err(ResultsError::InputChanged {
                path: dir.to_owned(),
                name: (*name).to_owned(),
                expected: (*expected).to_owned(),
                found: (*found).to_owned(),
            }),
            None => Ok(()),
        }
    }
}

fn checkpoints(inputs: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    inputs
        .iter()
        .filter(|(name, _)| name.starts_with(CHECKPOINT))
}

/// As [`changed`], for checkpoints; none where one side generated nothing and names none.
pub(crate) fn changed_checkpoints<'a>(
    old: &'a BTreeMap<String, String>,
    new: &'a BTreeMap<String, String>,
) -> Vec<(&'a str, &'a str, &'a str)> {
    let mut changed = changed(old, new);
    let known = [old, new]
        .iter()
        .all(|inputs| checkpoints(inputs).next().is_some());
    changed.retain(|(name, ..)| known && name.starts_with(CHECKPOINT));
    changed
}

/// The first settings of `stage` that differ between two configs, each after a semicolon.
fn changes(stage: Stage, was: &Value, now: &Value, hashes: &ConfigHashes) -> String {
    let changes = hashes.of_stage(stage).differences(was, now).into_iter();
    let shown = changes.take(SHOWN_CHANGES);
    shown.flat_map(|change| ["; ".to_owned(), change]).collect()
}

/// Names whose values differ, `none` standing for an absent one.
pub(crate) fn changed<'a>(
    old: &'a BTreeMap<String, String>,
    new: &'a BTreeMap<String, String>,
) -> Vec<(&'a str, &'a str, &'a str)> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let pair = |name: &'a String| {
        let [was, now] = [old, new].map(|map| map.get(name).map_or("none", String::as_str));
        (was != now).then_some((name.as_str(), was, now))
    };
    names.into_iter().filter_map(pair).collect()
}

/// Whether `path` is a manifest of any version, so that the folder around it is one of ours.
pub(crate) fn is_manifest(path: &Path) -> bool {
    let json: Option<Value> = i2am_files::read_text(path)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok());
    json.is_some_and(|json| {
        // The first manifests had one hash for all stages.
        let hashes = ["config_hashes", "config_hash"];
        json.get("schema_version").is_some() && hashes.iter().any(|key| json.get(key).is_some())
    })
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data has a JSON text")
}

fn now() -> String {
    const WHOLE_SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
    WHOLE_SECONDS.timestamp_to_string(&Timestamp::now())
}

#[cfg(test)]
mod tests;
