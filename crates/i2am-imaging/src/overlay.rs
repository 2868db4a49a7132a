//! Maps as pictures: in colour, and over the picture they belong to.

use image::{Rgb, RgbImage};

use crate::{ColorMap, Plane, torch_bilinear};

/// `map`, in \[0, 1\], in colours, one pixel a value.
pub fn colored(map: &Plane, colors: ColorMap) -> RgbImage {
    let color = colors.lookup();
    RgbImage::from_fn(map.width() as u32, map.height() as u32, |x, y| {
        Rgb(color(map.get(y as usize, x as usize)))
    })
}

/// `base` with `map`, in \[0, 1\], over it in colours.
///
/// `strength`, in \[0, 1\] (values outside are clamped), is the share of the colours: 0 gives the picture, 1 the map
/// alone. A map of another size is brought to that of the picture by [`torch_bilinear`], which does not overshoot.
pub fn overlay(base: &RgbImage, map: &Plane, colors: ColorMap, strength: f32) -> RgbImage {
    if base.is_empty() {
        return base.clone();
    }
    let strength = strength.clamp(0.0, 1.0);
    let map = torch_bilinear(map, base.height() as usize, base.width() as usize);
    let color_of = colors.lookup();
    let mut blended = base.clone();
    for (pixel, &value) in blended.pixels_mut().zip(map.data()) {
        for (level, color) in pixel.0.iter_mut().zip(color_of(value)) {
            let mixed = f32::from(*level) * (1.0 - strength) + f32::from(color) * strength;
            // To the nearest level; `mixed` is not negative.
            *level = (mixed + 0.5) as u8;
        }
    }
    blended
}
