//! Writing so that a file is either absent, old or complete, never half written.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use tempfile::Builder;

use crate::{Action, FileError};

/// What the names of temporary files begin with.
const UNFINISHED: &str = ".writing-";

/// Writes `bytes` to `path`, replacing a file that is there.
///
/// The bytes go to a temporary file in the same folder, reach the disk, and are then renamed into place: a reader, or
/// a run that is killed, sees the old file or the new one. Parent folders are created. On an error nothing is left
/// behind and an old file stays as it was.
pub fn write_atomic(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
    let path = path.as_ref();
    let folder = folder_of(path);
    create_dir(folder)?;
    replace(folder, path, bytes.as_ref()).map_err(FileError::with(Action::Write, path))
}

/// Makes sure that [`write_atomic`] can write `path`, before work is done for it: its folder is created, and a file in it that does not
/// stay.
pub fn ensure_writable(path: impl AsRef<Path>) -> Result<(), FileError> {
    let path = path.as_ref();
    let folder = folder_of(path);
    create_dir(folder)?;
    if path.is_dir() {
        let cause = io::ErrorKind::IsADirectory.into();
        return Err(FileError::new(Action::Write, path, cause));
    }
    let file = Builder::new().prefix(UNFINISHED).tempfile_in(folder);
    file.map(drop).map_err(FileError::with(Action::Write, path))
}

/// Tries whether files can be made in the existing folder `dir`. Only that tells: permissions do not bind everyone, and file systems have
/// reasons of their own. Where the system has files without a name, none is ever seen there.
pub fn try_folder(dir: impl AsRef<Path>) -> io::Result<()> {
    tempfile::tempfile_in(dir).map(drop)
}

/// Creates the folder `path` and its parents; one that exists already is fine.
pub fn create_dir(path: impl AsRef<Path>) -> Result<(), FileError> {
    let path = path.as_ref();
    std::fs::create_dir_all(path).map_err(FileError::with(Action::CreateFolder, path))
}

/// Removes the temporary files that processes left in the folder `dir` and below it, because they were killed while they wrote, and
/// that are at least as old as `age`. In a folder that other processes may write to, they need time to finish.
///
/// What cannot be listed or removed stays.
pub fn remove_unfinished(dir: impl AsRef<Path>, age: Duration) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_unfinished(entry.path(), age);
        } else if name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            let modified = entry.metadata().and_then(|found| found.modified()).ok();
            let old = modified.and_then(|modified| modified.elapsed().ok());
            if age.is_zero() || old.is_some_and(|old| old >= age) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut builder = Builder::new();
    builder.prefix(UNFINISHED);
    // The default of temporary files, readable by the owner only, would stay with the renamed file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
