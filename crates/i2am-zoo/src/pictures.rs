//! Evaluation pictures on the way.

use std::path::Path;

use anyhow::Result;
use i2am_imaging::encode_png_rgb;
use i2am_runner::pictures::{Quantise, to_rgb};
use tch::Tensor;

/// One row per tensor `[columns, 3, H, W]` in `[-1, 1]`, all of the same size.
pub(crate) fn write_rows(path: &Path, rows: &[Tensor]) -> Result<()> {
    let cells: Vec<Tensor> = rows
        .iter()
        .map(|row| row.permute([1, 2, 0, 3]).flatten(2, 3))
        .collect();
    let picture = to_rgb(&Tensor::cat(&cells, 1).unsqueeze(0), Quantise::Round);
    i2am_files::write_atomic(path, &encode_png_rgb(&picture)?)?;
    Ok(())
}
