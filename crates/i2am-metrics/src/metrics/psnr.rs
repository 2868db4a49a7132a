//! The metric `psnr`.

use i2am_imaging::RgbImage;
use i2am_quantity::{Better, Bound, Quantity};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::luma::{Luma, inside, named};
use crate::error::MetricError;
use crate::metric::{MetricInfo, Needs, Prepared, Settings, Variant};
use crate::pair::{Pair, PairMetric, PairValue};
use crate::session::Session;

// Another CPU moves the value of a sample by 2e-5 dB.
static PSNR: Quantity = Quantity::new("psnr", "PSNR", Better::Higher)
    .unit("dB")
    .decimals(2)
    .tolerance(Bound::absolute(2e-4), Some(Bound::absolute(1e-3)))
    .headline()
    .correlated();

/// Largest level of an image; the peak of the signal.
const PEAK: f64 = 255.0;

/// Peak signal-to-noise ratio: `10 log10(255² / mse)`, with the mean squared error over all pixels and channels, or (`y`) over the
/// luma `16 + (65.481 R + 128.553 G + 24.966 B) / 255`, which is not rounded.
///
/// # Shapes
/// Two RGB pictures of one size, at least 1 x 1, in levels of 0 to 255; `crop_border` pixels on every side count for nothing.
/// # Units and range
/// Decibel; higher is better; at least 0. Equal pictures have no finite value: [`PairValue::Undefined`].
/// # Errors
/// [`MetricError::TooSmall`] for a picture without pixels.
/// # Source
/// `skimage.metrics.peak_signal_noise_ratio` of scikit-image 0.26.0 on 8-bit pictures (fixture `pairs`), and on the Y channel as
/// `BasicSR` defines it (fixture `enlarged`).
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Psnr {
    variant: Channels,
    crop_border: u32,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Channels {
    #[default]
    Rgb,
    Y,
}

impl Settings for Psnr {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &PSNR,
        needs: Needs::Pairs,
        needs_torch: false,
        weights: &[],
        key: "variant",
        variants: &[
            Variant {
                name: "rgb",
                summary: "mean squared error over all pixels and channels, data range 255",
            },
            Variant {
                name: "y",
                summary: "the same over the Y channel of ITU-R BT.601, 16 to 235, not rounded: super-resolution",
            },
        ],
        summary: "Peak signal-to-noise ratio in dB",
        source: "scikit-image 0.26.0: skimage.metrics.peak_signal_noise_ratio",
    };

    fn variant(&self) -> String {
        named(
            Self::INFO.variants[self.variant as usize].name,
            self.crop_border,
        )
    }

    fn open(&self, _session: &Session) -> Result<Prepared, MetricError> {
        Ok(Prepared::Pairs(Box::new(*self)))
    }
}

impl PairMetric for Psnr {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        pairs
            .par_iter()
            .map(|pair| self.psnr(pair.generated, pair.real))
            .collect()
    }
}

impl Psnr {
    fn psnr(self, generated: &RgbImage, real: &RgbImage) -> Result<PairValue, MetricError> {
        let inside = |image| inside(PSNR.name, image, self.crop_border, 1);
        let (generated, real) = (inside(generated)?, inside(real)?);
        let (error, equal) = match self.variant {
            Channels::Rgb => {
                let (x, y) = (generated.as_raw(), real.as_raw());
                (
                    squared_error(x, y) as f64 / x.len() as f64,
                    "the pictures are equal, PSNR is infinite",
                )
            }
            Channels::Y => {
                let (x, y) = (Luma::of(&generated).levels, Luma::of(&real).levels);
                let squares = x.iter().zip(&y).map(|(x, y)| (x - y) * (x - y));
                (
                    squares.sum::<f64>() / x.len() as f64,
                    "the Y channels are equal, PSNR is infinite",
                )
            }
        };
        Ok(if error > 0.0 {
            PairValue::Value(10.0 * (PEAK * PEAK / error).log10())
        } else {
            PairValue::Undefined(equal)
        })
    }
}

/// The exact sum of squared differences.
fn squared_error(x: &[u8], y: &[u8]) -> u64 {
    /// Levels whose squared differences fit `u32` together.
    const CHUNK: usize = 1 << 16;
    let of_chunk = |(x, y): (&[u8], &[u8])| {
        let squares = x
            .iter()
            .zip(y)
            .map(|(&a, &b)| u32::from(a.abs_diff(b)).pow(2));
        u64::from(squares.sum::<u32>())
    };
    x.chunks(CHUNK).zip(y.chunks(CHUNK)).map(of_chunk).sum()
}

#[cfg(test)]
mod tests {
    use super::squared_error;

    #[test]
    fn the_largest_error_does_not_overflow() {
        let (white, black) = (vec![255; 200_001], vec![0; 200_001]);
        assert_eq!(squared_error(&white, &black), 255 * 255 * 200_001);
    }
}
