//! Which format a file is, by its content.

use crate::contents::Contents;
use crate::error::WeightError;
use crate::source::Source;
use crate::{legacy, safetensors, torch_zip};

/// Where a tar header says that it is one.
const TAR_MAGIC_AT: usize = 257;

/// Parses the file by the reader for its format.
pub(crate) fn open(source: Source<'_>) -> Result<Contents, WeightError> {
    let bytes = source.bytes;
    match bytes {
        // A record, or the end of an archive without records.
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => torch_zip::open(source),
        [_, _, _, _, _, _, _, _, b'{', ..] => safetensors::open(source),
        // The opcode that begins every pickle since protocol 2, and its protocol.
        [0x80, 2..=5, ..] => legacy::open(source),
        _ if bytes
            .get(TAR_MAGIC_AT..)
            .is_some_and(|rest| rest.starts_with(b"ustar")) =>
        {
            Err(source.unsupported(
                "the tar format of torch before 0.1.10 is not supported",
                "load it in an old torch and save it again with torch.save",
            ))
        }
        _ => Err(source.unrecognized(describe(bytes))),
    }
}

/// What the content of a file that is not as expected looks like; the first three are what failed downloads leave.
pub fn describe(bytes: &[u8]) -> String {
    const SHOWN: usize = 8;
    let start = bytes.trim_ascii_start();
    if bytes.is_empty() {
        "an empty file".to_owned()
    } else if bytes.starts_with(b"version https://git-lfs") {
        "a git-lfs pointer; fetch the file itself with `git lfs pull`".to_owned()
    } else if start.starts_with(b"<") {
        "an HTML or XML page".to_owned()
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        "a gzip stream".to_owned()
    } else if bytes.starts_with(b"\x89HDF") {
        "an HDF5 file".to_owned()
    } else {
        format!(
            "{} bytes that begin with \"{}\"",
            bytes.len(),
            bytes[..bytes.len().min(SHOWN)].escape_ascii()
        )
    }
}
