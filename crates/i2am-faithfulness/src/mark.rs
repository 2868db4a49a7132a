//! A mark that is planted in the reference: where it is, is known.

use i2am_imaging::{Plane, RgbImage, torch_adaptive_average};
use image::{GrayImage, Rgb};

use crate::seeded::{Purpose, below, generator};

/// Area of a mark, as a part of that of the garment.
pub const MARK_AREA: f64 = 0.04;
/// Level from which a pixel of a mask belongs to the garment.
const INSIDE: u8 = 128;
/// Marks are red, or the complement where the reference is red below them.
const COLORS: [Rgb<u8>; 2] = [Rgb([230, 20, 20]), Rgb([25, 235, 235])];

/// A disc of one color.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// Row and column of the pixel in the middle.
    pub center: [usize; 2],
    /// In pixels: the disc has the pixels whose centers are at most so far from the middle.
    pub radius: f64,
    /// Red, green, blue.
    pub color: Rgb<u8>,
}

impl Mark {
    /// `count` places for a mark on a `reference`, one after the other at random.
    ///
    /// Each disc has [`MARK_AREA`] of the area of the `garment` (of the whole reference without a mask, or if it is empty) and lies on
    /// it; where it fits nowhere, as much of it as can. Its color is red, or cyan where that differs more from the mean below the disc.
    ///
    /// # Shapes
    /// `garment` may have another size than the reference; pixels from level 128 on are inside.
    /// # Source
    /// The planted feature of our own protocol. Places depend on `seed` and the mask only.
    pub fn places(
        reference: &RgbImage,
        garment: Option<&GrayImage>,
        seed: u64,
        count: usize,
    ) -> Vec<Self> {
        let [height, width] = size(reference);
        let mut inside = inside(garment, [height, width]);
        let mut area = inside.iter().filter(|&&inside| inside).count();
        if area == 0 {
            inside.fill(true);
            area = inside.len();
        }
        let radius = (MARK_AREA * area as f64 / std::f64::consts::PI).sqrt();
        let covered = covered(&inside, [height, width], radius);
        let most = covered.iter().max().copied().unwrap_or_default();
        let candidates: Vec<usize> = (0..covered.len())
            .filter(|&pixel| covered[pixel] == most)
            .collect();
        let mut rng = generator(seed, Purpose::Mark, 0);
        let one = |_| {
            let pixel = candidates[below(&mut rng, candidates.len())];
            let mut mark = Self {
                center: [pixel / width, pixel % width],
                radius,
                color: COLORS[0],
            };
            let mean = mark.mean_below(reference);
            let off = |color: &Rgb<u8>| -> f64 {
                let channels = color.0.iter().zip(mean);
                channels.map(|(&a, b)| (f64::from(a) - b).powi(2)).sum()
            };
            if off(&COLORS[1]) > off(&COLORS[0]) {
                mark.color = COLORS[1];
            }
            mark
        };
        (0..count).map(one).collect()
    }

    /// `reference` with the mark.
    pub fn planted(&self, reference: &RgbImage) -> RgbImage {
        let mut marked = reference.clone();
        for [row, column] in self.pixels(size(reference)) {
            marked.put_pixel(column as u32, row as u32, self.color);
        }
        marked
    }

    /// How much of each cell of a `grid` over a picture of `picture` pixels (height and width each) is marked.
    ///
    /// # Units and range
    /// 0 to 1, as [`torch_adaptive_average`] of the disc.
    pub fn coverage(&self, picture: [usize; 2], grid: [usize; 2]) -> Plane {
        let mut disc = Plane::zeros(picture[0], picture[1]);
        for [row, column] in self.pixels(picture) {
            disc.data_mut()[row * picture[1] + column] = 1.0;
        }
        torch_adaptive_average(&disc, grid[0], grid[1])
    }

    /// The cells of a `grid` that are at least half as marked as the one that is marked most, as 1; all others are 0.
    pub fn cells(&self, picture: [usize; 2], grid: [usize; 2]) -> Plane {
        let coverage = self.coverage(picture, grid);
        let most = coverage.max();
        Plane::from_fn(grid[0], grid[1], |r, c| {
            f32::from(u8::from(2.0 * coverage.get(r, c) >= most))
        })
    }

    fn pixels(&self, picture: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
        let [height, width] = picture;
        let reach = self.radius.floor() as usize;
        let [row, column] = self.center;
        let lines = row.saturating_sub(reach)..(row + reach + 1).min(height);
        lines.flat_map(move |line| {
            let half = half_width(self.radius, row.abs_diff(line));
            let places = column.saturating_sub(half)..(column + half + 1).min(width);
            places.map(move |place| [line, place])
        })
    }

    fn mean_below(&self, reference: &RgbImage) -> [f64; 3] {
        let mut sums = [0.0; 3];
        let mut count = 0.0;
        for [row, column] in self.pixels(size(reference)) {
            let pixel = reference.get_pixel(column as u32, row as u32);
            for (sum, level) in sums.iter_mut().zip(pixel.0) {
                *sum += f64::from(level);
            }
            count += 1.0;
        }
        sums.map(|sum| sum / count)
    }
}

fn size(picture: &RgbImage) -> [usize; 2] {
    [picture.height() as usize, picture.width() as usize]
}

/// How many pixels a disc reaches to each side, `off` rows from its middle.
fn half_width(radius: f64, off: usize) -> usize {
    (radius * radius - (off * off) as f64).max(0.0).sqrt() as usize
}

/// Whether each pixel of a picture is of the garment; all without a mask.
fn inside(garment: Option<&GrayImage>, [height, width]: [usize; 2]) -> Vec<bool> {
    let Some(mask) = garment else {
        return vec![true; height * width];
    };
    let [rows, columns] = [mask.height() as usize, mask.width() as usize];
    let of_pixel = |pixel: usize| {
        let (row, column) = (
            pixel / width * rows / height,
            pixel % width * columns / width,
        );
        mask.get_pixel(column as u32, row as u32).0[0] >= INSIDE
    };
    (0..height * width).map(of_pixel).collect()
}

/// Of a disc around every pixel, how many of its pixels are inside.
fn covered(inside: &[bool], [height, width]: [usize; 2], radius: f64) -> Vec<u32> {
    // By row, how many of the pixels before each place are inside, so that every row of a disc is one difference.
    let mut before = vec![0_u32; height * (width + 1)];
    for (sums, row) in before.chunks_mut(width + 1).zip(inside.chunks(width)) {
        for (place, &own) in row.iter().enumerate() {
            sums[place + 1] = sums[place] + u32::from(own);
        }
    }
    let reach = radius.floor() as usize;
    let around = |pixel: usize| -> u32 {
        let (row, column) = (pixel / width, pixel % width);
        let lines = row.saturating_sub(reach)..(row + reach + 1).min(height);
        let of_line = |line: usize| {
            let half = half_width(radius, row.abs_diff(line));
            let sums = &before[line * (width + 1)..][..=width];
            sums[(column + half + 1).min(width)] - sums[column.saturating_sub(half)]
        };
        lines.map(of_line).sum()
    };
    (0..height * width).map(around).collect()
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;
    use crate::{pointing, relevance_mass};

    const SIZE: [usize; 2] = [64, 48];

    fn shirt(color: [u8; 3]) -> (RgbImage, GrayImage) {
        let on = |x: u32, y: u32| (8..40).contains(&x) && (10..58).contains(&y);
        let reference = RgbImage::from_fn(48, 64, |x, y| {
            Rgb(if on(x, y) { color } else { [255, 255, 255] })
        });
        let mask = GrayImage::from_fn(48, 64, |x, y| Luma([if on(x, y) { 255 } else { 0 }]));
        (reference, mask)
    }

    #[test]
    fn a_mark_is_a_disc_on_the_garment() {
        let (reference, mask) = shirt([20, 40, 200]);
        let marks = Mark::places(&reference, Some(&mask), 7, 20);
        for mark in &marks {
            let marked = mark.planted(&reference);
            let changed: Vec<(u32, u32)> = marked
                .enumerate_pixels()
                .filter(|(x, y, pixel)| *pixel != reference.get_pixel(*x, *y))
                .map(|(x, y, _)| (x, y))
                .collect();
            // 4 % of 32 x 48 pixels is 61; a disc of pixels comes near.
            assert!((55..=67).contains(&changed.len()), "{}", changed.len());
            let off = |(x, y): &(u32, u32)| {
                let row = f64::from(*y) - mark.center[0] as f64;
                let column = f64::from(*x) - mark.center[1] as f64;
                row.hypot(column)
            };
            assert!(changed.iter().map(off).all(|off| off <= mark.radius));
            assert!(
                changed
                    .iter()
                    .all(|(x, y)| mask.get_pixel(*x, *y).0[0] == 255)
            );
            assert_eq!(mark.color, COLORS[0]);
        }
        let places: std::collections::BTreeSet<[usize; 2]> =
            marks.iter().map(|mark| mark.center).collect();
        assert!(places.len() > 10, "{places:?}");
        assert_eq!(marks, Mark::places(&reference, Some(&mask), 7, 20));
        assert_ne!(marks, Mark::places(&reference, Some(&mask), 8, 20));
    }

    #[test]
    fn it_can_be_seen_on_a_red_garment_and_needs_no_mask() {
        let (reference, mask) = shirt([220, 10, 30]);
        assert_eq!(
            Mark::places(&reference, Some(&mask), 0, 1)[0].color,
            COLORS[1]
        );
        let empty = GrayImage::new(48, 64);
        for mask in [None, Some(&empty)] {
            let mark = Mark::places(&reference, mask, 0, 1)[0];
            let area = std::f64::consts::PI * mark.radius * mark.radius;
            assert!((area - 0.04 * 48.0 * 64.0).abs() < 1e-9, "{area}");
        }
        // A strap that no disc fits on: the middle stays on it.
        let strap = GrayImage::from_fn(48, 64, |x, _| Luma([if x == 20 { 255 } else { 0 }]));
        assert_eq!(
            Mark::places(&reference, Some(&strap), 3, 1)[0].center[1],
            20
        );
    }

    #[test]
    fn coverage_adds_up_to_the_disc() {
        let (reference, mask) = shirt([20, 40, 200]);
        let mark = Mark::places(&reference, Some(&mask), 1, 1)[0];
        let changed = mark.pixels(SIZE).count();
        for grid in [[8, 6], [16, 12], [5, 7]] {
            let coverage = mark.coverage(SIZE, grid);
            let cell = (SIZE[0] * SIZE[1]) as f32 / (grid[0] * grid[1]) as f32;
            let off = (coverage.sum() as f32 * cell - changed as f32).abs();
            // Cells of the last grid differ in size.
            assert!(
                off < if grid == [5, 7] { 8.0 } else { 1e-3 },
                "{grid:?}: {off}"
            );
            assert!(coverage.max() <= 1.0);
        }
    }

    #[test]
    fn a_map_of_the_mark_is_right_and_one_of_another_place_is_wrong() {
        let (reference, mask) = shirt([20, 40, 200]);
        let mark = Mark::places(&reference, Some(&mask), 1, 1)[0];
        let truth = mark.cells(SIZE, [16, 12]);
        let share = truth.sum() / truth.data().len() as f64;
        let own = mark.coverage(SIZE, [16, 12]);
        assert_eq!(pointing(&own, &truth, share).unwrap().value, 1.0);
        // Cells on the rim are less than half marked.
        assert!(relevance_mass(&own, &truth, share).unwrap().value > 0.5);
        let mut elsewhere = own.clone();
        elsewhere.data_mut().rotate_left(16 * 12 / 2);
        assert_eq!(pointing(&elsewhere, &truth, share).unwrap().value, 0.0);
        assert_eq!(
            relevance_mass(&elsewhere, &truth, share).unwrap().value,
            0.0
        );
        let even = Plane::filled(16, 12, 1.0);
        let chance = pointing(&even, &truth, share).unwrap();
        assert!((chance.value - chance.expected).abs() < 1e-12);
    }
}
