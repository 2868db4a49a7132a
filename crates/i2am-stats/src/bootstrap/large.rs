//! Intervals of large tables, for which resampling would only repeat what the spread of the points says.

use rayon::prelude::*;

use super::bca::{By, Interval};
use super::{Work, check};
use crate::columns::{Columns, Target};
use crate::distributions::normal_quantile;
use crate::error::{StatsError, Undefined};
use crate::method::Method;
use crate::pearson::is_perfect;

/// The jackknife interval of the correlation of each target, with the columns `covariates` held constant: on the scale of Fisher's z the
/// estimate and as many standard errors to either side as a normal distribution needs for `level`. The standard error is the
/// jackknife's, so that no distribution of the points is assumed.
///
/// It differs from a BCa interval by parts of a width that shrink as 1 / sqrt(n).
///
/// # Errors
/// [`StatsError::Setting`]. For a target [`Undefined::TooFew`] below 5 points, [`Undefined::Jackknife`] when the correlation does not
/// exist without some point, and as [`partial`](crate::partial()).
/// # Panics
/// If a target or covariate names a column that there is not.
/// # Source
/// Efron, Stein 1981; Fisher 1921. Checked against BCa intervals, closed forms for normal columns, and by its coverage.
pub fn jackknife_intervals(
    method: Method,
    columns: &Columns<'_>,
    targets: &[Target],
    covariates: &[usize],
    level: f64,
) -> Result<Vec<Result<Interval, Undefined>>, StatsError> {
    if let Err(few) = check(columns, level)? {
        return Ok(vec![Err(few); targets.len()]);
    }
    let work = Work::new(method, columns, targets, covariates);
    let estimates = work.estimates();
    let left_out = work.left_out(columns);
    let interval = |target: usize| {
        let estimate = estimates[target];
        if estimate.is_nan() {
            return Err(work.why_undefined(columns, target));
        }
        of(estimate, &left_out[target], level)
    };
    Ok((0..targets.len()).into_par_iter().map(interval).collect())
}

fn of(estimate: f64, left_out: &[f64], level: f64) -> Result<Interval, Undefined> {
    if left_out.iter().any(|value| value.is_nan()) {
        return Err(Undefined::Jackknife);
    }
    let by = By::Jackknife;
    if is_perfect(estimate) {
        return Ok(Interval {
            low: estimate,
            high: estimate,
            by,
        });
    }
    let n = left_out.len() as f64;
    let mean = left_out.iter().sum::<f64>() / n;
    let squares: f64 = left_out.iter().map(|value| (value - mean).powi(2)).sum();
    let error = ((n - 1.0) / n * squares).sqrt();
    // The slope of Fisher's z.
    let reach =
        normal_quantile(f64::midpoint(1.0, level)) * error / ((1.0 - estimate) * (1.0 + estimate));
    let z = estimate.atanh();
    Ok(Interval {
        low: (z - reach).tanh(),
        high: (z + reach).tanh(),
        by,
    })
}
