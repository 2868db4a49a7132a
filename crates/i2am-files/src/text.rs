//! Text files as people keep them: lists, tables, JSON and TOML of any editor and system.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::{Action, FileError};

/// What Windows editors, spreadsheets and `PowerShell` put before UTF-8 text.
const MARK: char = '\u{feff}';
/// Bytes at the start that show what is no text, so that a large file of another kind is not read as a whole.
const START: u64 = 4096;

/// The text of the file `path`, whose lines end with `\n`.
///
/// The text is UTF-8. A byte order mark is left out, also one at the start of a later line, where files were joined; `\r\n` and a
/// single `\r` end a line as `\n` does.
///
/// # Errors
/// [`FileError`] of the kind [`InvalidData`](io::ErrorKind::InvalidData) for a file that is not UTF-8, with line and place: UTF-16 and
/// UTF-32, archives, and what has a NUL byte are named.
pub fn read_text(path: impl AsRef<Path>) -> Result<String, FileError> {
    let path = path.as_ref();
    content(path).map_err(FileError::with(Action::Read, path))
}

fn content(path: &Path) -> io::Result<String> {
    let refuse = |problem| io::Error::new(io::ErrorKind::InvalidData, problem);
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    file.by_ref().take(START).read_to_end(&mut bytes)?;
    if let Some(problem) = other_kind(&bytes) {
        return Err(refuse(problem));
    }
    file.read_to_end(&mut bytes)?;
    decode(bytes).map_err(refuse)
}

/// What a file that starts with `bytes` is, if it is plainly no UTF-8.
fn other_kind(bytes: &[u8]) -> Option<String> {
    let (found, remedy) = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => ("UTF-32", "save the file as UTF-8"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("UTF-16", "save the file as UTF-8"),
        _ if is_utf_16(bytes) => ("UTF-16 without a byte order mark", "save the file as UTF-8"),
        [b'P', b'K', 3, 4, ..] => (
            "a ZIP archive, as spreadsheets are (.xlsx, .ods)",
            "unpack it, or export the table as CSV",
        ),
        [0x1f, 0x8b, ..] => ("a gzip archive", "unpack it"),
        _ => return None,
    };
    Some(format!("expected text in UTF-8, found {found}: {remedy}"))
}

/// Whether `bytes` are ASCII text for the most part, with a NUL byte always before or always behind the other.
fn is_utf_16(bytes: &[u8]) -> bool {
    let (units, _) = bytes.as_chunks::<2>();
    let zeros = |half: usize| units.iter().filter(|unit| unit[half] == 0).count();
    let zeros = [zeros(0), zeros(1)];
    zeros.contains(&0) && 4 * zeros.into_iter().max().unwrap_or_default() > units.len()
}

/// # Errors
/// Where the first byte is that UTF-8 text does not have.
fn decode(bytes: Vec<u8>) -> Result<String, String> {
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let end = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let place = place(&bytes[..end]);
        format!(
            "{place}: expected text in UTF-8, found the byte 0x{:02X}: save the file as UTF-8",
            bytes[end]
        )
    })?;
    if let Some(end) = text.find('\0') {
        let place = place(&text.as_bytes()[..end]);
        return Err(format!("{place}: expected text, found a NUL byte"));
    }
    let marks = text.len() - text.trim_start_matches(MARK).len();
    text.drain(..marks);
    if text.contains('\r') {
        text = text.replace("\r\n", "\n").replace('\r', "\n");
    }
    let joined = format!("\n{MARK}");
    if text.contains(&joined) {
        text = text.replace(&joined, "\n");
    }
    Ok(text)
}

/// Where the text ends that `before` is the UTF-8 of: line and character, from 1.
fn place(before: &[u8]) -> String {
    let text = String::from_utf8_lossy(before);
    let text = text.trim_start_matches(MARK).replace("\r\n", "\n");
    let line = text.matches(['\n', '\r']).count() + 1;
    let start = text.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let character = text[start..].chars().count() + 1;
    format!("line {line}, character {character}")
}
