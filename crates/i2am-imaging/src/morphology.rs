//! Dilation and erosion of masks with a square, as `OpenCV` does them.
//!
//! A square of even side has no middle: `OpenCV`'s anchor is right and below of it, so that a square of 10 reaches 5 pixels to the left
//! and above, and 4 to the right and below. Pixels outside the picture count for nothing.
//!
//! # Source
//! `cv2.dilate` and `cv2.erode` of `OpenCV` 5.0.0 with `numpy.ones((side, side))` (fixture `morphology`).

use image::GrayImage;

/// `cv2.dilate(mask, numpy.ones((side, side)), iterations=iterations)`: the largest level under the square.
///
/// # Panics
/// If `side` is 0.
pub fn opencv_dilate(mask: &GrayImage, side: usize, iterations: usize) -> GrayImage {
    repeated(mask, side, iterations, u8::max)
}

/// `cv2.erode(mask, numpy.ones((side, side)), iterations=iterations)`: the least level under the square.
///
/// # Panics
/// If `side` is 0.
pub fn opencv_erode(mask: &GrayImage, side: usize, iterations: usize) -> GrayImage {
    repeated(mask, side, iterations, u8::min)
}

fn repeated(mask: &GrayImage, side: usize, iterations: usize, pick: fn(u8, u8) -> u8) -> GrayImage {
    assert!(side > 0, "a square of no pixels");
    // Squares add up: each iteration reaches as far again.
    let before = side / 2 * iterations;
    let after = (side - 1 - side / 2) * iterations;
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    if before + after == 0 || width == 0 || height == 0 {
        return mask.clone();
    }
    let mut levels = mask.as_raw().clone();
    let mut line = vec![0; width.max(height)];
    for row in levels.chunks_exact_mut(width) {
        sweep(row, 1, width, &mut line, [before, after], pick);
    }
    for column in 0..width {
        sweep(
            &mut levels[column..],
            width,
            height,
            &mut line,
            [before, after],
            pick,
        );
    }
    GrayImage::from_raw(mask.width(), mask.height(), levels).expect("as many levels as before")
}

/// Replaces each of `count` levels, `step` apart, by the pick of those up to `before` earlier and `after` later.
fn sweep(
    levels: &mut [u8],
    step: usize,
    count: usize,
    line: &mut [u8],
    [before, after]: [usize; 2],
    pick: fn(u8, u8) -> u8,
) {
    for (place, level) in line.iter_mut().zip(levels.iter().step_by(step).take(count)) {
        *place = *level;
    }
    for place in 0..count {
        let window = &line[place.saturating_sub(before)..count.min(place + after + 1)];
        levels[place * step] = window[1..].iter().fold(window[0], |a, &b| pick(a, b));
    }
}
