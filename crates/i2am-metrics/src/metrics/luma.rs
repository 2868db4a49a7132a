//! What tables of super-resolution compare: the Y channel, and pictures without their border.

use std::borrow::Cow;

use i2am_imaging::RgbImage;

use crate::error::MetricError;

/// Weights of red, green and blue: ITU-R BT.601 in the studio's range of 16 to 235, with the digits of MATLAB's `rgb2ycbcr`.
const WEIGHTS: [f64; 3] = [65.481 / 255.0, 128.553 / 255.0, 24.966 / 255.0];
/// The level of black.
const BLACK: f64 = 16.0;

/// The Y channel of a picture in levels of 16 to 235, **not rounded**: as in `BasicSR` and `pyiqa`. MATLAB rounds that of an 8-bit
/// picture to whole levels.
pub(super) struct Luma {
    pub(super) levels: Vec<f64>,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Luma {
    pub(super) fn of(image: &RgbImage) -> Self {
        let levels = image.pixels().map(|pixel| {
            let [r, g, b] = pixel.0.map(f64::from);
            BLACK + WEIGHTS[0] * r + WEIGHTS[1] * g + WEIGHTS[2] * b
        });
        Self {
            levels: levels.collect(),
            height: image.height() as usize,
            width: image.width() as usize,
        }
    }
}

/// The picture without `border` pixels on every side.
///
/// # Errors
/// [`MetricError::TooSmall`] if less than `least` x `least` pixels were left for `metric`.
pub(super) fn inside<'a>(
    metric: &'static str,
    image: &'a RgbImage,
    border: u32,
    least: u32,
) -> Result<Cow<'a, RgbImage>, MetricError> {
    let found = [image.height(), image.width()];
    let least = border.saturating_mul(2).saturating_add(least);
    if found.iter().any(|side| *side < least) {
        return Err(MetricError::TooSmall {
            metric,
            least,
            found,
        });
    }
    if border == 0 {
        return Ok(Cow::Borrowed(image));
    }
    let [height, width] = found.map(|side| side - 2 * border);
    let pixel = |x, y| *image.get_pixel(x + border, y + border);
    Ok(Cow::Owned(RgbImage::from_fn(width, height, pixel)))
}

/// A variant's name with the border that is left out: `y, crop 4`.
pub(super) fn named(variant: &str, crop_border: u32) -> String {
    match crop_border {
        0 => variant.to_owned(),
        border => format!("{variant}, crop {border}"),
    }
}
