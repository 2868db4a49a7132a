//! Run folders: ledger, manifest, resume and parquet.
//!
//! A run writes one folder, and [`RunFolder`] is its only writer:
//!
//! | file | content |
//! |---|---|
//! | `manifest.json` | [`Manifest`]: what ran, with which config, hashes, versions and counts |
//! | `samples.csv` | the ledger: [`Row`]s, appended as each sample ends |
//! | `samples.parquet` | the same rows, typed, written at the end |
//! | `sets.json` | [`SetScore`]s: what only a whole set of images has, such as FID |
//! | `inputs.json` | [`SampleInputs`]: which images each sample was computed from |
//! | `aggregate.csv` | [`AggregateRow`]s: count, mean and standard deviation over the samples, and the scores of sets |
//! | `debug/<model>.csv` | [`DebugRow`]s: heads of layers by their score |
//! | `correlations.csv` | [`CorrelationRow`]s: how the scores correlate with the metrics |
//! | `images/`, `attention/`, `maps/`, `grids/`, `counterfactual/` | what [`RunPaths`] names |
//!
//! # A killed run goes on where it stopped
//!
//! All rows that one stage has for one sample of one model are written by a single append, which ends with a *closing
//! row* (metric [`SAMPLE`], status `ok` or `failed`, as value the number of rows before it) and reaches the disk before
//! [`RunFolder::append`] returns. A sample is done when its closing row is there. Every row is one line, so whatever a
//! killed process left behind the last closing row is part of one unfinished sample; it is cut off when the folder is
//! opened again. A line that cannot be read *before* the last closing row is damage, which is an error and never cut.
//!
//! A sample that failed may be appended once more; its later rows count. [`RunFolder::finish`] removes the earlier ones and puts
//! the ledger in the order of stages, models and ids, so that the files of a run that was interrupted or repaired are those of
//! one that was not, byte for byte.
//!
//! # Shards
//!
//! Parts of one run that were computed in several folders are put together by [`merge`]; the result is the folder of a run
//! like any other.
//!
//! # Settings that change
//!
//! Each row carries the [`ConfigHash`] of its stage. Settings that would give other pictures are refused, because nothing
//! in the folder would stay valid. Other settings of a later stage remove the rows of that stage, and no others, when the
//! folder is opened and before one is appended; so `samples.csv` never holds one stage under two settings, whenever it
//! is read.
//!
//! # Images that change
//!
//! Each row also carries the fingerprint of the inputs of its sample: its image, its reference image, its mask and so on. When
//! the folder is opened, a sample whose inputs have another fingerprint today loses its rows of all stages and its files, and
//! so do samples that the data set has no more; [`RunFolder::changed`] and a warning of the manifest name the files that
//! changed. Everything else is kept. Scores of sets are kept if the samples that they were measured on are. Rows go last, and
//! `inputs.json`, from which it is known what changed, is written after that; a run that is killed in between finds the
//! outdated rows again.
//!
//! Rows that do not know their inputs, as an earlier version wrote them, are kept as rows of the inputs of today.
//!
//! # Baselines
//!
//! A [`Baseline`] keeps the scores of a run in a small file, and how far they may move; [`Baseline::compare`] reports
//! what moved.
//!
//! # Missing is empty
//!
//! A value that could not be computed is an empty cell (null in parquet) with a status and a reason. [`Outcome`] cannot
//! hold NaN, infinity or a missing value without a reason.

mod aggregate;
mod baseline;
mod config_hash;
mod correlations;
mod debug;
mod error;
mod inputs;
mod json;
mod ledger;
mod lock;
mod manifest;
mod merge;
mod parquet;
mod paths;
mod reader;
mod row;
mod run_folder;
mod sets;

pub use aggregate::{AggregateRow, aggregate};
pub use baseline::{
    BASELINE_SCHEMA_VERSION, Baseline, Change, Comparison, Score, Snapshot, Tolerance, Verdict,
};
pub use config_hash::{ConfigHash, ConfigHashes};
pub use correlations::{CORRELATION_COLUMNS, CorrelationRow, Unit, read_correlations};
pub use debug::{DebugRow, read_debug, write_debug};
pub use error::ResultsError;
pub use i2am_quantity::{
    Better, Bound, Direction, Level, Measurement, Note, Notes, Outcome, Status,
};
pub use inputs::{ChangedSample, PartInput, SampleInputs};
pub use manifest::{Counts, GitState, Manifest, ManifestStart, RunStatus, SCHEMA_VERSION};
pub use merge::{Merged, merge};
pub use paths::{RunPaths, name_objection};
pub use reader::read_rows;
pub use row::{COLUMNS, DatasetName, Row, SAMPLE, SampleResult, Stage};
pub use run_folder::{Failure, RunFolder, mark_interrupted, read_aggregate, read_failures};
pub use sets::SetScore;
