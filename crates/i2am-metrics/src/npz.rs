//! `.npz` files of `NumPy`: arrays of floats, read and written.
//!
//! A file may come from anywhere: no array is larger than its reader allows, whatever a header claims or the archive unpacks to.

mod header;
#[cfg(test)]
mod tests;

use std::io::{Cursor, Read, Write as _};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::error::MetricError;
use header::Header;

/// An array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// A file whose arrays are read one by one.
pub(crate) struct Npz {
    path: PathBuf,
    archive: ZipArchive<Cursor<Vec<u8>>>,
}

impl Npz {
    /// # Errors
    /// [`MetricError::Statistics`] if it is no `.npz` file.
    pub(crate) fn open(path: &Path) -> Result<Self, MetricError> {
        let bytes = i2am_files::read(path)?;
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
            let reason = format!("expected an .npz file of statistics: {error}");
            refused(path, reason)
        })?;
        let path = path.to_owned();
        Ok(Self { path, archive })
    }

    /// The array `name`, of finite numbers. Its values are read only where `is_expected` finds nothing wrong with its shape.
    ///
    /// # Errors
    /// [`MetricError::Statistics`] if the array is missing, is not of floats, or is not what its own header says.
    pub(crate) fn array(
        &mut self,
        name: &str,
        is_expected: impl FnOnce(&[usize]) -> Result<(), String>,
    ) -> Result<Array, MetricError> {
        let member = format!("{name}.npy");
        if self.archive.index_for_name(&member).is_none() {
            let names = self.archive.file_names();
            let found: Vec<_> = names.filter_map(Result::ok).collect();
            let reason = format!("expected an array `{name}`, found {}", found.join(", "));
            return Err(refused(&self.path, reason));
        }
        let of_array = |reason| refused(&self.path, format!("array `{name}`: {reason}"));
        let opened = self.archive.by_name(&member);
        let member = opened.map_err(|error| of_array(error.to_string()))?;
        parse(member, is_expected).map_err(of_array)
    }
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
    read.map_err(|error| error.to_string())?;
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
    if let Some(place) = values.iter().position(|value| !value.is_finite()) {
        let value = values[place];
        return Err(format!("expected finite numbers, found {value} at {place}"));
    }
    let shape = header.shape;
    Ok(Array { shape, values })
}
