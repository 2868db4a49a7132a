//! The resizes of Pillow's `Image.resize((width, height), resample)` on 8-bit images, level for level.
//!
//! Pillow works with fixed-point weights and rounds to 8 bits **twice**: after each of the two passes. Both are done here,
//! because preprocessing that differs by a level is not the published one. A resize in `f32` with one rounding at the end
//! differs by one level on photographs and by more on noise, where the first rounding also cuts off what a cubic
//! overshoots. Pillow up to 12 always takes the columns first; since 13 the rows go first where the height shrinks much
//! more than the width, which again moves some pixels by a level.
//!
//! # Source
//! Pillow 13.0.0 (fixture `resize`).

use image::{GrayImage, RgbImage};

use super::resized;

/// Fractional bits of a weight: 32, less 8 for the level, less 2 for the sign and overshoot of a sum.
const PRECISION: u32 = 32 - 8 - 2;

/// `Image.resize((width, height), Resampling.BICUBIC)` of an RGB image: a = -0.5, antialiased when shrinking.
///
/// # Panics
/// If `height` or `width` is 0, or the image has no pixel.
pub fn pillow_bicubic_rgb(image: &RgbImage, height: usize, width: usize) -> RgbImage {
    resized(image, height, width, |levels, from, to| {
        resample::<3>(levels, from, to, CUBIC)
    })
}

/// [`pillow_bicubic_rgb`] of a gray image (mode `L`).
///
/// # Panics
/// As [`pillow_bicubic_rgb`].
pub fn pillow_bicubic_gray(image: &GrayImage, height: usize, width: usize) -> GrayImage {
    resized(image, height, width, |levels, from, to| {
        resample::<1>(levels, from, to, CUBIC)
    })
}

/// `Image.resize((width, height), Resampling.LANCZOS)` of an RGB image: a sinc of three lobes, antialiased when shrinking.
///
/// # Panics
/// As [`pillow_bicubic_rgb`].
pub fn pillow_lanczos_rgb(image: &RgbImage, height: usize, width: usize) -> RgbImage {
    resized(image, height, width, |levels, from, to| {
        resample::<3>(levels, from, to, LANCZOS)
    })
}

/// [`pillow_lanczos_rgb`] of a gray image (mode `L`).
///
/// # Panics
/// As [`pillow_bicubic_rgb`].
pub fn pillow_lanczos_gray(image: &GrayImage, height: usize, width: usize) -> GrayImage {
    resized(image, height, width, |levels, from, to| {
        resample::<1>(levels, from, to, LANCZOS)
    })
}

/// `Image.resize((width, height), Resampling.BILINEAR)` of an RGB image: triangle filter, antialiased when shrinking.
///
/// # Panics
/// As [`pillow_bicubic_rgb`].
pub fn pillow_bilinear_rgb(image: &RgbImage, height: usize, width: usize) -> RgbImage {
    resized(image, height, width, |levels, from, to| {
        resample::<3>(levels, from, to, LINEAR)
    })
}

/// [`pillow_bilinear_rgb`] of a gray image (mode `L`).
///
/// # Panics
/// As [`pillow_bicubic_rgb`].
pub fn pillow_bilinear_gray(image: &GrayImage, height: usize, width: usize) -> GrayImage {
    resized(image, height, width, |levels, from, to| {
        resample::<1>(levels, from, to, LINEAR)
    })
}

/// `Image.resize((width, height), Resampling.NEAREST)` of an RGB image: the pixel under the center of the new one.
///
/// # Panics
/// As [`pillow_bicubic_rgb`].
pub fn pillow_nearest_rgb(image: &RgbImage, height: usize, width: usize) -> RgbImage {
    resized(image, height, width, nearest::<3>)
}

/// [`pillow_nearest_rgb`] of a gray image (mode `L`).
///
/// # Panics
/// As [`pillow_bicubic_rgb`].
pub fn pillow_nearest_gray(image: &GrayImage, height: usize, width: usize) -> GrayImage {
    resized(image, height, width, nearest::<1>)
}

/// A kernel: how far it reaches in source pixels (when not shrinking) and its value at a distance.
#[derive(Clone, Copy)]
pub(super) struct Filter {
    support: f64,
    weight: fn(f64) -> f64,
}

const LINEAR: Filter = Filter {
    support: 1.0,
    weight: |x| (1.0 - x.abs()).max(0.0),
};

pub(super) const CUBIC: Filter = Filter {
    support: 2.0,
    weight: cubic,
};

const LANCZOS: Filter = Filter {
    support: 3.0,
    weight: |x| {
        if x.abs() < 3.0 {
            sinc(x) * sinc(x / 3.0)
        } else {
            0.0
        }
    },
};

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

/// Cubic convolution (Keys 1981) with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    match x.abs() {
        x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

/// The source pixels of one output pixel: `weights` for those from `first` on.
pub(super) struct Taps<W> {
    pub(super) first: usize,
    pub(super) weights: Vec<W>,
}

/// The taps of every output pixel along one axis, weights summing to 1. When shrinking, the filter is stretched over the source
/// pixels that fall together; at an edge it is cut off and the weights are made to sum to 1 again.
pub(super) fn taps(from: usize, to: usize, filter: Filter) -> Vec<Taps<f64>> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support * stretch;
    let taps_of = |out| {
        let center = (out as f64 + 0.5) * scale;
        // Negative values become 0 in the conversion.
        let first = (center - support + 0.5) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        let inverse = 1.0 / stretch;
        let weights: Vec<f64> = (first..end)
            .map(|index| (filter.weight)((index as f64 - center + 0.5) * inverse))
            .collect();
        let sum = weights.iter().fold(0.0, |sum, weight| sum + weight);
        Taps {
            first,
            weights: weights.iter().map(|weight| weight / sum).collect(),
        }
    };
    (0..to).map(taps_of).collect()
}

/// [`taps`] in units of 2^-[`PRECISION`].
fn fixed_taps(from: usize, to: usize, filter: Filter) -> Vec<Taps<i32>> {
    let fixed = |weight: f64| (weight * f64::from(1 << PRECISION)).round() as i32;
    let convert = |taps: Taps<f64>| Taps {
        first: taps.first,
        weights: taps.weights.into_iter().map(fixed).collect(),
    };
    taps(from, to, filter).into_iter().map(convert).collect()
}

/// Both passes, in the order that Pillow 13 takes them.
fn resample<const C: usize>(
    levels: &[u8],
    [height, width]: [usize; 2],
    [to_height, to_width]: [usize; 2],
    filter: Filter,
) -> Vec<u8> {
    let columns = fixed_taps(width, to_width, filter);
    let rows = fixed_taps(height, to_height, filter);
    if rows_first([height, width], [to_height, to_width]) {
        let flattened = resample_rows(levels, width * C, &rows);
        resample_columns::<C>(&flattened, width, &columns)
    } else {
        let narrowed = resample_columns::<C>(levels, width, &columns);
        resample_rows(&narrowed, to_width * C, &rows)
    }
}

/// Whether the height loses more than twice as many pixels as the width.
pub(super) fn rows_first([height, width]: [usize; 2], [to_height, to_width]: [usize; 2]) -> bool {
    height > to_height && height - to_height > 2 * width.saturating_sub(to_width)
}

fn resample_columns<const C: usize>(levels: &[u8], width: usize, columns: &[Taps<i32>]) -> Vec<u8> {
    let mut resampled = Vec::with_capacity(levels.len() / width * columns.len());
    for row in levels.chunks_exact(width * C) {
        for Taps { first, weights } in columns {
            let mut sums = [HALF; C];
            for (pixel, weight) in row[first * C..].chunks_exact(C).zip(weights) {
                for (sum, &level) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(level) * weight;
                }
            }
            resampled.extend(sums.map(round));
        }
    }
    resampled
}

fn resample_rows(levels: &[u8], row_length: usize, rows: &[Taps<i32>]) -> Vec<u8> {
    let mut resampled = Vec::with_capacity(rows.len() * row_length);
    let mut sums = vec![HALF; row_length];
    for Taps { first, weights } in rows {
        sums.fill(HALF);
        for (row, weight) in levels.chunks_exact(row_length).skip(*first).zip(weights) {
            for (sum, &level) in sums.iter_mut().zip(row) {
                *sum += i32::from(level) * weight;
            }
        }
        resampled.extend(sums.iter().copied().map(round));
    }
    resampled
}

/// What a sum of weighted levels starts from, so that [`round`] rounds to the nearest level.
const HALF: i32 = 1 << (PRECISION - 1);

fn round(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

fn nearest<const C: usize>(levels: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    let [rows, columns] = [0, 1].map(|axis| nearest_indices(from[axis], to[axis]));
    let mut resized = Vec::with_capacity(to[0] * to[1] * C);
    for row in rows {
        let row = &levels[row * from[1] * C..];
        for column in &columns {
            resized.extend_from_slice(&row[column * C..][..C]);
        }
    }
    resized
}

/// The source pixel under the center of every output pixel. Pillow adds up the step, which decides on which side a
/// center between two pixels falls.
fn nearest_indices(from: usize, to: usize) -> Vec<usize> {
    let step = from as f64 / to as f64;
    let centers = std::iter::successors(Some(step * 0.5), |center| Some(center + step));
    centers
        .take(to)
        .map(|center| (center as usize).min(from - 1))
        .collect()
}
