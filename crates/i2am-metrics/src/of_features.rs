//! Metrics that compare the features of two sets, whatever network they come from.

use std::path::Path;
use std::rc::Rc;

use i2am_nets::inception::Tap;
use i2am_quantity::Quantity;

use crate::error::MetricError;
use crate::features::{Features, at_least};
use crate::inception::Mode;
use crate::metric::Prepared;
use crate::progress::Progress;
use crate::session::Session;
use crate::set::{Pictures, SetMetric, SetScore, Side};

/// Gives the features of a set, from whichever network the metric asked for.
pub(crate) type FeaturesOf =
    Box<dyn Fn(&dyn Pictures, &dyn Progress) -> Result<Rc<Features>, MetricError>>;

/// What a metric found in two sets of features.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) value: f64,
    /// As in [`SetScore::std`].
    pub(crate) std: Option<f64>,
    /// As in [`SetScore::notes`].
    pub(crate) notes: Vec<String>,
}

impl From<f64> for Found {
    fn from(value: f64) -> Self {
        Self {
            value,
            ..Self::default()
        }
    }
}

/// A metric that is ready to compare features.
pub(crate) struct OfFeatures<S> {
    pub(crate) quantity: &'static Quantity,
    /// The number of pictures that each side needs.
    pub(crate) least: usize,
    pub(crate) features: FeaturesOf,
    /// Of generated and real features.
    pub(crate) score: S,
}

/// A metric of the last features of the Inception network, in pictures prepared by `mode`. `score` is given generated and real features.
///
/// # Errors
/// Weights that are missing or do not fit.
pub(crate) fn of_inception(
    quantity: &'static Quantity,
    least: usize,
    mode: Mode,
    session: &Session,
    score: impl Fn(&Features, &Features) -> Found + 'static,
) -> Result<Prepared, MetricError> {
    let extractor = session.extractor()?;
    Ok(Prepared::Sets(Box::new(OfFeatures {
        quantity,
        least,
        features: Box::new(move |pictures, progress| {
            extractor.features(pictures, mode, Tap::Last, progress)
        }),
        score,
    })))
}

impl<S> OfFeatures<S> {
    fn of(&self, side: Side<'_>, progress: &dyn Progress) -> Result<Rc<Features>, MetricError> {
        match side {
            Side::Pictures(pictures) => {
                at_least(self.quantity.name, self.least, pictures)?;
                (self.features)(pictures, progress)
            }
            Side::Statistics(path) => Err(MetricError::Statistics {
                path: path.to_owned(),
                reason: format!(
                    "expected pictures: {} cannot be computed from means and covariances",
                    self.quantity.title
                ),
            }),
        }
    }
}

impl<S: Fn(&Features, &Features) -> Found> SetMetric for OfFeatures<S> {
    fn measure(
        &self,
        generated: Side<'_>,
        real: Side<'_>,
        progress: &dyn Progress,
    ) -> Result<SetScore, MetricError> {
        let generated = self.of(generated, progress)?;
        let real = self.of(real, progress)?;
        let Found { value, std, notes } = (self.score)(&generated, &real);
        Ok(SetScore {
            value,
            std,
            n_generated: Some(generated.count()),
            n_real: Some(real.count()),
            notes,
        })
    }

    fn write_statistics(&self, _: Side<'_>, _: &Path, _: &dyn Progress) -> Result<(), MetricError> {
        Err(MetricError::Unusable {
            metric: self.quantity.name,
            reason: "compares pictures, of which statistics do not say enough".to_owned(),
        })
    }
}
