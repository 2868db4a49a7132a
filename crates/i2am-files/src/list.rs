//! Listings in an order that does not depend on the file system, and files that a list names.

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

/// The file that a list in the folder `base` calls `name`: below `base` unless `name` is absolute. Where there is no such file, the
/// backslashes of a list from Windows separate folders as `/` does.
pub fn listed(base: impl AsRef<Path>, name: &str) -> PathBuf {
    let file = base.as_ref().join(name);
    if name.contains('\\') && !file.exists() {
        return base.as_ref().join(name.replace('\\', "/"));
    }
    file
}
