//! Two correlations with one column, found on the same points: which is the larger?

use crate::distributions::{normal_quantile, normal_two_sided};
use crate::error::{StatsError, Undefined};
use crate::pearson::is_perfect;

/// Fewest points that a Fisher z has a variance for.
const FEWEST: usize = 4;

/// What a test of two correlations says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Standard normal if both are equal; positive when the first is the larger.
    pub z: f64,
    /// Two-sided.
    pub p: f64,
    /// For [`meng`], 95 % interval of the difference of the Fisher z.
    pub difference: Option<[f64; 2]>,
}

/// Steiger's test that `first`, the correlation of A with Y, equals `second`, that of B with Y, where `between` is that of A with B
/// and all are found on the same `n` points. Fisher z, with the covariance taken at the mean of both.
///
/// Made for Pearson's correlation; with Spearman's it is approximate.
///
/// # Errors
/// [`StatsError::Setting`] for what is no correlation; [`Undefined::TooFew`] below 4 points, [`Undefined::Perfect`],
/// [`Undefined::Inconsistent`].
/// # Source
/// Steiger 1980, equations 3, 10, 14; checked against printed results of R's cocor (fixture `stats`).
pub fn steiger(first: f64, second: f64, between: f64, n: usize) -> Result<Comparison, StatsError> {
    check(first, second, between, n)?;
    let mean = f64::midpoint(first, second).powi(2);
    let product =
        between * (1.0 - 2.0 * mean) - 0.5 * mean * (1.0 - 2.0 * mean - between * between);
    let covariance = product / (1.0 - mean).powi(2);
    let variance = (2.0 - 2.0 * covariance) / (n - 3) as f64;
    comparison(first.atanh() - second.atanh(), variance, false)
}

/// The test of Meng, Rosenthal and Rubin of the same question, with an interval.
///
/// # Errors
/// As [`steiger`].
/// # Source
/// Meng, Rosenthal, Rubin 1992, equations 1 to 3; checked against their example and printed results of R's cocor (fixture `stats`).
pub fn meng(first: f64, second: f64, between: f64, n: usize) -> Result<Comparison, StatsError> {
    check(first, second, between, n)?;
    let mean = f64::midpoint(first * first, second * second);
    let f = ((1.0 - between) / (2.0 * (1.0 - mean))).min(1.0);
    let h = (1.0 - f * mean) / (1.0 - mean);
    let variance = 2.0 * (1.0 - between) * h / (n - 3) as f64;
    comparison(first.atanh() - second.atanh(), variance, true)
}

fn check(first: f64, second: f64, between: f64, n: usize) -> Result<(), StatsError> {
    for correlation in [first, second, between] {
        if !(-1.0..=1.0).contains(&correlation) {
            return Err(StatsError::Setting {
                name: "correlation",
                expected: "-1 to 1",
                found: correlation,
            });
        }
    }
    if n < FEWEST {
        return Err(Undefined::TooFew {
            needed: FEWEST,
            found: n,
        }
        .into());
    }
    if [first, second].iter().any(|&r| is_perfect(r)) {
        return Err(Undefined::Perfect.into());
    }
    Ok(())
}

fn comparison(difference: f64, variance: f64, interval: bool) -> Result<Comparison, StatsError> {
    // Not above 0 where the three correlations cannot be, or where A and B are one and the same.
    if variance.is_nan() || variance <= 0.0 {
        return Err(Undefined::Inconsistent.into());
    }
    let error = variance.sqrt();
    let z = difference / error;
    let reach = normal_quantile(0.975) * error;
    Ok(Comparison {
        z,
        p: normal_two_sided(z),
        difference: interval.then_some([difference - reach, difference + reach]),
    })
}
