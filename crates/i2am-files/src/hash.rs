//! sha256 of bytes and of files, as lower-case hexadecimal text.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{Action, FileError};

/// Bytes read at a time: large enough that system calls do not matter, small enough to stay in the cache.
const CHUNK: usize = 1 << 18;

/// sha256 of `bytes`: 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hexadecimal(&Sha256::digest(bytes.as_ref()))
}

/// sha256 of the content of the file `path`, read in pieces (a checkpoint may be larger than the memory): 64
/// lower-case hexadecimal digits.
pub fn sha256_file(path: impl AsRef<Path>) -> Result<String, FileError> {
    let path = path.as_ref();
    digest(path).map_err(FileError::with(Action::Read, path))
}

fn digest(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hexadecimal(&hasher.finalize())),
            count => hasher.update(&chunk[..count]),
        }
    }
}

/// `bytes` as lower-case hexadecimal digits, two for each.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
            text
        })
}
