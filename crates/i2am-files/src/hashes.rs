//! Hashes of files that are remembered, so that a second start reads no content.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Action, FileError, read_text, sha256_file, sha256_hex, write_atomic};

/// The first word of a file of hashes; another version of the format has another one.
const FORMAT: &str = "i2am-file-hashes-1";

/// A file that was modified so shortly before it was hashed may be modified again without a change of its time, whose steps can be
/// as long as this. Git calls such files racy.
const RACY: Duration = Duration::from_secs(2);

/// sha256 of files by content, remembered from one start to the next.
///
/// A remembered hash is used only if the file still has the size and the times that it had when it was hashed; a file that was
/// modified in the two seconds before that is not remembered. All losses of the memory, such as a damaged file or a folder that
/// cannot be written, cost time and are no errors: the content is read again.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let (cache, picture) = (folder.path().join("hashes"), folder.path().join("picture.png"));
/// # i2am_files::write_atomic(&picture, "abc")?;
/// let hashes = i2am_files::FileHashes::open(&cache);
/// let hash = hashes.sha256(&picture)?;
/// assert_eq!(hash, i2am_files::sha256_hex("abc"));
/// hashes.save();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileHashes {
    /// Where the memory is kept; none if it ends with the program.
    place: Option<PathBuf>,
    known: Mutex<BTreeMap<PathBuf, Known>>,
    read: AtomicUsize,
}

/// A hash and what the file looked like when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    state: State,
    sha256: String,
}

/// What changes with the content of a file: size, time of modification, and where the system has it, time of the last change of any
/// kind, which no program can set back. Times are in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    size: u64,
    modified: i128,
    changed: i128,
}

impl FileHashes {
    /// Reads the memory at `place`; one that does not exist or is damaged is empty.
    pub fn open(place: impl Into<PathBuf>) -> Self {
        let place = place.into();
        let known = read_text(&place).ok().and_then(|text| parse(&text));
        Self {
            place: Some(place),
            ..Self::with(known.unwrap_or_default())
        }
    }

    /// Hashes that are remembered until the program ends.
    pub fn in_memory() -> Self {
        Self::with(BTreeMap::new())
    }

    fn with(known: BTreeMap<PathBuf, Known>) -> Self {
        Self {
            place: None,
            known: Mutex::new(known),
            read: AtomicUsize::new(0),
        }
    }

    /// sha256 of the content of `file`: 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`FileError`] if the file does not exist or cannot be read.
    pub fn sha256(&self, file: impl AsRef<Path>) -> Result<String, FileError> {
        let file = file.as_ref();
        let failed = |cause| FileError::new(Action::Read, file, cause);
        let path = std::path::absolute(file).map_err(failed)?;
        let state = || std::fs::metadata(file).map(|found| State::of(&found));
        let before = state().map_err(failed)?;
        if let Some(known) = self.known().get(&path).filter(|k| k.state == before) {
            return Ok(known.sha256.clone());
        }
        let now = nanoseconds(SystemTime::now());
        let sha256 = sha256_file(file)?;
        self.read.fetch_add(1, Ordering::Relaxed);
        let settled = before.modified + RACY.as_nanos() as i128 <= now;
        if settled && state().is_ok_and(|after| after == before) {
            let known = Known {
                state: before,
                sha256: sha256.clone(),
            };
            self.known().insert(path, known);
        }
        Ok(sha256)
    }

    /// How many times the content of a file was read.
    pub fn files_read(&self) -> usize {
        self.read.load(Ordering::Relaxed)
    }

    /// Writes the memory to its place, together with what other programs have added there since. Without effect if nothing was
    /// read, or if the place cannot be written.
    pub fn save(&self) {
        let Some(place) = self.place.as_ref().filter(|_| self.files_read() > 0) else {
            return;
        };
        let mut all = read_text(place).ok().and_then(|text| parse(&text));
        let all = all.get_or_insert_default();
        all.extend(self.known().clone());
        // Without the memory the next start reads the files again, so nothing is lost but time.
        let _cannot_be_written = write_atomic(place, written(all));
    }

    /// A thread that panicked leaves a map that is whole: entries are put in at once.
    fn known(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(found: &Metadata) -> Self {
        Self {
            size: found.len(),
            modified: found.modified().map_or(i128::MAX / 2, nanoseconds),
            #[cfg(unix)]
            changed: {
                use std::os::unix::fs::MetadataExt as _;
                i128::from(found.ctime()) * 1_000_000_000 + i128::from(found.ctime_nsec())
            },
            #[cfg(not(unix))]
            changed: 0,
        }
    }
}

/// Since 1970; negative before.
fn nanoseconds(time: SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

/// A line with [`FORMAT`] and the sha256 of the rest; then a line for each file: hash, size, times and path.
fn written(known: &BTreeMap<PathBuf, Known>) -> String {
    let mut lines = String::new();
    for (path, Known { state, sha256 }) in known {
        let State {
            size,
            modified,
            changed,
        } = state;
        // A path that is no text of one line is not remembered.
        let of_one_line = |path: &&str| !path.contains(['\n', '\r']);
        if let Some(path) = path.to_str().filter(of_one_line) {
            writeln!(lines, "{sha256}\t{size}\t{modified}\t{changed}\t{path}")
                .expect("writing to a String cannot fail");
        }
    }
    format!("{FORMAT} {}\n{lines}", sha256_hex(&lines))
}

/// What [`written`] writes; none if it is damaged or of another version.
fn parse(text: &str) -> Option<BTreeMap<PathBuf, Known>> {
    let (head, lines) = text.split_once('\n')?;
    if head != format!("{FORMAT} {}", sha256_hex(lines)) {
        return None;
    }
    let line = |line: &str| {
        let mut cells = line.splitn(5, '\t');
        let mut cell = || cells.next();
        let sha256 = cell()?.to_owned();
        let state = State {
            size: cell()?.parse().ok()?,
            modified: cell()?.parse().ok()?,
            changed: cell()?.parse().ok()?,
        };
        Some((PathBuf::from(cell()?), Known { state, sha256 }))
    };
    lines.split_terminator('\n').map(line).collect()
}
