//! What can go wrong with a report.

use std::path::PathBuf;

use i2am_attribution::AttributionError;
use i2am_files::FileError;
use i2am_imaging::ImagingError;
use i2am_results::ResultsError;

/// A report that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),

    /// A run folder that cannot be read.
    #[error(transparent)]
    Results(#[from] ResultsError),

    /// An attention record that cannot be read.
    #[error(transparent)]
    Record(#[from] AttributionError),

    /// A picture that cannot be read or encoded.
    #[error(transparent)]
    Picture(#[from] ImagingError),

    /// A manifest whose attribution settings are of another version.
    #[error("{}: attribution.convention: {problem}", .path.display())]
    Convention {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// A page that no report wrote lies where the report would go.
    #[error("{}: not a report of this program; write to another folder", .path.display())]
    Occupied {
        /// The page.
        path: PathBuf,
    },

    /// A setting out of its range.
    #[error("[page] {key}: expected {expected}, found {found}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
}
