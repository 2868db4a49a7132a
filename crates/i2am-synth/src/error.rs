//! What can go wrong when a set is written.

use std::path::PathBuf;

use i2am_files::FileError;
use i2am_imaging::ImagingError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SynthError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),

    /// A picture cannot be written.
    #[error(transparent)]
    Picture(Box<ImagingError>),

    /// Count or size of a set is out of range.
    #[error("a synthetic set: expected {name} from {low} to {high}, found {found}")]
    Range {
        /// What is out of range.
        name: &'static str,
        /// The least value.
        low: usize,
        /// The largest value.
        high: usize,
        /// The value given.
        found: usize,
    },

    /// The folder for a set holds something else, which is not overwritten.
    #[error("{}: expected an empty folder, or a synthetic set with `{marker}`, found other files: choose another folder", .path.display())]
    NotSynthetic {
        /// The folder.
        path: PathBuf,
        /// The file that marks a synthetic set.
        marker: &'static str,
    },

    /// The folder for a set holds another synthetic set, which is not overwritten.
    #[error("{}: expected the synthetic set {expected}, found {found}: choose another folder or delete this one", .path.display())]
    OtherSet {
        /// The folder.
        path: PathBuf,
        /// The set wanted.
        expected: String,
        /// The set that is there.
        found: String,
    },
}
