//! The metric `ssim`; [`window`] computes it.

mod window;

use i2am_imaging::{RgbImage, rgb_to_gray};
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
use window::{Levels, Window};

static INFO: MetricInfo = MetricInfo {
    name: "ssim",
    version: 1,
    better: Better::Higher,
    needs: Needs::Pairs,
    key: "variant",
    variants: &[
        Variant {
            name: "gaussian",
            summary: "Wang et al. 2004: Gaussian window 11 x 11, sigma 1.5, per channel",
        },
        Variant {
            name: "gray",
            summary: "the same on the 8-bit luma",
        },
        Variant {
            name: "uniform",
            summary: "flat window 7 x 7 with sample covariance, per channel: the default of scikit-image",
        },
        Variant {
            name: "y",
            summary: "`gaussian` on the Y channel of ITU-R BT.601, 16 to 235, not rounded: super-resolution",
        },
    ],
    summary: "Structural similarity",
    source: "Wang et al. 2004; scikit-image 0.26.0: skimage.metrics.structural_similarity",
};

/// Structural similarity: agreement of local means, variances and covariance, averaged over the picture.
///
/// Per position, with window means `u`, variances `v` and covariance `v_xy`,
/// `(2 u_x u_y + C1) (2 v_xy + C2) / ((u_x² + u_y² + C1) (v_x + v_y + C2))`, where `C1 = (0.01 · 255)²`, `C2 = (0.03 · 255)²`.
/// Only windows that lie inside the picture count. `gaussian` and `uniform` take each channel alone and the mean of the three;
/// `gray` takes Pillow's luma ([`rgb_to_gray`]), `y` the luma `16 + (65.481 R + 128.553 G + 24.966 B) / 255`, which is not rounded;
/// both by the Gaussian window.
///
/// # Shapes
/// Two RGB pictures of one size in levels of 0 to 255; what is left without `crop_border` pixels on every side is at least 11 x 11
/// (`uniform`: 7 x 7).
/// # Units and range
/// None; in `[-1, 1]`; higher is better; exactly 1 for equal pictures.
/// # Errors
/// [`MetricError::TooSmall`] for a picture that the window does not fit in.
/// # Source
/// Wang, Bovik, Sheikh, Simoncelli 2004; the numbers are those of `skimage.metrics.structural_similarity` of scikit-image 0.26.0
/// with `data_range=255, channel_axis=2`, and for `gaussian` and `gray` also
/// `gaussian_weights=True, sigma=1.5, use_sample_covariance=False` (fixture `pairs`), as for `y` on the Y channel that `BasicSR` defines
/// (fixture `enlarged`).
pub struct Ssim;

impl Metric for Ssim {
    fn info(&self) -> &'static MetricInfo {
        &INFO
    }

    fn configure(&self, table: ConfigValue<'_>) -> Result<Box<dyn Configured>, toml::de::Error> {
        Ok(Box::new(SsimConfig::deserialize(ValueDeserializer::from(
            table,
        ))?))
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SsimVariant {
    #[default]
    Gaussian,
    Gray,
    Uniform,
    Y,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SsimConfig {
    variant: SsimVariant,
    crop_border: u32,
}

impl Configured for SsimConfig {
    fn info(&self) -> &'static MetricInfo {
        &INFO
    }

    fn variant(&self) -> String {
        let name = match self.variant {
            SsimVariant::Gaussian => "gaussian",
            SsimVariant::Gray => "gray",
            SsimVariant::Uniform => "uniform",
            SsimVariant::Y => "y",
        };
        named(name, self.crop_border)
    }

    fn prepare(&self, _resources: &Resources) -> Result<Prepared, MetricError> {
        Ok(Prepared::Pairs(Box::new(*self)))
    }
}

impl PairMetric for SsimConfig {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        let value = |pair: &Pair<'_>| self.ssim(pair.generated, pair.real).map(PairValue::Value);
        pairs.par_iter().map(value).collect()
    }
}

impl SsimConfig {
    fn ssim(self, generated: &RgbImage, real: &RgbImage) -> Result<f64, MetricError> {
        let side = match self.variant {
            SsimVariant::Uniform => 7,
            SsimVariant::Gaussian | SsimVariant::Gray | SsimVariant::Y => 11,
        };
        let inside = |image| inside("ssim", image, self.crop_border, side);
        let (generated, real) = (&*inside(generated)?, &*inside(real)?);
        let similarity = match self.variant {
            SsimVariant::Gaussian => {
                Window::gaussian().mean_similarity(Levels::rgb(generated), Levels::rgb(real))
            }
            SsimVariant::Uniform => {
                Window::uniform().mean_similarity(Levels::rgb(generated), Levels::rgb(real))
            }
            SsimVariant::Gray => {
                let (generated, real) = (rgb_to_gray(generated), rgb_to_gray(real));
                Window::gaussian().mean_similarity(Levels::gray(&generated), Levels::gray(&real))
            }
            SsimVariant::Y => {
                let (generated, real) = (Luma::of(generated), Luma::of(real));
                Window::gaussian().mean_similarity(Levels::luma(&generated), Levels::luma(&real))
            }
        };
        Ok(similarity.expect("what is left is as large as the window"))
    }
}
