//! Fréchet distances of the features of two sets, whatever network they come from.

use std::path::Path;

use i2am_quantity::Quantity;

use crate::error::MetricError;
use crate::features::at_least;
use crate::frechet::frechet_distance;
use crate::of_features::FeaturesOf;
use crate::progress::Progress;
use crate::set::{SetMetric, SetScore, Side};
use crate::statistics::Statistics;

/// Fewer pictures than this and the covariance of the widest features is not of full rank.
const ENOUGH: usize = 2048;

/// A metric that is ready to compare statistics, or the pictures that they are of.
pub(crate) struct FrechetMetric {
    pub(crate) quantity: &'static Quantity,
    /// Channels of the features.
    pub(crate) width: usize,
    pub(crate) features: FeaturesOf,
}

impl FrechetMetric {
    fn statistics(
        &self,
        side: Side<'_>,
        progress: &dyn Progress,
    ) -> Result<Statistics, MetricError> {
        match side {
            Side::Pictures(pictures) => {
                at_least(self.quantity.name, 2, pictures)?;
                let features = (self.features)(pictures, progress)?;
                Ok(Statistics::of(&features))
            }
            Side::Statistics(path) => Statistics::read(path, Some(self.width)),
        }
    }
}

impl SetMetric for FrechetMetric {
    fn measure(
        &self,
        generated: Side<'_>,
        real: Side<'_>,
        progress: &dyn Progress,
    ) -> Result<SetScore, MetricError> {
        let [generated, real] = [generated, real].map(|side| self.statistics(side, progress));
        let (generated, real) = (generated?, real?);
        let title = self.quantity.title;
        let counts = [("generated", generated.count), ("real", real.count)];
        let few: Vec<String> = counts
            .iter()
            .filter_map(|(side, count)| Some(format!("{} {side}", count.filter(|&n| n < ENOUGH)?)))
            .collect();
        let mut notes = Vec::new();
        if !few.is_empty() {
            notes.push(format!(
                "only {} pictures: below {ENOUGH} {title} is biased upwards, the more the fewer; compare only scores of equal numbers",
                few.join(" and ")
            ));
        }
        if generated.is_half || real.is_half {
            notes.push(format!(
                "statistics in 16-bit floats: rounding may move {title} by more than models differ; save them as numpy.float64"
            ));
        }
        Ok(SetScore {
            value: frechet_distance(&generated, &real),
            std: None,
            n_generated: generated.count,
            n_real: real.count,
            notes,
        })
    }

    fn write_statistics(
        &self,
        side: Side<'_>,
        path: &Path,
        progress: &dyn Progress,
    ) -> Result<(), MetricError> {
        self.statistics(side, progress)?.write(path)
    }
}
