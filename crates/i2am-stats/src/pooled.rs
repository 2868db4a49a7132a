use crate::distributions::{normal_quantile, normal_two_sided};
use crate::error::{StatsError, Undefined};
use crate::method::Method;
use crate::pearson::is_perfect;

/// A correlation found in one group of points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Study {
    /// The correlation.
    pub correlation: f64,
    /// Points that it was found on.
    pub n: usize,
}

/// Correlations of several groups brought together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pooled {
    /// The correlation.
    pub correlation: f64,
    /// Its interval at the level asked for.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// Two-sided, that it is 0.
    pub p: f64,
    /// Variance of the groups' own Fisher z around the common one.
    pub tau2: f64,
    /// Cochran's Q.
    pub q: f64,
    /// Part of the scatter between groups that their sizes do not explain, 0 to 1.
    pub i2: f64,
    /// Groups.
    pub studies: usize,
    /// Points in all groups.
    pub n: usize,
}

/// Random-effects mean of correlations by one method on the scale of Fisher's z, with `covariates` held constant in each.
///
/// Variances of z are 1/(n - 3) for Pearson, 1.06/(n - 3) for Spearman, 0.437/(n - 4) for Kendall, where n is less the covariates.
/// The variance between groups is DerSimonian and Laird's; the groups are taken to be independent.
///
/// # Errors
/// [`Undefined::TooFew`] for fewer than two studies or a study too small for a variance, [`Undefined::Perfect`];
/// [`StatsError::Setting`] for a level outside 0 to 1 or what is no correlation.
/// # Source
/// DerSimonian, Laird 1986; Fieller, Hartley, Pearson 1957; checked against statsmodels' `combine_effects` (fixture `stats`).
pub fn random_effects(
    method: Method,
    studies: &[Study],
    covariates: usize,
    level: f64,
) -> Result<Pooled, StatsError> {
    check_level(level)?;
    if studies.len() < 2 {
        return Err(Undefined::TooFew {
            needed: 2,
            found: studies.len(),
        }
        .into());
    }
    let (spread, lost) = match method {
        Method::Pearson => (1.0, 3),
        Method::Spearman => (1.06, 3),
        Method::Kendall => (0.437, 4),
    };
    let mut z = Vec::new();
    let mut variances = Vec::new();
    for study in studies {
        let (r, needed) = (study.correlation, lost + covariates + 1);
        if !(-1.0..=1.0).contains(&r) {
            return Err(StatsError::Setting {
                name: "correlation",
                expected: "-1 to 1",
                found: r,
            });
        }
        if study.n < needed {
            return Err(Undefined::TooFew {
                needed,
                found: study.n,
            }
            .into());
        }
        if is_perfect(r) {
            return Err(Undefined::Perfect.into());
        }
        z.push(r.atanh());
        variances.push(spread / (study.n - lost - covariates) as f64);
    }
    let fixed: Vec<f64> = variances.iter().map(|variance| 1.0 / variance).collect();
    let (center, sum) = weighted_mean(&z, &fixed);
    let q: f64 = z
        .iter()
        .zip(&fixed)
        .map(|(z, w)| w * (z - center).powi(2))
        .sum();
    let df = (studies.len() - 1) as f64;
    let squares: f64 = fixed.iter().map(|w| w * w).sum();
    let tau2 = ((q - df) / (sum - squares / sum)).max(0.0);
    let weights: Vec<f64> = variances
        .iter()
        .map(|variance| 1.0 / (variance + tau2))
        .collect();
    let (mean, sum) = weighted_mean(&z, &weights);
    let error = sum.sqrt().recip();
    let reach = normal_quantile(f64::midpoint(1.0, level)) * error;
    Ok(Pooled {
        correlation: mean.tanh(),
        low: (mean - reach).tanh(),
        high: (mean + reach).tanh(),
        p: normal_two_sided(mean / error),
        tau2,
        q,
        i2: if q > df { (q - df) / q } else { 0.0 },
        studies: studies.len(),
        n: studies.iter().map(|study| study.n).sum(),
    })
}

/// The mean, and the sum of the weights.
fn weighted_mean(values: &[f64], weights: &[f64]) -> (f64, f64) {
    let sum: f64 = weights.iter().sum();
    let weighted: f64 = values
        .iter()
        .zip(weights)
        .map(|(value, weight)| value * weight)
        .sum();
    (weighted / sum, sum)
}

/// # Errors
/// [`StatsError::Setting`] unless it is between 0 and 1.
pub(crate) fn check_level(level: f64) -> Result<(), StatsError> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    Err(StatsError::Setting {
        name: "level",
        expected: "a number between 0 and 1",
        found: level,
    })
}
