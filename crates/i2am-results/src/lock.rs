//! One writer per run folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

use i2am_files::{Action, FileError};

use crate::error::ResultsError;
use crate::paths::LOCK;

/// Holds a run folder until it is dropped or the process ends in whatever way: the lock belongs to the open file, so a
/// killed process leaves none behind. The file itself stays; removing it would let two processes lock two files.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Locks the existing folder `dir`; creating the lock file shows at once whether the folder can be written.
    pub(crate) fn acquire(dir: &Path) -> Result<Self, ResultsError> {
        let path = dir.join(LOCK);
        let failed = |cause| FileError::new(Action::Write, &path, cause);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ResultsError::Locked {
                    path: dir.to_owned(),
                    process: holder(&mut file),
                });
            }
            Err(TryLockError::Error(cause)) => return Err(failed(cause).into()),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
        _ => "another process".to_owned(),
    }
}
