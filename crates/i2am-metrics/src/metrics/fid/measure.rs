//! Features of both sides, and the distance of their statistics.

use i2am_nets::inception::Tap;

use super::{FID, Fid};
use crate::error::MetricError;
use crate::frechet_metric::FrechetMetric;
use crate::metric::Prepared;
use crate::session::Session;

pub(super) fn open(settings: Fid, session: &Session) -> Result<Prepared, MetricError> {
    let tap = Tap::ALL.into_iter().find(|tap| tap.width() == settings.tap);
    let tap = tap.expect("the settings name a tap of the network");
    let extractor = session.extractor()?;
    Ok(Prepared::Sets(Box::new(FrechetMetric {
        quantity: &FID,
        width: tap.width(),
        features: Box::new(move |pictures, progress| {
            extractor.features(pictures, settings.mode, tap, progress)
        }),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_the_taps_of_the_network() {
        assert_eq!(super::super::TAPS, Tap::ALL.map(Tap::width));
    }
}
