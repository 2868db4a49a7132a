//! A panic of a tensor operator becomes the reason why a pair or a set has no value.

use std::path::Path;
use std::slice::from_ref;

use i2am_imaging::Plane;
use i2am_nets::guard::guard;

use crate::error::MetricError;
use crate::metric::Prepared;
use crate::pair::{Pair, PairMetric, PairValue};
use crate::progress::Progress;
use crate::set::{SetMetric, SetScore, Side};

/// What `open` gives, guarded whenever it works.
///
/// # Errors
/// Those of `open`, and [`MetricError::Torch`].
pub(crate) fn guarded(
    metric: &'static str,
    open: impl FnOnce() -> Result<Prepared, MetricError>,
) -> Result<Prepared, MetricError> {
    Ok(match caught(metric, open)? {
        Prepared::Pairs(inner) => Prepared::Pairs(Box::new(Guarded { metric, inner })),
        Prepared::Sets(inner) => Prepared::Sets(Box::new(Guarded { metric, inner })),
    })
}

fn caught<T>(
    metric: &'static str,
    work: impl FnOnce() -> Result<T, MetricError>,
) -> Result<T, MetricError> {
    guard(work).unwrap_or_else(|failure| Err(MetricError::Torch { metric, failure }))
}

struct Guarded<T: ?Sized> {
    metric: &'static str,
    inner: Box<T>,
}

impl PairMetric for Guarded<dyn PairMetric> {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        match (caught(self.metric, || self.inner.measure(pairs)), pairs) {
            (Err(error), _) if error.is_device_lost() => Err(error),
            (Err(MetricError::Torch { failure, .. }), [_]) => {
                Ok(vec![PairValue::Failed(MetricError::reason_of(&failure))])
            }
            // One pair is to blame, or there were too many for the memory.
            (Err(MetricError::Torch { .. }), _) => {
                let alone = pairs.iter().map(|pair| self.measure(from_ref(pair)));
                Ok(alone.collect::<Result<Vec<_>, _>>()?.concat())
            }
            (measured, _) => measured,
        }
    }

    fn map(&self, pair: &Pair<'_>) -> Result<Option<Plane>, MetricError> {
        caught(self.metric, || self.inner.map(pair))
    }
}

impl SetMetric for Guarded<dyn SetMetric> {
    fn measure(
        &self,
        generated: Side<'_>,
        real: Side<'_>,
        progress: &dyn Progress,
    ) -> Result<SetScore, MetricError> {
        caught(self.metric, || {
            self.inner.measure(generated, real, progress)
        })
    }

    fn write_statistics(
        &self,
        side: Side<'_>,
        path: &Path,
        progress: &dyn Progress,
    ) -> Result<(), MetricError> {
        caught(self.metric, || {
            self.inner.write_statistics(side, path, progress)
        })
    }
}
