use i2am_imaging::RgbImage;
use rayon::prelude::*;
use serde::Deserialize;
use toml::de::ValueDeserializer;

use super::luma::{Luma, inside, named};
use crate::error::MetricError;
use crate::metric::{
    Better, ConfigValue, Configured, Metric, MetricInfo, Needs, Pair, PairMetric, PairValue,
    Prepared, Variant,
};
use crate::resources::Resources;

/// Largest level of a picture; the peak of the signal.
const PEAK: f64 = 255.0;

static INFO: MetricInfo = MetricInfo {
    name: "psnr",
    version: 1,
    better: Better::Higher,
    needs: Needs::Pairs,
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
pub struct Psnr;

impl Metric for Psnr {
    fn info(&self) -> &'static MetricInfo {
        &INFO
    }

    fn configure(&self, table: ConfigValue<'_>) -> Result<Box<dyn Configured>, toml::de::Error> {
        Ok(Box::new(PsnrConfig::deserialize(ValueDeserializer::from(
            table,
        ))?))
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PsnrVariant {
    #[default]
    Rgb,
    Y,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PsnrConfig {
    variant: PsnrVariant,
    crop_border: u32,
}

impl Configured for PsnrConfig {
    fn info(&self) -> &'static MetricInfo {
        &INFO
    }

    fn variant(&self) -> String {
        let name = match self.variant {
            PsnrVariant::Rgb => "rgb",
            PsnrVariant::Y => "y",
        };
        named(name, self.crop_border)
    }

    fn prepare(&self, _resources: &Resources) -> Result<Prepared, MetricError> {
        Ok(Prepared::Pairs(Box::new(*self)))
    }
}

impl PairMetric for PsnrConfig {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        pairs
            .par_iter()
            .map(|pair| self.psnr(pair.generated, pair.real))
            .collect()
    }
}

impl PsnrConfig {
    fn psnr(self, generated: &RgbImage, real: &RgbImage) -> Result<PairValue, MetricError> {
        let inside = |image| inside("psnr", image, self.crop_border, 1);
        let (generated, real) = (inside(generated)?, inside(real)?);
        let (error, equal) = match self.variant {
            PsnrVariant::Rgb => {
                let (x, y) = (generated.as_raw(), real.as_raw());
                (
                    squared_error(x, y) as f64 / x.len() as f64,
                    "the pictures are equal, PSNR is infinite",
                )
            }
            PsnrVariant::Y => {
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
