//! The published scripts read maps from pictures in jet colors. Here they are read from such a picture, or from a map as the
//! picture would show it.

use std::collections::BTreeMap;

use i2am_imaging::{ColorMap, GrayImage, Plane, RgbImage, jet_colors, rgb_to_gray};
use image::Rgb;

/// The index, 0 to 255, of the nearest jet color of every pixel, row by row: distances as between points in red, green and blue,
/// the lowest index of equals.
///
/// # Source
/// `qkrwnstj306/I2AM_PBE_Object_Detection`: `scripts/cal_bbox_region_rect.py` @ 27df587 (fixture `detection`).
pub fn decode_jet(picture: &RgbImage) -> Vec<u8> {
    let colors = jet_colors();
    let mut known = BTreeMap::new();
    let mut nearest = |pixel: [u8; 3]| {
        *known.entry(pixel).or_insert_with(|| {
            let levels = pixel.map(|level| f64::from(f32::from(level) / 255.0));
            let distance = |index: u8| -> f64 {
                let color = colors[usize::from(index)];
                let squares = levels.iter().zip(color).map(|(a, b)| (a - b) * (a - b));
                squares.sum()
            };
            let closer = |best, index| {
                if distance(index) < distance(best) {
                    index
                } else {
                    best
                }
            };
            (0..=u8::MAX).fold(0, closer)
        })
    };
    picture.pixels().map(|pixel| nearest(pixel.0)).collect()
}

/// The index, 0 to 255, of the jet color that a value in `[0, 1]` is shown in, row by row; values outside are clamped, NaN is 0.
pub fn jet_indices(map: &Plane) -> Vec<u8> {
    // `as` clamps and turns NaN into 0.
    let index = |&value: &f32| (value * 256.0) as u8;
    map.data().iter().map(index).collect()
}

/// The gray level, 0 to 255, of every value's jet color. It does not rise with the value: both ends are dark.
pub fn jet_luma(map: &Plane) -> GrayImage {
    let color = ColorMap::Jet.lookup();
    let (height, width) = (map.height(), map.width());
    let picture = RgbImage::from_fn(width as u32, height as u32, |x, y| {
        Rgb(color(map.get(y as usize, x as usize)))
    });
    rgb_to_gray(&picture)
}
