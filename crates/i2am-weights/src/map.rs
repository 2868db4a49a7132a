//! Read-only memory maps. The only unsafe code of the workspace is here.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::error::WeightError;

/// A whole file, mapped read-only: a 7 GB checkpoint costs address space, and memory only for the tensors that
/// are read.
#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    map: Mmap,
}

impl MappedFile {
    pub(crate) fn open(path: &Path) -> Result<Self, WeightError> {
        let read = |source| WeightError::Read {
            path: path.to_path_buf(),
            source,
        };
        let file = File::open(path).map_err(|source| match std::fs::read_link(path) {
            Ok(target) if source.kind() == std::io::ErrorKind::NotFound => WeightError::Dangling {
                path: path.to_path_buf(),
                target,
            },
            _ => read(source),
        })?;
        if file.metadata().map_err(read)?.is_dir() {
            return Err(read(std::io::ErrorKind::IsADirectory.into()));
        }
        #[expect(
            unsafe_code,
            reason = "mapping a file is unsafe in every crate that offers it"
        )]
        // SAFETY: the map is private and read-only, and is only handed out as `&[u8]` bound to `self`.
        // What Rust cannot rule out is another process changing or truncating the file while it is
        // mapped. Nothing here relies on the content staying what it was when the headers were checked:
        // every access is a bounds-checked slice of a fixed-length map and no value is reinterpreted as a
        // type with invalid bit patterns, so a changed file gives wrong numbers and a truncated one ends
        // the process by signal. Both are accepted for weight files, which are written once.
        let map = unsafe { Mmap::map(&file) }.map_err(read)?;
        Ok(Self {
            path: path.to_path_buf(),
            map,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }
}
