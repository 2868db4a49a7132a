//! The resize of `OpenCV`'s `cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)` on 8-bit images, level for level.
//!
//! `OpenCV` interpolates with weights of 11 bits and drops bits of the sums in between. It never antialiases, with one exception:
//! where both sides are exactly halved it takes the mean of 2 x 2 pixels instead, which is what linear interpolation amounts to
//! there, rounded once. The published try-on pictures, 1024 x 768 for models of 512 x 384, are that case.
//!
//! # Source
//! `OpenCV` 4.12.0 (fixture `opencv-resize`); 5.0.0 gives the same.

use image::{GrayImage, RgbImage};

use super::resized;

/// Weights are in units of 2^-11.
const ONE: i32 = 1 << 11;

/// `cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)` of a color image.
///
/// # Panics
/// If `height` or `width` is 0, or the image has no pixel.
pub fn opencv_linear_rgb(image: &RgbImage, height: usize, width: usize) -> RgbImage {
    resized(image, height, width, linear::<3>)
}

/// [`opencv_linear_rgb`] of a gray image.
///
/// # Panics
/// As [`opencv_linear_rgb`].
pub fn opencv_linear_gray(image: &GrayImage, height: usize, width: usize) -> GrayImage {
    resized(image, height, width, linear::<1>)
}

fn linear<const C: usize>(levels: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    if from == to {
        levels.to_vec()
    } else if from == to.map(|side| 2 * side) {
        halved::<C>(levels, from[1])
    } else {
        interpolated::<C>(levels, from, to)
    }
}

/// The mean of every 2 x 2 pixels, half a level rounded up.
fn halved<const C: usize>(levels: &[u8], width: usize) -> Vec<u8> {
    let mut means = Vec::with_capacity(levels.len() / 4);
    for rows in levels.chunks_exact(2 * width * C) {
        let (upper, lower) = rows.split_at(width * C);
        for (a, b) in upper.chunks_exact(2 * C).zip(lower.chunks_exact(2 * C)) {
            means.extend((0..C).map(|c| {
                let sum: u32 = [a[c], a[c + C], b[c], b[c + C]].map(u32::from).iter().sum();
                ((sum + 2) >> 2) as u8
            }));
        }
    }
    means
}

/// Two neighbors and their weights, which sum to [`ONE`].
struct Taps {
    at: [usize; 2],
    weights: [i32; 2],
}

/// The taps of every output pixel along an axis. Past the middle of the last pixel on either side the neighbor is the pixel itself.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    // As there: the step is the inverse of an inverse, and places are rounded to 32 bits.
    let step = 1.0 / (to as f64 / from as f64);
    let taps_of = |out: usize| {
        let place = ((out as f64 + 0.5) * step - 0.5) as f32;
        let before = place.floor();
        let share = place - before;
        let fixed = |weight: f32| (weight * ONE as f32).round_ties_even() as i32;
        let inside = |index: isize| index.clamp(0, from as isize - 1) as usize;
        Taps {
            at: [inside(before as isize), inside(before as isize + 1)],
            weights: [fixed(1.0 - share), fixed(share)],
        }
    };
    (0..to).map(taps_of).collect()
}

/// Columns first, then rows; the sums between the passes keep all their bits but four.
fn interpolated<const C: usize>(levels: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    let (rows, columns) = (taps(from[0], to[0]), taps(from[1], to[1]));
    let narrowed: Vec<i32> = levels
        .chunks_exact(from[1] * C)
        .flat_map(|row| {
            columns.iter().flat_map(move |tap| {
                let level = |k: usize, c: usize| i32::from(row[tap.at[k] * C + c]);
                (0..C).map(move |c| level(0, c) * tap.weights[0] + level(1, c) * tap.weights[1])
            })
        })
        .collect();
    let length = to[1] * C;
    let row = |index: usize| &narrowed[index * length..][..length];
    let mut out = Vec::with_capacity(to[0] * length);
    for Taps { at, weights } in rows {
        let part = |sum: i32, weight: i32| (weight * (sum >> 4)) >> 16;
        out.extend(row(at[0]).iter().zip(row(at[1])).map(|(&a, &b)| {
            let sum = part(a, weights[0]) + part(b, weights[1]);
            ((sum + 2) >> 2).clamp(0, 255) as u8
        }));
    }
    out
}
