//! Writing so that a file is either absent, old or complete, never half written.

use std::io::{self, Write as _};
use std::path::Path;

use tempfile::Builder;

use crate::{Action, FileError};

/// Writes `bytes` to `path`, replacing a file that is there.
///
/// The bytes go to a temporary file in the same folder, reach the disk, and are then renamed into place: a reader, or
/// a run that is killed, sees the old file or the new one. Parent folders are created. On an error nothing is left
/// behind and an old file stays as it was.
pub fn write_atomic(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
    let path = path.as_ref();
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_dir(folder)?;
    replace(folder, path, bytes.as_ref()).map_err(FileError::with(Action::Write, path))
}

/// Creates the folder `path` and its parents; one that exists already is fine.
pub fn create_dir(path: impl AsRef<Path>) -> Result<(), FileError> {
    let path = path.as_ref();
    std::fs::create_dir_all(path).map_err(FileError::with(Action::CreateFolder, path))
}

fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut builder = Builder::new();
    builder.prefix(".writing-");
    // The default of temporary files, readable by the owner only, would stay with the renamed file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
