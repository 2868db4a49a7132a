//! [`BoundingBox`]: a rectangle in a picture, and how it is drawn.

use image::{Rgb, RgbImage};

/// An axis-aligned rectangle in pixels, from the top left corner of the picture; edges may lie inside a pixel.
///
/// The rectangle of the single pixel in row `r` and column `c` is `(x, y, width, height) = (c, r, 1, 1)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox {
    /// The left edge.
    pub x: f64,
    /// The upper edge.
    pub y: f64,
    /// From the left edge to the right one.
    pub width: f64,
    /// From the upper edge to the lower one.
    pub height: f64,
}

impl BoundingBox {
    /// The whole of a picture of this height and width.
    pub fn whole([height, width]: [usize; 2]) -> Self {
        Self::of_pixels([0, 0], [height, width])
    }

    /// `height` x `width` whole pixels from row `top` and column `left` on.
    pub fn of_pixels([top, left]: [usize; 2], [height, width]: [usize; 2]) -> Self {
        Self {
            x: left as f64,
            y: top as f64,
            width: width as f64,
            height: height as f64,
        }
    }

    /// Width times height, in square pixels.
    pub fn area(&self) -> f64 {
        self.width * self.height
    }

    /// The same part of a picture that is resized from the height and width `from` to those of `to`, proportions not kept.
    #[must_use]
    pub fn scaled(&self, from: [usize; 2], to: [usize; 2]) -> Self {
        let [y, x] = [0, 1].map(|axis| to[axis] as f64 / from[axis] as f64);
        Self {
            x: self.x * x,
            y: self.y * y,
            width: self.width * x,
            height: self.height * y,
        }
    }
}

/// Draws the outline of `bounds` in `color`, `thickness` pixels wide and inside the box, edges rounded to whole pixels. What
/// lies outside the picture is left out.
pub fn draw_box(picture: &mut RgbImage, bounds: &BoundingBox, color: Rgb<u8>, thickness: u32) {
    // `as` clamps what lies left of or above the picture.
    let edge = |position: f64, last: u32| (position.round().max(0.0) as u32).min(last);
    let (width, height) = picture.dimensions();
    let (left, right) = (edge(bounds.x, width), edge(bounds.x + bounds.width, width));
    let (top, bottom) = (
        edge(bounds.y, height),
        edge(bounds.y + bounds.height, height),
    );
    for y in top..bottom {
        for x in left..right {
            let inside = [x - left, right - 1 - x, y - top, bottom - 1 - y];
            if inside.iter().any(|&distance| distance < thickness) {
                picture.put_pixel(x, y, color);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the numbers here are exact in binary")]
mod tests {
    use super::*;

    const INK: Rgb<u8> = Rgb([1, 2, 3]);

    fn drawn(bounds: BoundingBox, thickness: u32) -> Vec<(u32, u32)> {
        let mut picture = RgbImage::new(6, 5);
        draw_box(&mut picture, &bounds, INK, thickness);
        let pixels = picture.enumerate_pixels();
        let inked = pixels.filter(|(_, _, pixel)| **pixel == INK);
        inked.map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn an_outline_lies_inside_its_box() {
        let ring = drawn(BoundingBox::of_pixels([1, 2], [3, 3]), 1);
        let expected = [
            (2, 1),
            (3, 1),
            (4, 1),
            (2, 2),
            (4, 2),
            (2, 3),
            (3, 3),
            (4, 3),
        ];
        assert_eq!(ring, expected);
        assert_eq!(drawn(BoundingBox::of_pixels([1, 2], [3, 3]), 2).len(), 9);
    }

    #[test]
    fn the_edge_of_the_picture_cuts() {
        let beyond = BoundingBox {
            x: -2.0,
            y: -9.5,
            width: 4.0,
            height: 100.0,
        };
        assert_eq!(drawn(beyond, 9).len(), 2 * 5);
        assert!(drawn(BoundingBox { x: 50.0, ..beyond }, 1).is_empty());
    }

    #[test]
    fn scaling_there_and_back_changes_nothing() {
        let bounds = BoundingBox {
            x: 3.0,
            y: 4.5,
            width: 10.0,
            height: 6.0,
        };
        let there = bounds.scaled([20, 40], [40, 20]);
        assert_eq!((there.x, there.y), (1.5, 9.0));
        assert_eq!((there.width, there.height), (5.0, 12.0));
        assert_eq!(there.scaled([40, 20], [20, 40]), bounds);
        assert_eq!(BoundingBox::whole([20, 40]).area(), 800.0);
    }
}
