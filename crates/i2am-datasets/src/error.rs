//! What can be wrong with a data set.
//!
//! The errors are the same for all layouts: a new one describes what is wrong by file, thing, expected and found.

use std::path::{Path, PathBuf};

use i2am_files::FileError;
use i2am_imaging::ImagingError;
use i2am_synth::SynthError;

use crate::{Gap, Part};

/// An error of this crate. Those about a sample name it, its part and the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),

    /// A synthetic set could not be written.
    #[error(transparent)]
    Synth(#[from] SynthError),

    /// Settings that are well-formed but cannot be used.
    #[error("[dataset] of kind `{kind}`: {setting}: expected {expected}, found {found}")]
    Setting {
        /// The kind of data set.
        kind: &'static str,
        /// The key, or the keys.
        setting: &'static str,
        /// What was expected.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A file that lists samples cannot be understood.
    #[error("{}: {reason}", .path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and on which line.
        reason: String,
    },

    /// An entry of a file that lists samples cannot be used.
    #[error("{}: {entry}: expected {expected}, found {found}", .path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The line, image or object.
        entry: String,
        /// What was expected of it.
        expected: String,
        /// What is there.
        found: String,
    },

    /// The files of a folder are not those of a data set.
    #[error("{}: expected {expected}, found {found}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What was expected.
        expected: String,
        /// What is there.
        found: String,
    },

    /// The data set has no samples, or its limit is 0.
    #[error("{}: expected at least one sample, found none{hint}", .path.display())]
    Empty {
        /// The file or folder that lists the samples.
        path: PathBuf,
        /// Why, if known; starts with `: ` unless empty.
        hint: &'static str,
    },

    /// There is no sample with this number.
    #[error("expected a sample number below {count}, found {index}")]
    NoSample {
        /// The number asked for.
        index: usize,
        /// Number of samples.
        count: usize,
    },

    /// The data set has no such part for this sample.
    #[error("sample `{sample}` of the {dataset} dataset {} has no part `{part}`{hint}", .root.display())]
    NoPart {
        /// The kind of data set.
        dataset: &'static str,
        /// Its root.
        root: PathBuf,
        /// The sample.
        sample: String,
        /// The part asked for.
        part: Part,
        /// Why, or what to do; starts with `: ` unless empty.
        hint: &'static str,
    },

    /// Files that a run will need do not exist.
    #[error("{}", .gaps.iter().map(Gap::to_string).collect::<Vec<_>>().join("; "))]
    MissingFiles {
        /// What is missing, part by part.
        gaps: Vec<Gap>,
    },

    /// A picture of a sample cannot be decoded.
    #[error("sample `{sample}`: part `{part}`: {cause}")]
    Picture {
        /// The sample.
        sample: String,
        /// The part.
        part: Part,
        /// What is wrong with the file; names it.
        cause: Box<ImagingError>,
    },

    /// A file of a sample that is no picture cannot be understood.
    #[error("sample `{sample}`: {}: {reason}", .path.display())]
    Content {
        /// The sample.
        sample: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A file of a sample is not as it should be: its size, which another file decides, or the values in it.
    #[error("sample `{sample}`: {}: expected {expected}, found {found}", .path.display())]
    Mismatch {
        /// The sample.
        sample: String,
        /// The file.
        path: PathBuf,
        /// What was expected of it.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl DatasetError {
    /// An error about line `line`, counted from 1, of the file `path`.
    pub(crate) fn line(
        path: &Path,
        line: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Entry {
            path: path.to_path_buf(),
            entry: format!("line {line}"),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// Whether it is about a mask that shows something of which nothing would count.
    pub fn is_of_mask(&self) -> bool {
        match self {
            Self::Picture { cause, .. } => matches!(**cause, ImagingError::Mask { .. }),
            _ => false,
        }
    }

    /// There is no sample `index` among the samples called `ids`.
    pub(crate) fn no_sample(ids: &[String], index: usize) -> Self {
        let count = ids.len();
        Self::NoSample { index, count }
    }
}
