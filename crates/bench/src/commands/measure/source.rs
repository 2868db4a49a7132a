//! One side of a comparison, as the command line gives it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_metrics::{MetricError, PictureFiles, Side};

use crate::exit::usage;

/// Whether the name of `path` says that it holds statistics.
pub(super) fn is_statistics(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("npz"))
}

/// One side as it was given.
pub(super) enum Source {
    Files(PictureFiles),
    Statistics(PathBuf),
}

impl Source {
    pub(super) fn open(path: &Path, recursive: bool) -> Result<Self, MetricError> {
        // One array is no statistics, and the reader of statistics says so.
        let is_array = path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("npy"));
        Ok(if is_array || is_statistics(path) {
            Self::Statistics(path.to_owned())
        } else {
            Self::Files(PictureFiles::open(path, recursive)?)
        })
    }

    pub(super) fn side(&self) -> Side<'_> {
        match self {
            Self::Files(files) => Side::Pictures(files),
            Self::Statistics(path) => Side::Statistics(path),
        }
    }

    pub(super) fn files(&self) -> Result<&PictureFiles> {
        match self {
            Self::Files(files) => Ok(files),
            Self::Statistics(path) => Err(usage(format!(
                "{}: expected pictures to compare pair by pair, found statistics",
                path.display()
            ))),
        }
    }

    pub(super) fn names(&self) -> Option<&[String]> {
        match self {
            Self::Files(files) => Some(files.names()),
            Self::Statistics(_) => None,
        }
    }
}
