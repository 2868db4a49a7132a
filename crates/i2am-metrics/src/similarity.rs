//! Cosines of the features of generated images and their reference images.

use std::borrow::Cow;
use std::rc::Rc;

use i2am_imaging::RgbImage;

use crate::error::MetricError;
use crate::pair::{Compared, Pair, PairMetric, PairValue};
use crate::tower::{Fit, TowerExtractor};

/// A metric that is ready to compare generated images with reference images.
pub(crate) struct Similarity {
    pub(crate) tower: Rc<TowerExtractor>,
    pub(crate) fit: Fit,
    pub(crate) compared: Compared,
}

impl PairMetric for Similarity {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        pairs.iter().map(|pair| self.of(pair)).collect()
    }
}

impl Similarity {
    fn of(&self, pair: &Pair<'_>) -> Result<PairValue, MetricError> {
        let generated = match (self.compared, pair.region) {
            (Compared::Whole, _) => Cow::Borrowed(pair.generated),
            (Compared::Masked, Some(region)) => Cow::Owned(region.cut(pair.generated)),
            (Compared::Masked, None) => {
                return Ok(PairValue::Undefined("there is no masked region to look at"));
            }
        };
        let row = |image: &RgbImage| self.tower.row(image, self.fit);
        let (x, y) = (row(&generated)?, row(pair.real)?);
        Ok(cosine(&x.values, &y.values).map_or(
            PairValue::Undefined("the features of an image are all 0"),
            PairValue::Value,
        ))
    }
}

/// `None` where a row has no direction.
fn cosine(x: &[f32], y: &[f32]) -> Option<f64> {
    let product = |x: &[f32], y: &[f32]| -> f64 {
        let pairs = x.iter().zip(y);
        pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    let cosine = product(x, y) / (product(x, x) * product(y, y)).sqrt();
    cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0))
}
