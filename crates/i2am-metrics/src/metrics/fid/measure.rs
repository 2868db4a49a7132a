//! Statistics of both sides, and their distance.

use std::path::Path;
use std::rc::Rc;

use i2am_nets::inception::Tap;

use super::{FID, Fid};
use crate::error::MetricError;
use crate::features::{Extractor, at_least};
use crate::frechet::frechet_distance;
use crate::metric::Prepared;
use crate::progress::Progress;
use crate::session::Session;
use crate::set::{SetMetric, SetScore, Side};
use crate::statistics::Statistics;

/// Fewer pictures than this and the covariance of 2048 channels is not of full rank.
const ENOUGH: usize = 2048;

pub(super) fn open(settings: Fid, session: &Session) -> Result<Prepared, MetricError> {
    let tap = Tap::ALL.into_iter().find(|tap| tap.width() == settings.tap);
    Ok(Prepared::Sets(Box::new(Ready {
        settings,
        tap: tap.expect("the settings name a tap of the network"),
        extractor: session.extractor()?,
    })))
}

struct Ready {
    settings: Fid,
    tap: Tap,
    extractor: Rc<Extractor>,
}

impl Ready {
    fn statistics(
        &self,
        side: Side<'_>,
        progress: &dyn Progress,
    ) -> Result<Statistics, MetricError> {
        match side {
            Side::Pictures(pictures) => {
                at_least(FID.name, 2, pictures)?;
                let (mode, extractor) = (self.settings.mode, &self.extractor);
                let features = extractor.features(pictures, mode, self.tap, progress)?;
                Ok(Statistics::of(&features))
            }
            Side::Statistics(path) => {
                let statistics = Statistics::read(path)?;
                let (expected, found) = (self.tap.width(), statistics.width());
                if expected == found {
                    Ok(statistics)
                } else {
                    Err(MetricError::Statistics {
                        path: path.to_owned(),
                        reason: format!(
                            "expected statistics of {expected} channels, found {found}"
                        ),
                    })
                }
            }
        }
    }
}

impl SetMetric for Ready {
    fn measure(
        &self,
        generated: Side<'_>,
        real: Side<'_>,
        progress: &dyn Progress,
    ) -> Result<SetScore, MetricError> {
        let [generated, real] = [generated, real].map(|side| self.statistics(side, progress));
        let (generated, real) = (generated?, real?);
        let counts = [("generated", generated.count), ("real", real.count)];
        let few: Vec<String> = counts
            .iter()
            .filter_map(|(side, count)| Some(format!("{} {side}", count.filter(|&n| n < ENOUGH)?)))
            .collect();
        let notes = if few.is_empty() {
            Vec::new()
        } else {
            vec![format!(
                "only {} pictures: below {ENOUGH} FID is biased upwards, the more the fewer; compare only scores of equal numbers",
                few.join(" and ")
            )]
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_the_taps_of_the_network() {
        assert_eq!(super::super::TAPS, Tap::ALL.map(Tap::width));
    }
}
