//! Baselines: the scores that a run had once, kept in a file, and how far later runs may move from them.
//!
//! A [`Snapshot`] is read off a run folder. A [`Baseline`] is such a snapshot with a [`Tolerance`] for each metric, as a
//! JSON file that is small, sorted, and has a line for each value, so that a difference of two of them can be read.
//! [`Baseline::compare`] reports what moved.

mod compare;
mod file;
mod snapshot;
mod tolerance;

pub use compare::{Change, Comparison, Verdict};
pub use snapshot::{Score, Snapshot};
pub use tolerance::Tolerance;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::ResultsError;

/// Version of the file's format.
pub const BASELINE_SCHEMA_VERSION: u32 = 1;

/// A run to compare later ones with.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// [`BASELINE_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// How far the scores of each metric may move, by the metric's name. The file is where they are set; a user may
    /// change them there.
    pub tolerances: BTreeMap<String, Tolerance>,
    /// The scores, and what they belong to.
    pub run: Snapshot,
}

impl Baseline {
    /// A baseline of `run`. Metrics keep the tolerance that `kept` has for them; the others get that of `default`.
    pub fn new(
        run: Snapshot,
        kept: BTreeMap<String, Tolerance>,
        default: impl Fn(&str) -> Tolerance,
    ) -> Self {
        let mut tolerances = kept;
        for Score { metric, .. } in &run.scores {
            let missing = !tolerances.contains_key(metric);
            if missing {
                tolerances.insert(metric.clone(), default(metric));
            }
        }
        Self {
            schema_version: BASELINE_SCHEMA_VERSION,
            tolerances,
            run,
        }
    }

    /// Reads the file `path`.
    ///
    /// # Errors
    /// [`ResultsError::SchemaVersion`] for another version of the format; [`ResultsError::BaselineFormat`] for what is no
    /// baseline, lacks the tolerance of one of its metrics, or has one that nothing can be compared with.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ResultsError> {
        file::read(path.as_ref())
    }

    /// Writes the file `path`, replacing one that is there.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), ResultsError> {
        Ok(i2am_files::write_atomic(path, file::to_json(self))?)
    }

    /// What moved between this baseline and `run`: an entry for each of their scores, and of the values of single samples
    /// that the baseline keeps, in its order; what only `run` has comes last.
    ///
    /// # Errors
    /// [`ResultsError::NotComparable`]: `run` has other settings, data or samples, or other versions of the metrics. Other
    /// checkpoints, versions of programs or devices are what a comparison is for; they are noted.
    pub fn compare(&self, run: &Snapshot) -> Result<Comparison, ResultsError> {
        compare::compare(self, run)
    }
}
