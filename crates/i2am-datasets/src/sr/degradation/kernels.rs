//! Kernels of blur and of ringing.

use std::f64::consts::PI;

use i2am_imaging::RgbImage;
use image::Rgb;

use super::noise::between;
use i2am_synth::Dice;

/// Probability that a blur rings instead.
const RINGS: f32 = 0.1;
/// Probabilities of a plain Gaussian, a generalised one, and of a plateau; and of each that its axes have deviations of their own.
const GAUSSIAN: (f64, f64) = (0.70, 0.25 / 0.70);
const GENERALISED: (f64, f64) = (0.15, 0.03 / 0.15);
const PLATEAU: (f64, f64) = (0.15, 0.03 / 0.15);
/// Exponents of the two that are not plain; those below and above 1 are equally likely.
const GENERALISED_SHAPE: [f64; 2] = [0.5, 4.0];
const PLATEAU_SHAPE: [f64; 2] = [1.0, 2.0];
/// Kernels from this side on may cut frequencies more.
const LARGE: usize = 13;

/// Weights of `side` x `side` pixels, whose sum is 1.
#[derive(Debug)]
pub(super) struct Kernel {
    side: usize,
    weights: Vec<f64>,
}

impl Kernel {
    /// A blur of one of the shapes of Real-ESRGAN, with deviations from `sigma`.
    pub(super) fn blur(side: usize, sigma: [f64; 2], dice: &mut Dice) -> Self {
        if dice.chance(RINGS) {
            return Self::ringing(side, dice);
        }
        let shape = f64::from(dice.unit());
        let (anisotropic, exponents) = if shape < GAUSSIAN.0 {
            (GAUSSIAN.1, None)
        } else if shape < GAUSSIAN.0 + GENERALISED.0 {
            (GENERALISED.1, Some(GENERALISED_SHAPE))
        } else {
            (PLATEAU.1, Some(PLATEAU_SHAPE))
        };
        let is_plateau = exponents == Some(PLATEAU_SHAPE);
        let along = between(dice, sigma);
        let (across, angle) = if dice.chance(anisotropic as f32) {
            (between(dice, sigma), between(dice, [-PI, PI]))
        } else {
            (along, 0.0)
        };
        let exponent = exponents.map_or(1.0, |[least, largest]| {
            let range = if dice.chance(0.5) {
                [least, 1.0]
            } else {
                [1.0, largest]
            };
            between(dice, range)
        });
        let (sine, cosine) = angle.sin_cos();
        Self::of(side, |x, y| {
            // Squared distance in deviations along the rotated axes.
            let (u, v) = (cosine * x + sine * y, cosine * y - sine * x);
            let distance = ((u / along).powi(2) + (v / across).powi(2)).powf(exponent);
            if is_plateau {
                1.0 / (distance + 1.0)
            } else {
                (-0.5 * distance).exp()
            }
        })
    }

    /// A circular low-pass filter, which rings along edges.
    pub(super) fn ringing(side: usize, dice: &mut Dice) -> Self {
        let least = if side < LARGE { PI / 3.0 } else { PI / 5.0 };
        let cutoff = between(dice, [least, PI]);
        Self::of(side, |x, y| {
            let radius = x.hypot(y);
            if radius > 0.0 {
                cutoff * bessel(cutoff * radius) / (2.0 * PI * radius)
            } else {
                cutoff * cutoff / (4.0 * PI)
            }
        })
    }

    /// `weight` at every distance (right, down) from the middle, divided by the sum.
    fn of(side: usize, weight: impl Fn(f64, f64) -> f64) -> Self {
        let middle = (side / 2) as f64;
        let place = |index: usize| (index % side, index / side);
        let weights = (0..side * side).map(|index| {
            let (x, y) = place(index);
            weight(x as f64 - middle, y as f64 - middle)
        });
        let weights: Vec<f64> = weights.collect();
        let sum: f64 = weights.iter().sum();
        Self {
            side,
            weights: weights.into_iter().map(|weight| weight / sum).collect(),
        }
    }

    /// The picture under the kernel, mirrored at its border without repeating it, rounded to levels.
    pub(super) fn apply(&self, picture: &RgbImage) -> RgbImage {
        let (width, height) = picture.dimensions();
        let reach = (self.side / 2) as i64;
        // Sources of every output column and row, so that the border costs nothing inside.
        let sources = |length: u32| -> Vec<u32> {
            let all = -reach..i64::from(length) + reach;
            all.map(|place| mirrored(place, length)).collect()
        };
        let (columns, rows) = (sources(width), sources(height));
        RgbImage::from_fn(width, height, |x, y| {
            let mut sums = [0.0; 3];
            let mut weights = self.weights.iter();
            for row in &rows[y as usize..][..self.side] {
                for column in &columns[x as usize..][..self.side] {
                    let weight = weights.next().expect("one for every pixel of the square");
                    let levels = picture.get_pixel(*column, *row).0;
                    for (sum, level) in sums.iter_mut().zip(levels) {
                        *sum += weight * f64::from(level);
                    }
                }
            }
            Rgb(sums.map(|sum| sum.round().clamp(0.0, 255.0) as u8))
        })
    }
}

/// The pixel that `place` shows when `length` pixels are mirrored at their ends.
fn mirrored(place: i64, length: u32) -> u32 {
    let last = i64::from(length) - 1;
    if last == 0 {
        return 0;
    }
    let place = place.rem_euclid(2 * last);
    place.min(2 * last - place) as u32
}

/// The Bessel function of the first kind and order 1, for arguments of up to about 100.
///
/// Its integral is that of a periodic function, for which the mean over equal steps is exact but for rounding once the steps are more than
/// the argument.
fn bessel(x: f64) -> f64 {
    const STEPS: usize = 256;
    let value = |step: usize| {
        let angle = 2.0 * PI * step as f64 / STEPS as f64;
        (angle - x * angle.sin()).cos()
    };
    (0..STEPS).map(value).sum::<f64>() / STEPS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bessel_is_that_of_tables() {
        // Abramowitz and Stegun 1964, table 9.1.
        for (x, expected) in [
            (0.0, 0.0),
            (1.0, 0.440_050_585_7),
            (2.0, 0.576_724_807_8),
            (5.0, -0.327_579_137_6),
            (10.0, 0.043_472_746_2),
        ] {
            assert!((bessel(x) - expected).abs() < 1e-10, "{x}: {}", bessel(x));
        }
    }

    #[test]
    fn kernels_weigh_1_and_are_point_symmetric() {
        for id in 0..200 {
            let mut dice = crate::sr::degradation::dice(1, &id.to_string(), "kernels");
            let kernel = Kernel::blur(7 + 2 * (id % 8), [0.2, 3.0], &mut dice);
            assert!((kernel.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let turned = kernel.weights.iter().rev();
            for (weight, other) in kernel.weights.iter().zip(turned) {
                assert!((weight - other).abs() < 1e-12, "{kernel:?}");
            }
        }
    }

    #[test]
    fn a_flat_picture_stays_and_a_dot_shows_the_kernel() {
        let flat = RgbImage::from_pixel(5, 3, Rgb([40, 90, 200]));
        let mut dice = crate::sr::degradation::dice(1, "a", "kernels");
        assert_eq!(Kernel::blur(21, [0.2, 3.0], &mut dice).apply(&flat), flat);
        let kernel = Kernel::of(3, |x, y| if (x, y) == (1.0, 0.0) { 1.0 } else { 0.0 });
        let mut dot = RgbImage::new(6, 5);
        dot.put_pixel(3, 2, Rgb([9, 8, 7]));
        let moved = kernel.apply(&dot);
        assert_eq!(moved.get_pixel(2, 2).0, [9, 8, 7]);
    }

    #[test]
    fn borders_are_mirrored() {
        let places: Vec<u32> = (-3..7).map(|place| mirrored(place, 4)).collect();
        assert_eq!(places, [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]);
        assert_eq!(mirrored(-8, 1), 0);
    }
}
