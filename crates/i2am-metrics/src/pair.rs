//! Metrics of pairs: a generated image and its ground truth.

use i2am_imaging::{Plane, RgbImage};

use crate::error::MetricError;

/// A generated image and its ground truth, of one size.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// What the model made.
    pub generated: &'a RgbImage,
    /// What it should have made.
    pub real: &'a RgbImage,
}

impl<'a> Pair<'a> {
    /// # Errors
    /// [`MetricError::PairSize`] if the sizes differ.
    pub fn new(generated: &'a RgbImage, real: &'a RgbImage) -> Result<Self, MetricError> {
        if generated.dimensions() == real.dimensions() {
            Ok(Self { generated, real })
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
