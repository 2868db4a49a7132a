//! What can go wrong with a run folder.

use std::path::PathBuf;

use i2am_files::FileError;
use i2am_quantity::NotFinite;

use crate::row::Stage;

/// A run folder that cannot be used, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),

    /// Two processes would write the same folder.
    #[error(
        "{}: in use by {process}; wait for it to end, or choose another output",
        .path.display()
    )]
    Locked {
        /// The run folder.
        path: PathBuf,
        /// Who holds it, as far as it is known: `process 123`.
        process: String,
    },

    /// A folder with content that no run of ours wrote: writing there could overwrite somebody's files.
    #[error(
        "{}: the folder is not empty and holds no manifest.json of a run; choose another output",
        .path.display()
    )]
    NotARunFolder {
        /// The folder.
        path: PathBuf,
    },

    /// A manifest or baseline written by a version of this program that stores something else.
    #[error("{}: expected schema_version {expected}, found {found}", .path.display())]
    SchemaVersion {
        /// The file.
        path: PathBuf,
        /// The version that this program reads and writes.
        expected: u32,
        /// The version in the file, as JSON text.
        found: String,
    },

    /// A manifest that is not JSON or lacks a field.
    #[error("{}: not a manifest: {cause}", .path.display())]
    ManifestFormat {
        /// The manifest.
        path: PathBuf,
        /// What is wrong, and where.
        cause: serde_json::Error,
    },

    /// The folder holds pictures of a config that would give others now.
    #[error(
        "{}: holds results of another config (hash {found}, now {expected}{changes}); \
         pass --fresh to replace them, or choose another output",
        .path.display()
    )]
    ConfigChanged {
        /// The run folder.
        path: PathBuf,
        /// Hash of the settings of [`Stage::Generate`] that were given now.
        expected: String,
        /// Hash in the folder.
        found: String,
        /// The first keys that differ, ready to print; empty when unknown.
        changes: String,
    },

    /// A checkpoint is not the one that the earlier results come from.
    #[error(
        "{}: results there were computed with another `{name}` (sha256 {found}, now {expected}); \
         pass --fresh to replace them, or choose another output",
        .path.display()
    )]
    InputChanged {
        /// The run folder.
        path: PathBuf,
        /// Name of the input, as in [`ManifestStart::inputs`](crate::ManifestStart::inputs).
        name: String,
        /// Its hash now; `none` when it is not used any more.
        expected: String,
        /// Its hash in the manifest; `none` when it was not used then.
        found: String,
    },

    /// A line of `samples.csv`, `sets.json` or `inputs.json` that no interrupted write explains.
    #[error(
        "{}: line {line}: {problem}; restore the file, or pass --fresh to start again",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// What was expected and found.
        problem: String,
    },

    /// A table that is computed from the ledger and cannot be read.
    #[error("{}: line {line}: {problem}; run the stage `{stage}` again", .path.display())]
    DamagedTable {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// What was expected and found.
        problem: String,
        /// The stage that writes it.
        stage: &'static str,
    },

    /// A score that is NaN or infinite; it must be recorded as empty or failed, with a reason.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),

    /// A row that the ledger cannot hold.
    #[error("sample `{sample_id}` of model `{model}`: {problem}")]
    InvalidRow {
        /// The model.
        model: String,
        /// The sample.
        sample_id: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A score of a whole set that `sets.json` cannot hold.
    #[error("score `{metric}` of model `{model}`: {problem}")]
    InvalidScore {
        /// The model.
        model: String,
        /// The metric.
        metric: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A sample was appended although its rows are there.
    #[error("sample `{sample_id}` of model `{model}` has its rows of stage `{stage}` already")]
    AlreadyDone {
        /// The stage.
        stage: Stage,
        /// The model.
        model: String,
        /// The sample.
        sample_id: String,
    },

    /// A file that is no baseline, or was edited into something that cannot be compared with.
    #[error("{}: not a baseline: {problem}", .path.display())]
    BaselineFormat {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },

    /// A run that a baseline says nothing about.
    #[error("the run cannot be compared with the baseline, since they differ in {}", listed(.differences))]
    NotComparable {
        /// What differs, one entry for each, as `model.0.sampler.steps: 50, now 20`.
        differences: Vec<String>,
    },

    /// A folder that does not belong to the run that is put together.
    #[error("{}: not a shard of the same run as {}, since they differ in {}", .path.display(), .first.display(), listed(.differences))]
    NotOneRun {
        /// The folder.
        path: PathBuf,
        /// The first folder, which says what the run is.
        first: PathBuf,
        /// As [`ResultsError::NotComparable`].
        differences: Vec<String>,
    },

    /// Two parts of a run have the same sample with other results.
    #[error(
        "sample `{sample_id}` of model `{model}` is in {} and in {}, with another {what}",
        .first.display(),
        .second.display()
    )]
    Disagree {
        /// The model.
        model: String,
        /// The sample.
        sample_id: String,
        /// One folder.
        first: PathBuf,
        /// The other folder.
        second: PathBuf,
        /// What differs.
        what: String,
    },

    /// A folder to be put together with others is also where the result should go.
    #[error("{}: both a part of the run and the folder to merge into", .path.display())]
    MergeIntoPart {
        /// The folder.
        path: PathBuf,
    },

    /// The parquet file could not be encoded.
    #[error("{}: cannot encode parquet: {problem}", .path.display())]
    Parquet {
        /// The file to be written.
        path: PathBuf,
        /// What the encoder says.
        problem: String,
    },
}

/// Differences that a message names; the first few show what happened.
const SHOWN: usize = 5;

fn listed(differences: &[String]) -> String {
    let shown = &differences[..differences.len().min(SHOWN)];
    let more = match differences.len() - shown.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    shown.join("; ") + &more
}
