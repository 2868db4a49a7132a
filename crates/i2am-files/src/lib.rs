//! Atomic writes, text in whatever way an editor saved it, sorted listings, and hashes of files by content, which can be remembered.
//!
//! Every function names the path and the action in its error, so that a full disk, a missing folder or a folder that
//! cannot be written gives one line that can be acted on.

mod error;
mod hash;
mod hashes;
mod list;
mod resolve;
mod shown;
mod table;
mod text;
mod write;

pub use error::{Action, FileError};
pub use hash::{hexadecimal, sha256_file, sha256_hex};
pub use hashes::FileHashes;
pub use list::{listed, sorted_entries};
pub use resolve::resolve;
pub use shown::shown;
pub use table::{Separator, Table, TableRow};
pub use text::read_text;
pub use write::{create_dir, ensure_writable, remove_unfinished, try_folder, write_atomic};

use std::path::Path;

/// The whole content of the file `path`.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, FileError> {
    let path = path.as_ref();
    std::fs::read(path).map_err(FileError::with(Action::Read, path))
}
