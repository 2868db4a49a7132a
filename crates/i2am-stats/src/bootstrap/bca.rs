use crate::distributions::{normal_cdf, normal_quantile};
use crate::error::Undefined;
use crate::quantile::quantile;

/// An interval, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Low end.
    pub low: f64,
    /// High end.
    pub high: f64,
    /// How it was found.
    pub by: By,
}

/// How an interval was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By [`bca`].
    Resamples {
        /// Resamples that had a value.
        defined: usize,
    },
    /// By [`jackknife_intervals`](crate::jackknife_intervals).
    Jackknife,
}

/// The bias-corrected and accelerated bootstrap interval of `estimate`, from its values on resamples (`resampled`) and with one
/// point left out each (`left_out`). NaN among the resampled values, where a resample has none, is left out.
///
/// # Errors
/// [`Undefined::Resamples`] when less than half of the resamples have a value, [`Undefined::Jackknife`] when the estimate does not
/// exist without some point, [`Undefined::OneSided`] when all resamples are below or all are above the estimate.
/// # Source
/// Efron 1987; checked against scipy.stats.bootstrap (fixture `stats`).
pub fn bca(
    estimate: f64,
    resampled: &[f64],
    left_out: &[f64],
    level: f64,
) -> Result<Interval, Undefined> {
    let mut sorted: Vec<f64> = resampled
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    let (defined, resamples) = (sorted.len(), resampled.len());
    if defined * 2 < resamples || defined == 0 {
        return Err(Undefined::Resamples { defined, resamples });
    }
    if left_out.iter().any(|value| value.is_nan()) {
        return Err(Undefined::Jackknife);
    }
    sorted.sort_unstable_by(f64::total_cmp);
    let below = sorted.partition_point(|&value| value < estimate);
    let not_above = sorted.partition_point(|&value| value <= estimate);
    if not_above == 0 || below == defined {
        return Err(Undefined::OneSided);
    }
    // Resamples that equal the estimate count as half below it.
    let bias = normal_quantile((below + not_above) as f64 / (2 * defined) as f64);
    let acceleration = acceleration(left_out);
    let end = |p: f64| {
        let z = bias + normal_quantile(p);
        let p = normal_cdf(bias + z / (1.0 - acceleration * z));
        quantile(&sorted, p)
    };
    Ok(Interval {
        low: end((1.0 - level) / 2.0),
        high: end(f64::midpoint(1.0, level)),
        by: By::Resamples { defined },
    })
}

/// A sixth of the skewness of the jackknife's influence values; 0 where leaving out any point changes nothing.
fn acceleration(left_out: &[f64]) -> f64 {
    let mean = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let sum = |power: i32| {
        left_out
            .iter()
            .map(|value| (mean - value).powi(power))
            .sum::<f64>()
    };
    let squares = sum(2);
    if squares > 0.0 {
        sum(3) / (6.0 * squares.powf(1.5))
    } else {
        0.0
    }
}
