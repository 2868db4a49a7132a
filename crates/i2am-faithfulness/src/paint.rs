//! Removing positions of the reference by painting over them, before the picture is encoded.

use i2am_imaging::{RgbImage, pillow_gaussian_blur};
use image::GrayImage;
use rand_distr::{Distribution, StandardNormal};

use crate::error::FaithfulnessError;
use crate::imputation::linear_imputation;
use crate::seeded::{Purpose, generator};

/// Standard deviation of the noise of ROAD, where levels span 0 to 1.
pub const NOISE: f64 = 0.01;

/// What removed pixels become.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Paint<'a> {
    /// The mean color of the whole picture, that of the removed pixels included; so it does not depend on what is removed. It leaves the
    /// outline of the removed region visible.
    MeanColor,
    /// The picture blurred by a Gaussian, see [`pillow_gaussian_blur`].
    Blur {
        /// Standard deviation in pixels, from 0.
        deviation: f64,
    },
    /// Noisy linear imputation: [`linear_imputation`] plus Gaussian noise for every pixel and channel.
    Linear {
        /// Standard deviation of the noise, where levels span 0 to 1; usually [`NOISE`].
        noise: f64,
        /// Of the noise. A pixel has the same noise whatever else is removed.
        seed: u64,
    },
    /// The same place of another reference of the same size.
    Other(&'a RgbImage),
}

impl Paint<'_> {
    /// The name of the operator for configurations and tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MeanColor => "mean_color",
            Self::Blur { .. } => "blur",
            Self::Linear { .. } => "linear",
            Self::Other(_) => "other",
        }
    }

    /// One line for people.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::MeanColor => "the mean color of the reference",
            Self::Blur { .. } => "the reference, blurred by a Gaussian",
            Self::Linear { .. } => "weighted means of the neighbors and a little noise",
            Self::Other(_) => "the same place of another reference",
        }
    }
}

/// `reference` with the pixels of `cells` painted over; all others stay as they are.
///
/// If everything is removed, the result is one mean color, the whole blurred picture, the mean color with noise (there is nothing to
/// continue), or the other reference.
///
/// # Shapes
/// `grid` is height and width; `cells` are indices row by row, in any order. Cell `(r, c)` has the pixel rows from `floor(r * H / h)` to
/// before `floor((r + 1) * H / h)`, and columns likewise, so that every pixel has one cell.
/// # Units and range
/// Levels, rounded to the nearest and clamped to 0 to 255.
/// # Errors
/// [`FaithfulnessError::Grid`], [`FaithfulnessError::Cell`], [`FaithfulnessError::OtherSize`].
/// # Panics
/// If the deviation of a blur or the noise is negative.
/// # Source
/// Zeiler and Fergus 2014 (one color), Petsiuk et al. 2018 (blur), Rong et al. 2022 (ROAD: linear imputation).
pub fn paint(
    reference: &RgbImage,
    grid: [usize; 2],
    cells: &[usize],
    paint: &Paint<'_>,
) -> Result<RgbImage, FaithfulnessError> {
    let removed = removed_pixels(size(reference), grid, cells)?;
    let levels = match *paint {
        Paint::MeanColor => mean_color(reference).repeat(removed.len()),
        Paint::Blur { deviation } => blurred(reference, deviation),
        Paint::Linear { noise, seed } => imputed(reference, &removed, noise, seed),
        Paint::Other(other) => {
            let (expected, found) = (size(reference), size(other));
            if expected != found {
                return Err(FaithfulnessError::OtherSize { expected, found });
            }
            other.as_raw().clone()
        }
    };
    let mut painted = reference.clone();
    for (pixel, (removed, levels)) in painted
        .pixels_mut()
        .zip(removed.into_iter().zip(levels.chunks_exact(3)))
    {
        if removed {
            pixel.0.copy_from_slice(levels);
        }
    }
    Ok(painted)
}

/// Whether each pixel, row by row, belongs to one of `cells` of a `grid` over a picture of `picture` pixels (height and width).
///
/// # Errors
/// [`FaithfulnessError::Grid`], [`FaithfulnessError::Cell`].
pub fn removed_pixels(
    picture: [usize; 2],
    grid: [usize; 2],
    cells: &[usize],
) -> Result<Vec<bool>, FaithfulnessError> {
    if (0..2).any(|axis| grid[axis] == 0 || picture[axis] < grid[axis]) {
        return Err(FaithfulnessError::Grid { grid, picture });
    }
    let ([height, width], [rows, columns]) = (picture, grid);
    let mut removed = vec![false; height * width];
    for &cell in cells {
        if cell >= rows * columns {
            return Err(FaithfulnessError::Cell {
                cell,
                cells: rows * columns,
            });
        }
        let (r, c) = (cell / columns, cell % columns);
        let across = c * width / columns..(c + 1) * width / columns;
        for row in r * height / rows..(r + 1) * height / rows {
            removed[row * width..][across.clone()].fill(true);
        }
    }
    Ok(removed)
}

fn size(picture: &RgbImage) -> [usize; 2] {
    [picture.height() as usize, picture.width() as usize]
}

fn mean_color(picture: &RgbImage) -> [u8; 3] {
    let mut sums = [0_u64; 3];
    for pixel in picture.pixels() {
        for (sum, level) in sums.iter_mut().zip(pixel.0) {
            *sum += u64::from(level);
        }
    }
    let pixels = picture.pixels().len() as f64;
    sums.map(|sum| (sum as f64 / pixels).round() as u8)
}

fn blurred(picture: &RgbImage, deviation: f64) -> Vec<u8> {
    let channels = [0, 1, 2].map(|channel| {
        let gray = GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
            image::Luma([picture.get_pixel(x, y).0[channel]])
        });
        pillow_gaussian_blur(&gray, deviation).into_raw()
    });
    (0..channels[0].len())
        .flat_map(|pixel| [0, 1, 2].map(|channel: usize| channels[channel][pixel]))
        .collect()
}

fn imputed(picture: &RgbImage, removed: &[bool], noise: f64, seed: u64) -> Vec<u8> {
    assert!(noise >= 0.0, "expected noise from 0 on, found {noise}");
    let values = linear_imputation(picture, removed);
    // One number for every value of the picture, so that what else is removed does not matter.
    let mut rng = generator(seed, Purpose::Paint, 0);
    let level = |value: f64| {
        let normal: f64 = StandardNormal.sample(&mut rng);
        // `as` clamps.
        ((value + noise * normal) * 255.0).round() as u8
    };
    values.into_iter().map(level).collect()
}

#[cfg(test)]
mod tests;
