//! Listings in an order that does not depend on the file system.

use std::path::{Path, PathBuf};

use crate::{Action, FileError};

/// The entries of the folder `dir` (files and folders, hidden ones too), as `dir` joined with each name, in byte order
/// of the names.
pub fn sorted_entries(dir: impl AsRef<Path>) -> Result<Vec<PathBuf>, FileError> {
    let dir = dir.as_ref();
    let mut entries = std::fs::read_dir(dir)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(FileError::with(Action::ListFolder, dir))?;
    entries.sort_unstable();
    Ok(entries)
}
