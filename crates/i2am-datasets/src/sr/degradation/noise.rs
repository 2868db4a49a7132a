//! Noise of a sensor.

use i2am_imaging::{RgbImage, rgb_to_gray};
use rand_distr::{Distribution, Poisson, StandardNormal};

use super::Pass;
use i2am_synth::Dice;

/// Probability that noise is Gaussian, else Poisson.
const GAUSSIAN: f32 = 0.5;
/// Probability that all channels have the same noise.
const GRAY: f32 = 0.4;

/// The picture with noise of one of the two kinds.
pub(super) fn add(picture: &RgbImage, pass: &Pass, dice: &mut Dice) -> RgbImage {
    let gaussian = dice.chance(GAUSSIAN);
    let gray = dice.chance(GRAY);
    if gaussian {
        let deviation = between(dice, pass.noise);
        added(picture, gray, &mut |_level| {
            let normal: f64 = StandardNormal.sample(dice.generator());
            deviation * normal
        })
    } else {
        let strength = between(dice, pass.poisson);
        let counts = Counts::new(if gray {
            photons(rgb_to_gray(picture).as_raw())
        } else {
            photons(picture.as_raw())
        });
        added(picture, gray, &mut |level| {
            strength * counts.noise(level, dice)
        })
    }
}

/// Uniform from the least to the largest.
pub(super) fn between(dice: &mut Dice, [least, largest]: [f64; 2]) -> f64 {
    least + (largest - least) * f64::from(dice.unit())
}

/// Every level and what `draw` says for it; `gray`, what it says for the pixel's luma.
fn added(picture: &RgbImage, gray: bool, draw: &mut dyn FnMut(u8) -> f64) -> RgbImage {
    let luma = rgb_to_gray(picture);
    let mut noisy = picture.clone();
    for (pixel, luma) in noisy.pixels_mut().zip(luma.pixels()) {
        let noise = if gray {
            [draw(luma.0[0]); 3]
        } else {
            pixel.0.map(&mut *draw)
        };
        for (level, noise) in pixel.0.iter_mut().zip(noise) {
            *level = (f64::from(*level) + noise).round().clamp(0.0, 255.0) as u8;
        }
    }
    noisy
}

/// Photons of a white pixel: the number of different levels, up to the next power of two.
fn photons(levels: &[u8]) -> f64 {
    let mut seen = [false; 256];
    for level in levels {
        seen[usize::from(*level)] = true;
    }
    seen.iter()
        .filter(|seen| **seen)
        .count()
        .next_power_of_two() as f64
}

/// How many photons arrive, level by level.
struct Counts {
    photons: f64,
    /// None where nothing shines.
    arriving: Vec<Option<Poisson<f64>>>,
}

impl Counts {
    fn new(photons: f64) -> Self {
        let arriving = (0_u8..=255).map(|level| Poisson::new(expected(photons, level)).ok());
        Self {
            photons,
            arriving: arriving.collect(),
        }
    }

    /// How far the picture of `level` is off, in levels.
    fn noise(&self, level: u8, dice: &mut Dice) -> f64 {
        let arriving = self.arriving[usize::from(level)];
        let found = arriving.map_or(0.0, |counts| counts.sample(dice.generator()));
        255.0 * (found - expected(self.photons, level)) / self.photons
    }
}

fn expected(photons: f64, level: u8) -> f64 {
    photons * f64::from(level) / 255.0
}
