//! Blurs, each named after the library whose numbers it gives.

use image::GrayImage;

/// Boxes whose convolution stands for a Gaussian.
const PASSES: u8 = 3;

/// Fractional bits of a weight.
const PRECISION: u32 = 24;

/// `Image.filter(ImageFilter.GaussianBlur(radius))` of a gray image (mode `L`), level for level: three passes of a box whose outermost
/// pixels count in part, in rows first. Levels are rounded after each pass, and the image is continued by its edge.
///
/// # Source
/// Pillow 13.0.0 (fixture `pillow-filters`), by the extended boxes of Gwosdek et al. 2011.
///
/// # Panics
/// If `radius`, the standard deviation in pixels, is negative.
pub fn pillow_gaussian_blur(image: &GrayImage, radius: f64) -> GrayImage {
    assert!(radius >= 0.0, "expected a radius from 0 on, found {radius}");
    let (width, height) = image.dimensions();
    if radius == 0.0 || image.is_empty() {
        return image.clone();
    }
    let kernel = Box::of(radius);
    let mut levels = image.as_raw().clone();
    for length in [width as usize, height as usize] {
        for line in levels.chunks_exact_mut(length) {
            (0..PASSES).for_each(|_| kernel.blur(line));
        }
        levels = transposed(&levels, length);
    }
    GrayImage::from_raw(width, height, levels).expect("it was transposed twice")
}

/// A box filter of odd width whose neighbors on either side count in part.
struct Box {
    /// Pixels on either side of the middle that count in full.
    radius: usize,
    /// Weight of a pixel that counts in full.
    full: u64,
    /// Weight of the two that count in part.
    part: u64,
}

impl Box {
    /// The box of which [`PASSES`] passes have the variance of a Gaussian.
    fn of(deviation: f64) -> Self {
        // In 32 bits, as there.
        let variance = (deviation as f32).powi(2) / f32::from(PASSES);
        let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
        let whole = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
        let share = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance);
        let share = share / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)));
        let one = 1_u64 << PRECISION;
        let radius = whole + share;
        let full = (one as f32 / (radius * 2.0 + 1.0)) as u64;
        let whole = radius as usize;
        Self {
            radius: whole,
            full,
            part: (one - (2 * whole as u64 + 1) * full) / 2,
        }
    }

    fn blur(&self, line: &mut [u8]) {
        let last = line.len() as isize - 1;
        let source: Vec<u64> = line.iter().map(|&level| u64::from(level)).collect();
        let at = |x: isize| source[x.clamp(0, last) as usize];
        let reach = self.radius as isize;
        let mut sum: u64 = (-reach..=reach).map(at).sum();
        for (x, level) in (0..).zip(line) {
            let ends = at(x - reach - 1) + at(x + reach + 1);
            let weighted = sum * self.full + ends * self.part;
            *level = ((weighted + (1 << (PRECISION - 1))) >> PRECISION) as u8;
            sum = sum + at(x + reach + 1) - at(x - reach);
        }
    }
}

/// Rows of `length` levels as columns.
fn transposed(levels: &[u8], length: usize) -> Vec<u8> {
    let rows = levels.len() / length;
    (0..levels.len())
        .map(|i| levels[i % rows * length + i / rows])
        .collect()
}
