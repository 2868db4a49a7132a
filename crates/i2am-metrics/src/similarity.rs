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
        let generated: Vec<Option<Cow<'_, RgbImage>>> =
            pairs.iter().map(|pair| self.compared_part(pair)).collect();
        let compared = generated.iter().zip(pairs).filter_map(|(generated, pair)| {
            let generated: &RgbImage = generated.as_deref()?;
            Some([generated, pair.real])
        });
        let images: Vec<&RgbImage> = compared.flatten().collect();
        let rows = self.tower.each(&images, self.fit)?;
        let mut rows = rows.chunks_exact(2);
        let value = |generated: &Option<_>| {
            if generated.is_none() {
                return PairValue::Undefined("there is no masked region to look at");
            }
            let rows = rows.next().expect("two rows for each pair");
            cosine(&rows[0].values, &rows[1].values).map_or(
                PairValue::Undefined("the features of an image are all 0"),
                PairValue::Value,
            )
        };
        Ok(generated.iter().map(value).collect())
    }
}

impl Similarity {
    /// What is compared of the generated image, if it has it.
    fn compared_part<'a>(&self, pair: &Pair<'a>) -> Option<Cow<'a, RgbImage>> {
        match (self.compared, pair.region) {
            (Compared::Whole, _) => Some(Cow::Borrowed(pair.generated)),
            (Compared::Masked, region) => Some(Cow::Owned(region?.cut(pair.generated))),
        }
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
