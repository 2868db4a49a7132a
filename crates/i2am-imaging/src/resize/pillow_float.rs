//! The resize of Pillow's mode `F`: as [`super::pillow`], but nothing is rounded to levels.

use super::pillow::{CUBIC, Taps, rows_first, taps};
use crate::Plane;

/// `Image.resize((width, height), Resampling.BICUBIC)` of a picture of mode `F`: a = -0.5, antialiased when shrinking, one
/// rounding to `f32` after each pass. May overshoot the range of the input.
///
/// # Panics
/// If `height` or `width` is 0.
///
/// # Source
/// Pillow 13.0.0 (fixture `sets` of `i2am-metrics`).
pub fn pillow_bicubic(plane: &Plane, height: usize, width: usize) -> Plane {
    let columns = taps(plane.width(), width, CUBIC);
    let rows = taps(plane.height(), height, CUBIC);
    if rows_first(plane.size(), [height, width]) {
        resample_columns(&resample_rows(plane, &rows), &columns)
    } else {
        resample_rows(&resample_columns(plane, &columns), &rows)
    }
}

fn resample_columns(plane: &Plane, columns: &[Taps<f64>]) -> Plane {
    let mut resampled = Plane::zeros(plane.height(), columns.len());
    for (row, out) in plane
        .data()
        .chunks_exact(plane.width())
        .zip(resampled.data_mut().chunks_exact_mut(columns.len()))
    {
        for (out, Taps { first, weights }) in out.iter_mut().zip(columns) {
            let weighted = row[*first..].iter().zip(weights);
            let sum: f64 = weighted
                .map(|(&value, weight)| f64::from(value) * weight)
                .sum();
            *out = sum as f32;
        }
    }
    resampled
}

fn resample_rows(plane: &Plane, rows: &[Taps<f64>]) -> Plane {
    let width = plane.width();
    let mut resampled = Plane::zeros(rows.len(), width);
    let mut sums = vec![0.0; width];
    for (Taps { first, weights }, out) in rows
        .iter()
        .zip(resampled.data_mut().chunks_exact_mut(width))
    {
        sums.fill(0.0);
        for (index, weight) in (*first..).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(plane.row(index)) {
                *sum += f64::from(value) * weight;
            }
        }
        for (out, &sum) in out.iter_mut().zip(&sums) {
            *out = sum as f32;
        }
    }
    resampled
}
