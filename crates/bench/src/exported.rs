//! Attention that other programs exported, as arrays in `.npz` or safetensors files (docs/exported.md).

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use i2am_attribution::{AttentionRecord, Exported};
use i2am_metrics::Npz;
use i2am_weights::{FileFormat, WeightFile};

/// The endings of such files.
pub(crate) const ENDINGS: [&str; 2] = ["npz", "safetensors"];

/// Numbers in one array that are read at most: 64 layers of Stable Diffusion at 512 x 512 with all steps and heads are less.
const MOST: usize = 1 << 28;

/// Whether `path` has one of the endings.
pub(crate) fn has_ending(path: &Path) -> bool {
    let ending = path.extension();
    ending.is_some_and(|ending| {
        ENDINGS
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// The record of the maps in the file `path`, whose other arrays are refused.
///
/// # Errors
/// A file that is none, or arrays that are no maps of one sample.
pub(crate) fn read_record(path: &Path) -> Result<AttentionRecord> {
    record(&read_arrays(path)?, path)
}

/// The record of `arrays`, which were read from `path`.
///
/// # Errors
/// Arrays that are no maps of one sample.
pub(crate) fn record(arrays: &[Exported], path: &Path) -> Result<AttentionRecord> {
    AttentionRecord::of_exported(arrays).with_context(|| path.display().to_string())
}

/// All arrays of the file `path`.
///
/// # Errors
/// A file that is none, and arrays of something else than finite floats.
pub(crate) fn read_arrays(path: &Path) -> Result<Vec<Exported>> {
    let is_npz = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("npz"));
    if is_npz {
        of_npz(path)
    } else {
        of_safetensors(path)
    }
}

fn of_npz(path: &Path) -> Result<Vec<Exported>> {
    let mut file = Npz::open_with(path, "arrays of maps")?;
    let size = |shape: &[usize]| {
        let values = shape
            .iter()
            .try_fold(1_usize, |product, &length| product.checked_mul(length));
        match values.filter(|values| *values <= MOST) {
            Some(_) => Ok(()),
            None => Err(format!(
                "expected at most {MOST} numbers, found the shape {shape:?}"
            )),
        }
    };
    let mut arrays = Vec::new();
    for name in file.arrays() {
        let array = file.array(&name, size)?;
        arrays.push(Exported {
            name,
            shape: array.shape,
            values: array.values.into_iter().map(|value| value as f32).collect(),
        });
    }
    Ok(arrays)
}

fn of_safetensors(path: &Path) -> Result<Vec<Exported>> {
    let file = WeightFile::open(path)?;
    ensure!(
        file.format() == FileFormat::Safetensors,
        "{}: not a safetensors file",
        path.display()
    );
    let mut arrays = Vec::new();
    for (name, info) in file.tensors() {
        let array = Exported {
            name: name.to_owned(),
            shape: info.shape.clone(),
            values: file.to_f32(name)?,
        };
        check_finite(&array, path)?;
        arrays.push(array);
    }
    Ok(arrays)
}

fn check_finite(array: &Exported, path: &Path) -> Result<()> {
    let strangers = array.values.iter().filter(|value| !value.is_finite());
    let count = strangers.count();
    let Some(first) = array.values.iter().position(|value| !value.is_finite()) else {
        return Ok(());
    };
    let width = array.shape.last().copied().unwrap_or(1).max(1);
    let (row, column) = (first / width, first % width);
    bail!(
        "{}: tensor `{}`: expected finite values, found {} at row {row}, column {column} ({count} of {} values are not finite)",
        path.display(),
        array.name,
        array.values[first],
        array.values.len()
    );
}
