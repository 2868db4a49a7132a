//! `.npz` files of `NumPy`: arrays of floats, read and written.
//!
//! A file may come from anywhere: no array is larger than its reader allows, whatever a header claims or the archive unpacks to.

mod header;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use i2am_files::{Action, FileError, shown};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::error::MetricError;
#[cfg(feature = "torch")]
pub(crate) use header::shape;

use header::Header;

/// An array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<f64>,
    /// Whether the file has them as 16-bit floats.
    pub is_half: bool,
}

/// A file whose arrays are read one by one.
pub struct Npz {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
}

impl Npz {
    /// # Errors
    /// [`MetricError::Statistics`] if it is no `.npz` file.
    #[cfg_attr(
        not(feature = "torch"),
        expect(dead_code, reason = "statistics are read by metrics with networks")
    )]
    pub(crate) fn open(path: &Path) -> Result<Self, MetricError> {
        Self::open_with(path, "arrays `mu` and `sigma`")
    }

    /// Opens a file that should have `expected`, as messages say.
    ///
    /// # Errors
    /// [`MetricError::Statistics`] if it is no `.npz` file.
    pub fn open_with(path: &Path, expected: &str) -> Result<Self, MetricError> {
        let unread = |cause| FileError::new(Action::Read, path, cause);
        let mut file = File::open(path).map_err(unread)?;
        let mut start = Vec::new();
        Read::by_ref(&mut file)
            .take(START)
            .read_to_end(&mut start)
            .map_err(unread)?;
        file.rewind().map_err(unread)?;
        if let Some(found) = other_kind(&start) {
            let reason = format!("expected an .npz file with {expected}, found {found}");
            return Err(refused(path, reason));
        }
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|_no_directory| {
            let found = if start.starts_with(b"PK") {
                "a damaged one, or a part of one"
            } else {
                "something else"
            };
            let reason = format!("expected an .npz file, a ZIP archive of arrays, found {found}");
            refused(path, reason)
        })?;
        let path = path.to_owned();
        Ok(Self { path, archive })
    }

    /// The array `name`, of finite numbers. Its values are read only where `is_expected` finds nothing wrong with its shape.
    ///
    /// # Errors
    /// [`MetricError::Statistics`] if the array is missing, is not of floats, or is not what its own header says.
    pub fn array(
        &mut self,
        name: &str,
        is_expected: impl FnOnce(&[usize]) -> Result<(), String>,
    ) -> Result<Array, MetricError> {
        let member = format!("{name}.npy");
        if self.archive.index_for_name(&member).is_none() {
            let found = self.names();
            return Err(refused(
                &self.path,
                format!("expected an array `{name}`, found {found}"),
            ));
        }
        let of_array = |reason| refused(&self.path, format!("array `{name}`: {reason}"));
        let opened = self.archive.by_name(&member);
        let member = opened.map_err(|error| of_array(unpacked(error)))?;
        parse(member, is_expected).map_err(of_array)
    }

    /// The names of all arrays, in the order of the file.
    pub fn arrays(&self) -> Vec<String> {
        let names = self.archive.file_names().filter_map(Result::ok);
        let arrays = names.filter_map(|name| Some(name.strip_suffix(".npy")?.to_owned()));
        arrays.collect()
    }

    /// The arrays that there are.
    fn names(&self) -> String {
        const MOST: usize = 10;
        let names = self.archive.file_names().filter_map(Result::ok);
        let names = names.map(|name| shown(name.strip_suffix(".npy").unwrap_or(&name)));
        let names: Vec<String> = names.collect();
        match names.len() {
            0 => "none".to_owned(),
            count if count > MOST => {
                format!("{} and {} more", names[..MOST].join(", "), count - MOST)
            }
            _ => names.join(", "),
        }
    }
}

/// Bytes that show what a file is.
const START: u64 = 64;

/// What a file that starts with `bytes` is, where that is plainly no archive.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [] => Some("an empty file"),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some("a single array, as in an .npy file"),
        [0x80, 2..=5, ..] => Some("a pickle: save the arrays with numpy.savez"),
        [0x1f, 0x8b, ..] => Some("a gzip archive: unpack it"),
        _ if bytes.starts_with(b"version https://git-lfs") => {
            Some("a pointer of Git LFS: get the file itself with `git lfs pull`")
        }
        [b'<', ..] => Some("a page of the web"),
        _ => None,
    }
}

fn unpacked(error: impl std::fmt::Display) -> String {
    format!("expected a member that can be unpacked, found a damaged one: {error}")
}

fn refused(path: &Path, reason: String) -> MetricError {
    MetricError::Statistics {
        path: path.to_owned(),
        reason,
    }
}

/// Writes `arrays`, compressed, as `numpy.savez_compressed` would.
///
/// # Errors
/// A file that cannot be written.
#[cfg_attr(
    not(feature = "torch"),
    expect(dead_code, reason = "statistics are written by metrics with networks")
)]
pub(crate) fn write(path: &Path, arrays: &[(&str, &Array)]) -> Result<(), MetricError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let written: Result<Vec<u8>, zip::result::ZipError> = (|| {
        for (name, array) in arrays {
            archive.start_file(format!("{name}.npy"), options)?;
            archive.write_all(&encode(array))?;
        }
        Ok(archive.finish()?.into_inner())
    })();
    let bytes = written.map_err(|error| refused(path, error.to_string()))?;
    Ok(i2am_files::write_atomic(path, bytes)?)
}

fn encode(array: &Array) -> Vec<u8> {
    let mut bytes = header::encode(&array.shape);
    bytes.extend(array.values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// # Errors
/// What was expected and what was found.
fn parse(
    mut file: impl Read,
    is_expected: impl FnOnce(&[usize]) -> Result<(), String>,
) -> Result<Array, String> {
    let header = Header::read(&mut file)?;
    is_expected(&header.shape)?;
    let size = header.size_in_bytes()?;
    let mut bytes = Vec::new();
    // One byte more shows whether there are too many.
    let read = file.take(size as u64 + 1).read_to_end(&mut bytes);
    read.map_err(unpacked)?;
    match bytes.len() {
        found if found < size => {
            return Err(format!("expected {size} bytes of values, found {found}"));
        }
        found if found > size => {
            return Err(format!("expected {size} bytes of values, found more"));
        }
        _ => {}
    }
    let values = header.values(&bytes);
    if let Some(first) = values.iter().position(|value| !value.is_finite()) {
        let count = values.iter().filter(|value| !value.is_finite()).count();
        return Err(format!(
            "expected finite numbers, found {} at {} ({count} such)",
            values[first],
            place(&header.shape, first)
        ));
    }
    let is_half = header.is_half();
    let shape = header.shape;
    Ok(Array {
        shape,
        values,
        is_half,
    })
}

/// The place of value `index` of an array of `shape`, as `NumPy` counts: `[3, 0]`.
pub(crate) fn place(shape: &[usize], index: usize) -> String {
    let mut rest = index;
    let mut axes: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let here = rest % size;
            rest /= size;
            here
        })
        .collect();
    axes.reverse();
    format!("{axes:?}")
}
