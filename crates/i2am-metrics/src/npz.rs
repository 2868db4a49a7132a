//! `.npz` files of `NumPy`: arrays of 64-bit floats, read and written.

use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::error::MetricError;

const MAGIC: &[u8] = b"\x93NUMPY";

/// An array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// The arrays `names` of the file `path`, in their order.
///
/// # Errors
/// [`MetricError::Statistics`] if it is no `.npz` file, an array is missing, or is not of floats.
pub(crate) fn read<const N: usize>(
    path: &Path,
    names: [&str; N],
) -> Result<[Array; N], MetricError> {
    let refuse = |reason: String| MetricError::Statistics {
        path: path.to_owned(),
        reason,
    };
    let bytes = i2am_files::read(path)?;
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| refuse(format!("expected an .npz file of statistics: {error}")))?;
    let found: Vec<String> = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.into_owned()))
        .collect();
    let mut read_one = |name: &str| {
        let mut member = archive.by_name(&format!("{name}.npy")).map_err(|error| {
            refuse(format!(
                "expected an array `{name}`, found {}: {error}",
                found.join(", ")
            ))
        })?;
        let mut bytes = Vec::new();
        member
            .read_to_end(&mut bytes)
            .map_err(|error| refuse(format!("array `{name}`: {error}")))?;
        parse(&bytes).map_err(|reason| refuse(format!("array `{name}`: {reason}")))
    };
    let arrays: Vec<Array> = names
        .iter()
        .map(|name| read_one(name))
        .collect::<Result<_, _>>()?;
    Ok(arrays.try_into().expect("one array for each name"))
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
    let bytes = written.map_err(|error| MetricError::Statistics {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(i2am_files::write_atomic(path, bytes)?)
}

fn encode(array: &Array) -> Vec<u8> {
    let axes: Vec<String> = array.shape.iter().map(usize::to_string).collect();
    let mut header = format!(
        "{{'descr': '<f8', 'fortran_order': False, 'shape': ({},), }}",
        axes.join(", ")
    );
    // The values start at a multiple of 64 bytes; the header ends with a line feed.
    let before = MAGIC.len() + 4;
    header.push_str(&" ".repeat(63 - (before + header.len()) % 64));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(array.values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// # Errors
/// What was expected and what was found.
fn parse(bytes: &[u8]) -> Result<Array, String> {
    let cut = || "the file is cut off".to_owned();
    let rest = bytes.strip_prefix(MAGIC).ok_or("expected a NumPy array")?;
    let (&[major, _minor], rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let (length, rest) = if major == 1 {
        let (length, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        (u16::from_le_bytes(*length) as usize, rest)
    } else {
        let (length, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        (u32::from_le_bytes(*length) as usize, rest)
    };
    let (header, data) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = String::from_utf8_lossy(header);
    let value_of = |key: &str| {
        let (_, after) = header.split_once(&format!("'{key}':"))?;
        Some(after.trim_start())
    };
    let shape = value_of("shape")
        .and_then(|text| text.strip_prefix('(')?.split_once(')'))
        .ok_or("a header without shape")?
        .0;
    let axes = shape
        .split(',')
        .map(str::trim)
        .filter(|axis| !axis.is_empty());
    let shape: Vec<usize> = axes
        .map(|axis| {
            axis.parse()
                .map_err(|error| format!("axis `{axis}`: {error}"))
        })
        .collect::<Result<_, _>>()?;
    let count = shape.iter().product::<usize>();
    let of = |size: usize| data.get(..count * size).ok_or_else(cut);
    let values: Vec<f64> = match value_of("descr") {
        Some(kind) if kind.starts_with("'<f8'") => of(8)?
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f64::from_le_bytes(bytes))
            .collect(),
        Some(kind) if kind.starts_with("'<f4'") => of(4)?
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes).into())
            .collect(),
        kind => {
            return Err(format!(
                "expected 32- or 64-bit floats, found {}",
                kind.unwrap_or("no type")
            ));
        }
    };
    let is_fortran = value_of("fortran_order").is_some_and(|text| text.starts_with("True"));
    let values = match (is_fortran, shape.as_slice()) {
        (true, &[rows, columns]) => (0..rows * columns)
            .map(|i| values[(i % columns) * rows + i / columns])
            .collect(),
        _ => values,
    };
    Ok(Array { shape, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array() -> Array {
        Array {
            shape: vec![2, 3],
            values: vec![1.0, -2.5, 3.0, 4.0, 5.0, 1e-300],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let mu = Array {
            shape: vec![2],
            values: vec![0.5, 7.0],
        };
        write(&path, &[("mu", &mu), ("sigma", &array())]).unwrap();
        assert_eq!(read(&path, ["sigma", "mu"]).unwrap(), [array(), mu]);
        let error = read(&path, ["nu"]).unwrap_err().to_string();
        assert!(
            error.contains("expected an array `nu`, found mu.npy, sigma.npy"),
            "{error}"
        );
    }

    #[test]
    fn columns_first_and_single_precision_are_understood() {
        let header = b"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n";
        let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header);
        for value in [1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0] {
            bytes.extend(value.to_le_bytes());
        }
        assert_eq!(
            parse(&bytes).unwrap().values,
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        );
        assert_eq!(
            parse(&bytes[..bytes.len() - 1]),
            Err("the file is cut off".to_owned())
        );
    }

    #[test]
    fn values_start_at_a_multiple_of_64_bytes() {
        let bytes = encode(&array());
        assert_eq!((bytes.len() - 6 * 8) % 64, 0);
    }
}
