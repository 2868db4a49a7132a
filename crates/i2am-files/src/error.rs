//! The crate's one error: what was tried on which path, and what the system answered.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A file operation that failed.
///
/// Prints as `cannot write results/a.csv: No space left on device (os error 28)`. The text of the system is part of
/// the message and therefore not repeated as [`std::error::Error::source`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("cannot {action} {}: {cause}", .path.display())]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What was tried.
    pub action: Action,
    /// What the operating system answered.
    pub cause: io::Error,
}

impl FileError {
    /// An error for a crate that works on an open file of its own (a ledger, a mapped file) and wants the same message.
    pub fn new(action: Action, path: impl Into<PathBuf>, cause: io::Error) -> Self {
        Self {
            path: path.into(),
            action,
            cause,
        }
    }

    /// Whether nothing else can be written to the file system either: it is full, or cannot be written at all.
    pub fn is_no_room(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        matches!(
            self.cause.kind(),
            StorageFull | QuotaExceeded | ReadOnlyFilesystem
        )
    }

    /// For `map_err`: turns the system's answer into a [`FileError`].
    pub(crate) fn with(action: Action, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::new(action, path, cause)
    }
}

/// What was tried on a path; prints as the verb of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Reading a file.
    Read,
    /// Writing or replacing a file.
    Write,
    /// Creating a folder.
    CreateFolder,
    /// Listing a folder.
    ListFolder,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::CreateFolder => "create folder",
            Self::ListFolder => "list folder",
        })
    }
}
