//! Maps as pictures: in color, and over the picture they belong to; and positions of a map outlined.

use image::{Rgb, RgbImage};

use crate::{ColorMap, Plane, torch_bilinear};

/// Of the line around positions, inside and outside, so that one of the two is seen on any ground.
const LINE: [Rgb<u8>; 2] = [Rgb([255; 3]), Rgb([0; 3])];
/// Height of a picture in thicknesses of the line.
const THICKNESS: u32 = 160;

/// `map`, in \[0, 1\], in colors, one pixel a value.
pub fn colored(map: &Plane, colors: ColorMap) -> RgbImage {
    let color = colors.lookup();
    RgbImage::from_fn(map.width() as u32, map.height() as u32, |x, y| {
        Rgb(color(map.get(y as usize, x as usize)))
    })
}

/// `base` with `map`, in \[0, 1\], over it in colors, which cover the picture the more the higher the map is: where it is 0 the picture
/// stays as it is.
///
/// `strength`, in \[0, 1\] (values outside are clamped), is the share of the colors where the map is 1: 0 gives the picture. A map of
/// another size is brought to that of the picture by [`torch_bilinear`], which does not overshoot.
pub fn overlay(base: &RgbImage, map: &Plane, colors: ColorMap, strength: f32) -> RgbImage {
    if base.is_empty() {
        return base.clone();
    }
    let map = torch_bilinear(map, base.height() as usize, base.width() as usize);
    let color_of = colors.lookup();
    let mut blended = base.clone();
    for (pixel, &value) in blended.pixels_mut().zip(map.data()) {
        *pixel = covered(*pixel, value, color_of(value), strength);
    }
    blended
}

/// A pixel under the color of a map that has `value` there.
pub(crate) fn covered(pixel: Rgb<u8>, value: f32, color: [u8; 3], strength: f32) -> Rgb<u8> {
    let share = strength.clamp(0.0, 1.0) * value.clamp(0.0, 1.0);
    let mut mixed = pixel;
    for (level, color) in mixed.0.iter_mut().zip(color) {
        let value = f32::from(*level) * (1.0 - share) + f32::from(color) * share;
        // To the nearest level; `value` is not negative.
        *level = (value + 0.5) as u8;
    }
    mixed
}

/// `base` with a line around positions of a map that covers it.
///
/// `positions` is 1 at the positions to outline and 0 elsewhere, one value a position.
pub fn outlined(base: &RgbImage, positions: &Plane) -> RgbImage {
    let (width, height) = base.dimensions();
    let reach = (height / THICKNESS).max(1);
    let inside = |x: u32, y: u32| {
        let row = (y as usize * positions.height()) / height as usize;
        let column = (x as usize * positions.width()) / width as usize;
        positions.get(row, column) > 0.0
    };
    let mut marked = base.clone();
    for (x, y, pixel) in marked.enumerate_pixels_mut() {
        let here = inside(x, y);
        let columns = x.saturating_sub(reach)..=(x + reach).min(width - 1);
        let rows = y.saturating_sub(reach)..=(y + reach).min(height - 1);
        let on_the_edge = rows
            .into_iter()
            .any(|y| columns.clone().any(|x| inside(x, y) != here));
        if on_the_edge {
            *pixel = LINE[usize::from(!here)];
        }
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_outlined_inside_and_outside() {
        let base = RgbImage::from_pixel(12, 8, Rgb([100; 3]));
        // The middle third of the lower half: columns 4 to 7, rows 4 to 7.
        let positions = Plane::from_fn(2, 3, |row, column| f32::from(row == 1 && column == 1));
        let marked = outlined(&base, &positions);
        let level = |x, y| marked.get_pixel(x, y).0[0];
        assert_eq!([level(4, 6), level(7, 7), level(5, 4)], [255; 3]);
        assert_eq!([level(3, 6), level(8, 7), level(5, 3), level(3, 3)], [0; 4]);
        assert_eq!(
            [level(5, 5), level(2, 6), level(5, 2), level(0, 0)],
            [100; 4]
        );
        assert_eq!(outlined(&base, &Plane::zeros(2, 3)), base);
    }
}
