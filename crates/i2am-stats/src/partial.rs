//! Correlation with covariates held constant.

use crate::distributions::{normal_two_sided, t_two_sided};
use crate::error::Undefined;
use crate::method::Method;
use crate::permutation::{PBy, PValue};

/// Below this part of its variance, what a column keeps in addition to the covariates is rounding.
const LEFT: f64 = 1e-12;

/// The correlation of the first two columns with all others held constant, from the matrix of correlations.
///
/// With Pearson's it is the correlation of the residuals of two linear regressions, with Spearman's of those of the ranks; with
/// Kendall's it is the same formula, without a regression behind it.
///
/// # Shapes
/// `correlations`: `k * k`, row-major, symmetric, with 1 on the diagonal; `k` at least 2.
/// # Errors
/// [`Undefined::Covariate`], [`Undefined::Determined`].
/// # Panics
/// If `correlations` is no square of at least 2.
/// # Source
/// Kim 2015; checked against residuals of least squares and against printed results of R's ppcor (fixture `stats`).
pub fn partial(mut correlations: Vec<f64>) -> Result<f64, Undefined> {
    let k = correlations.len().isqrt();
    assert!(
        k >= 2 && k * k == correlations.len(),
        "not a square matrix of at least 2 x 2"
    );
    // Eliminates one covariate after the other.
    for pivot in (2..k).rev() {
        let divisor = correlations[pivot * k + pivot];
        if divisor < LEFT {
            return Err(Undefined::Covariate);
        }
        for row in 0..pivot {
            for column in 0..pivot {
                correlations[row * k + column] -=
                    correlations[row * k + pivot] * correlations[pivot * k + column] / divisor;
            }
        }
    }
    let [x, y] = [correlations[0], correlations[k + 1]];
    if x.min(y) < LEFT {
        return Err(Undefined::Determined);
    }
    Ok((correlations[1] / (x.sqrt() * y.sqrt())).clamp(-1.0, 1.0))
}

/// Two-sided p of a partial correlation over `n` points with `covariates` held constant: by Student's t for Pearson and Spearman, by
/// the normal distribution for Kendall.
///
/// # Errors
/// [`Undefined::TooFew`] where no degree of freedom is left.
/// # Source
/// Kim 2015.
pub fn partial_test(
    method: Method,
    correlation: f64,
    n: usize,
    covariates: usize,
) -> Result<PValue, Undefined> {
    let needed = covariates + 3;
    if n < needed {
        return Err(Undefined::TooFew { needed, found: n });
    }
    let points = (n - covariates) as f64;
    Ok(match method {
        Method::Pearson | Method::Spearman => {
            let df = points - 2.0;
            let t = correlation * (df / (1.0 - correlation * correlation)).sqrt();
            PValue {
                value: t_two_sided(t, df),
                by: PBy::T,
            }
        }
        Method::Kendall => {
            let variance = 2.0 * (2.0 * points + 5.0) / (9.0 * points * (points - 1.0));
            PValue {
                value: normal_two_sided(correlation / variance.sqrt()),
                by: PBy::Normal,
            }
        }
    })
}
