//! The metric `ms-ssim`.

use i2am_imaging::{RgbImage, rgb_to_gray};
use i2am_quantity::{Better, Bound, Quantity};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::luma::inside;
use super::ssim::window::{Compared, Levels, Window};
use crate::error::MetricError;
use crate::metric::{MetricInfo, Needs, Prepared, Settings, Variant};
use crate::pair::{Pair, PairMetric, PairValue};
use crate::session::Session;

static MS_SSIM: Quantity = Quantity::new("ms-ssim", "MS-SSIM", Better::Higher)
    .decimals(4)
    .tolerance(Bound::absolute(2e-5), Some(Bound::absolute(5e-5)))
    .headline()
    .correlated();

/// Exponents of the scales, the finest first: Wang, Simoncelli, Bovik 2003, section 3.2. They add up to 1.
const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
/// Least height and width: the window of 11 fits into the coarsest scale, and one pixel more, as the reference asks.
const LEAST: u32 = 10 * 16 + 1;

/// Multi-scale structural similarity: the product over five scales, each half as large as the one before, of the mean agreement of
/// variances and covariance, and at the coarsest scale also of means; each to the power of its weight.
///
/// Window, constants and formula are those of the `gaussian` variant of [`Ssim`](super::Ssim). A scale is made from the one before by
/// means of 2 x 2 pixels; where a side is odd, a row or column of zeros is put before it. A mean below 0 counts as 0. `rgb` takes
/// each channel alone and the mean of the three; `gray` takes Pillow's luma ([`rgb_to_gray`]).
///
/// # Shapes
/// Two RGB pictures of one size in levels of 0 to 255, at least 161 x 161.
/// # Units and range
/// None; in `[0, 1]`; higher is better; exactly 1 for equal pictures.
/// # Errors
/// [`MetricError::TooSmall`] for a picture whose coarsest scale the window does not fit in.
/// # Source
/// Wang, Simoncelli, Bovik 2003; the numbers are those of `pytorch_msssim.ms_ssim` of pytorch-msssim 1.0.0 with `data_range=255`
/// (fixture `ms-ssim`).
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MsSsim {
    variant: Channels,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Channels {
    #[default]
    Rgb,
    Gray,
}

impl Settings for MsSsim {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &MS_SSIM,
        needs: Needs::Pairs,
        needs_torch: false,
        weights: &[],
        key: "variant",
        variants: &[
            Variant {
                name: "rgb",
                summary: "each channel alone, mean of the three: pytorch-msssim on color images",
            },
            Variant {
                name: "gray",
                summary: "the same on the 8-bit luma",
            },
        ],
        summary: "Multi-scale structural similarity, five scales",
        source: "Wang, Simoncelli, Bovik 2003; pytorch-msssim 1.0.0: ms_ssim",
    };

    fn variant(&self) -> String {
        Self::INFO.variants[self.variant as usize].name.to_owned()
    }

    fn open(&self, _session: &Session) -> Result<Prepared, MetricError> {
        Ok(Prepared::Pairs(Box::new(*self)))
    }
}

impl PairMetric for MsSsim {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        let value = |pair: &Pair<'_>| self.of(pair.generated, pair.real).map(PairValue::Value);
        pairs.par_iter().map(value).collect()
    }
}

impl MsSsim {
    fn of(self, generated: &RgbImage, real: &RgbImage) -> Result<f64, MetricError> {
        inside(MS_SSIM.name, generated, 0, LEAST)?;
        let (generated, real) = (self.channels(generated), self.channels(real));
        let count = generated.len() as f64;
        let channels = generated.into_iter().zip(real);
        Ok(channels.map(|(x, y)| similarity(x, y)).sum::<f64>() / count)
    }

    fn channels(self, image: &RgbImage) -> Vec<Channel> {
        let size = [image.height() as usize, image.width() as usize];
        let of = |levels: Vec<f64>| Channel { levels, size };
        match self.variant {
            Channels::Rgb => (0..3)
                .map(|channel| image.pixels().map(move |pixel| pixel.0[channel].into()))
                .map(|levels| of(levels.collect()))
                .collect(),
            Channels::Gray => {
                let gray = rgb_to_gray(image);
                vec![of(gray.as_raw().iter().copied().map(f64::from).collect())]
            }
        }
    }
}

/// The levels of one channel at one scale.
struct Channel {
    levels: Vec<f64>,
    size: [usize; 2],
}

impl Channel {
    /// Means of 2 x 2 levels, behind a row or column of zeros where a side is odd.
    fn halved(&self) -> Self {
        let [height, width] = self.size;
        let [above, before] = [height % 2, width % 2];
        let size = [height.div_ceil(2), width.div_ceil(2)];
        let at = |row: usize, column: usize| {
            let inside = row >= above && column >= before;
            let place = || (row - above) * width + (column - before);
            if inside { self.levels[place()] } else { 0.0 }
        };
        let of_row = |row: usize| {
            (0..size[1]).map(move |column| {
                let (row, column) = (2 * row, 2 * column);
                let sum = at(row, column) + at(row, column + 1);
                (sum + at(row + 1, column) + at(row + 1, column + 1)) / 4.0
            })
        };
        Self {
            levels: (0..size[0]).flat_map(of_row).collect(),
            size,
        }
    }

    fn view(&self) -> Levels<'_, f64> {
        Levels::plane(&self.levels, self.size)
    }
}

fn similarity(mut x: Channel, mut y: Channel) -> f64 {
    let window = Window::gaussian();
    let mut product = 1.0;
    for (scale, weight) in WEIGHTS.into_iter().enumerate() {
        let compared = if scale + 1 < WEIGHTS.len() {
            Compared::ContrastAndStructure
        } else {
            Compared::All
        };
        let mean = window.mean(compared, x.view(), y.view());
        let mean = mean.expect("the coarsest scale is as large as the window");
        product *= mean.max(0.0).powf(weight);
        if compared != Compared::All {
            (x, y) = (x.halved(), y.halved());
        }
    }
    product
}
