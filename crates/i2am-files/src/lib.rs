//! Atomic writes, sorted listings, and hashes of files by content, which can be remembered.
//!
//! Every function names the path and the action in its error, so that a full disk, a missing folder or a folder that
//! cannot be written gives one line that can be acted on.

mod error;
mod hash;
mod hashes;
mod list;
mod write;

pub use error::{Action, FileError};
pub use hash::{sha256_file, sha256_hex};
pub use hashes::FileHashes;
pub use list::sorted_entries;
pub use write::{create_dir, write_atomic};

use std::path::Path;

/// The whole content of the file `path`.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, FileError> {
    let path = path.as_ref();
    std::fs::read(path).map_err(FileError::with(Action::Read, path))
}
