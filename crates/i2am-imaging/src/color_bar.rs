//! What the colors of an overlay stand for.

use image::{Rgb, RgbImage};

use crate::ColorMap;
use crate::overlay::covered;
use crate::text::Type;

const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: Rgb<u8> = Rgb([32; 3]);
/// Squares behind the colors, light and dark, so that it is seen how far they cover a picture.
const SQUARES: [Rgb<u8>; 2] = [Rgb([236; 3]), Rgb([190; 3])];
const SQUARE: u32 = 6;
/// Width of the colors, of a tick, and from there to its number.
const BAR: u32 = 24;
const TICK: u32 = 5;
const SPACE: u32 = 4;
/// Quarters are numbered.
const QUARTERS: u32 = 4;

/// An upright bar of `height` pixels with the colors of [`overlay`](crate::overlay()) from 0 % at its foot to 100 % at its top, over
/// squares instead of a picture.
pub fn color_bar(colors: ColorMap, strength: f32, height: u32) -> RgbImage {
    let height = height.max(2);
    let face = Type::CAPTION;
    let width = BAR + TICK + SPACE + face.width("100 %");
    let color_of = colors.lookup();
    let mut picture = RgbImage::from_pixel(width, height, PAPER);
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        if x < BAR {
            let value = 1.0 - y as f32 / (height - 1) as f32;
            let square = SQUARES[((x / SQUARE + y / SQUARE) % 2) as usize];
            *pixel = covered(square, value, color_of(value), strength);
        }
    }
    for quarter in 0..=QUARTERS {
        let y = (height - 1) * (QUARTERS - quarter) / QUARTERS;
        for x in BAR..BAR + TICK {
            picture.put_pixel(x, y, INK);
        }
        let top = y.saturating_sub(face.line() / 2);
        let top = top.min(height.saturating_sub(face.line()));
        let text = format!("{} %", 100 * quarter / QUARTERS);
        face.draw(&mut picture, &text, (BAR + TICK + SPACE, top), INK);
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_has_the_color_of_one_and_the_foot_only_squares() {
        let bar = color_bar(ColorMap::Viridis, 1.0, 101);
        assert_eq!(bar.height(), 101);
        assert_eq!(bar.get_pixel(3, 0).0, ColorMap::Viridis.rgb(1.0));
        assert!(SQUARES.contains(bar.get_pixel(3, 100)));
        // Half of a light square, half of the color.
        let [_, middle, _] = bar.get_pixel(3, 50).0;
        let [_, color, _] = ColorMap::Viridis.rgb(0.5);
        let halves = SQUARES.map(|square| u8::midpoint(square.0[1], color));
        assert!(
            halves.iter().any(|half| middle.abs_diff(*half) <= 1),
            "{middle}, {halves:?}"
        );
    }
}
