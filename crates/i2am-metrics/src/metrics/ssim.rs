//! The metric `ssim`; [`window`] computes it.

pub(super) mod window;

use i2am_imaging::{RgbImage, rgb_to_gray};
use i2am_quantity::{Better, Bound, Quantity};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::luma::{Luma, inside, named};
use crate::error::MetricError;
use crate::metric::{MetricInfo, Needs, Prepared, Settings, Variant};
use crate::pair::{Pair, PairMetric, PairValue};
use crate::session::Session;
use window::{Levels, Window};

// Another CPU moves the value of a sample by 2.4e-6.
static SSIM: Quantity = Quantity::new("ssim", "SSIM", Better::Higher)
    .decimals(4)
    .tolerance(Bound::absolute(2e-5), Some(Bound::absolute(5e-5)))
    .headline()
    .correlated();

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
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ssim {
    variant: Definition,
    crop_border: u32,
}

/// As the variant `uniform` of [`Ssim`], of two planes of levels from 0 to 255, row by row; `None` if no window of 7 x 7 fits in.
///
/// # Panics
/// If either has not `height * width` levels.
pub fn ssim_of_planes(x: &[f64], y: &[f64], [height, width]: [usize; 2]) -> Option<f64> {
    let plane = |levels| Levels::plane(levels, [height, width]);
    assert_eq!(
        [x.len(), y.len()],
        [height * width; 2],
        "planes of one size are expected"
    );
    Window::uniform().mean_similarity(plane(x), plane(y))
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Definition {
    #[default]
    Gaussian,
    Gray,
    Uniform,
    Y,
}

impl Settings for Ssim {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &SSIM,
        needs: Needs::Pairs,
        needs_torch: false,
        weights: &[],
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

impl PairMetric for Ssim {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        let value = |pair: &Pair<'_>| self.ssim(pair.generated, pair.real).map(PairValue::Value);
        pairs.par_iter().map(value).collect()
    }
}

impl Ssim {
    fn ssim(self, generated: &RgbImage, real: &RgbImage) -> Result<f64, MetricError> {
        let side = match self.variant {
            Definition::Uniform => 7,
            Definition::Gaussian | Definition::Gray | Definition::Y => 11,
        };
        let inside = |image| inside(SSIM.name, image, self.crop_border, side);
        let (generated, real) = (&*inside(generated)?, &*inside(real)?);
        let similarity = match self.variant {
            Definition::Gaussian => {
                Window::gaussian().mean_similarity(Levels::rgb(generated), Levels::rgb(real))
            }
            Definition::Uniform => {
                Window::uniform().mean_similarity(Levels::rgb(generated), Levels::rgb(real))
            }
            Definition::Gray => {
                let (generated, real) = (rgb_to_gray(generated), rgb_to_gray(real));
                Window::gaussian().mean_similarity(Levels::gray(&generated), Levels::gray(&real))
            }
            Definition::Y => {
                let (generated, real) = (Luma::of(generated), Luma::of(real));
                Window::gaussian().mean_similarity(Levels::luma(&generated), Levels::luma(&real))
            }
        };
        Ok(similarity.expect("what is left is as large as the window"))
    }
}
