//! Metrics of pairs: a generated image and its ground truth, or its reference image.

use i2am_imaging::{GrayImage, Plane, RgbImage};
use serde::{Deserialize, Serialize};

use crate::error::MetricError;

/// A generated image and what it is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// What the model made.
    pub generated: &'a RgbImage,
    /// What it should have made, of the same size; for a metric that needs [`References`](crate::Needs::References), the reference
    /// image, of any size.
    pub real: &'a RgbImage,
    /// The part of the generated image that was to be made, where it is known.
    pub region: Option<Region>,
}

/// A rectangle of whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Pixels to the left of it.
    pub left: u32,
    /// Pixels above it.
    pub top: u32,
    /// At least 1.
    pub width: u32,
    /// At least 1.
    pub height: u32,
}

impl Region {
    /// The rectangle around all pixels of `mask` that are not 0, in an image of `height` x `width` that the mask lies over, stretched to
    /// its size; pixels that it only touches belong to it. `None` for a mask without such a pixel.
    pub fn around(mask: &GrayImage, [height, width]: [u32; 2]) -> Option<Self> {
        let masked = || {
            let pixels = mask.enumerate_pixels();
            pixels.filter(|(.., level)| level.0[0] > 0)
        };
        let columns = masked().map(|(x, ..)| x);
        let rows = masked().map(|(_, y, _)| y);
        let range = |first: Option<u32>, last: Option<u32>, from: u32, to: u32| {
            let scaled = |edge: u32| f64::from(edge) * f64::from(to) / f64::from(from);
            let (start, end) = (scaled(first?).floor(), scaled(last? + 1).ceil());
            Some((start as u32, (end - start) as u32))
        };
        let (left, width) = range(columns.clone().min(), columns.max(), mask.width(), width)?;
        let (top, height) = range(rows.clone().min(), rows.max(), mask.height(), height)?;
        Some(Self {
            left,
            top,
            width,
            height,
        })
    }

    /// This part of `image`.
    ///
    /// # Panics
    /// If it is not inside the image.
    pub fn cut(&self, image: &RgbImage) -> RgbImage {
        RgbImage::from_fn(self.width, self.height, |x, y| {
            *image.get_pixel(x + self.left, y + self.top)
        })
    }
}

/// What of a generated image is compared with its reference image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Compared {
    /// All of it.
    #[default]
    Whole,
    /// The rectangle around the masked region.
    Masked,
}

impl Compared {
    /// A variant's name with what is compared, unless that is the whole image: `vit-b-32, masked`.
    pub(crate) fn named(self, variant: &str) -> String {
        match self {
            Self::Whole => variant.to_owned(),
            Self::Masked => format!("{variant}, masked"),
        }
    }
}

impl<'a> Pair<'a> {
    /// A generated image and the reference image it was made from, of any sizes.
    pub fn with_reference(
        generated: &'a RgbImage,
        reference: &'a RgbImage,
        region: Option<Region>,
    ) -> Self {
        Self {
            generated,
            real: reference,
            region,
        }
    }

    /// A generated image and its ground truth.
    ///
    /// # Errors
    /// [`MetricError::PairSize`] if the sizes differ.
    pub fn new(generated: &'a RgbImage, real: &'a RgbImage) -> Result<Self, MetricError> {
        if generated.dimensions() == real.dimensions() {
            Ok(Self {
                generated,
                real,
                region: None,
            })
        } else {
            let size = |image: &RgbImage| [image.height(), image.width()];
            Err(MetricError::PairSize {
                generated: size(generated),
                real: size(real),
            })
        }
    }
}

/// The value of one pair, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum PairValue {
    /// A finite number.
    Value(f64),
    /// The metric has no finite value here.
    Undefined(&'static str),
    /// Computing the value went wrong for this pair.
    Failed(String),
}

/// A metric of pairs that is ready to measure.
pub trait PairMetric {
    /// One value per pair, in their order. What else is in `pairs` moves a value by the rounding of 32-bit floats at most.
    ///
    /// # Errors
    /// [`MetricError::TooSmall`] for an image that the metric cannot be computed on.
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError>;

    /// Where a pair differs, `[H, W]` of the images, 0 where it does not; `None` by metrics that do not know.
    ///
    /// # Errors
    /// As [`PairMetric::measure`].
    fn map(&self, _pair: &Pair<'_>) -> Result<Option<Plane>, MetricError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use i2am_imaging::GrayImage;

    use super::*;

    #[test]
    fn the_region_lies_around_the_mask_at_the_size_of_the_image() {
        let mask = GrayImage::from_fn(10, 8, |x, y| {
            [u8::from((3..5).contains(&x) && (2..6).contains(&y)) * 255].into()
        });
        let region = |left, top, width, height| {
            Some(Region {
                left,
                top,
                width,
                height,
            })
        };
        assert_eq!(Region::around(&mask, [8, 10]), region(3, 2, 2, 4));
        assert_eq!(Region::around(&mask, [16, 20]), region(6, 4, 4, 8));
        // Columns 1.5 to 2.5 of 5 and rows 1 to 3 of 4: what is only touched belongs to it.
        assert_eq!(Region::around(&mask, [4, 5]), region(1, 1, 2, 2));
        assert_eq!(Region::around(&GrayImage::new(10, 8), [8, 10]), None);
        let image = RgbImage::from_fn(10, 8, |x, y| [x as u8, y as u8, 0].into());
        let part = Region::around(&mask, [8, 10])
            .expect("a masked region")
            .cut(&image);
        assert_eq!(
            (part.dimensions(), part.get_pixel(1, 3).0),
            ((2, 4), [4, 5, 0])
        );
    }
}
