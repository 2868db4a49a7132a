//! p of a correlation by a distribution: for more points than permutations are drawn for.

use crate::distributions::{normal_two_sided, t_two_sided};
use crate::error::{StatsError, Undefined};
use crate::method::Method;
use crate::permutation::{PBy, PValue};
use crate::ranks::{Order, tied_pairs};

/// Two-sided p of the correlation of `x` with `y`: by Student's t with n - 2 degrees of freedom for Pearson and Spearman, by the normal
/// distribution for Kendall, whose variance accounts for ties.
///
/// Under chance the permutations of y give Pearson's and Spearman's coefficient the variance 1 / (n - 1), whatever the values; only for
/// few points, or where single points outweigh all others, is their distribution another one.
///
/// # Errors
/// As [`pearson`](crate::pearson()); [`Undefined::TooFew`] below 3 points.
/// # Source
/// Kendall 1970; checked against scipy's `pearsonr`, `spearmanr` and `kendalltau` (fixture `stats`).
pub fn asymptotic_test(method: Method, x: &[f64], y: &[f64]) -> Result<PValue, StatsError> {
    let value = method.coefficient(x, y)?;
    let n = x.len() as f64;
    if x.len() < 3 {
        return Err(Undefined::TooFew {
            needed: 3,
            found: x.len(),
        }
        .into());
    }
    Ok(match method {
        Method::Pearson | Method::Spearman => {
            let df = n - 2.0;
            // Written so that a correlation close to 1 keeps its digits.
            let t = value * (df / ((1.0 - value) * (1.0 + value))).sqrt();
            PValue {
                value: t_two_sided(t, df),
                by: PBy::T,
            }
        }
        Method::Kendall => {
            let [x, y] = [x, y].map(|values| Order::of(values).sizes());
            PValue {
                value: normal_two_sided(standardized(value, &x, &y)),
                by: PBy::Normal,
            }
        }
    })
}

/// Tau-b over its standard deviation under chance, of columns whose values occur `x` and `y` times.
fn standardized(tau: f64, x: &[u32], y: &[u32]) -> f64 {
    let n: f64 = x.iter().map(|&size| f64::from(size)).sum();
    let sum = |sizes: &[u32], of: fn(f64) -> f64| -> f64 {
        sizes.iter().map(|&size| of(f64::from(size))).sum()
    };
    let pairs = |sizes| sum(sizes, |t| t * (t - 1.0));
    let triples = |sizes| sum(sizes, |t| t * (t - 1.0) * (t - 2.0));
    let spread = |sizes| sum(sizes, |t| t * (t - 1.0) * (2.0 * t + 5.0));
    let untied = n * (n - 1.0) * (2.0 * n + 5.0);
    let variance = (untied - spread(x) - spread(y)) / 18.0
        + pairs(x) * pairs(y) / (2.0 * n * (n - 1.0))
        + triples(x) * triples(y) / (9.0 * n * (n - 1.0) * (n - 2.0));
    let left = |sizes: &[u32]| n * (n - 1.0) / 2.0 - tied_pairs(sizes) as f64;
    tau * (left(x) * left(y)).sqrt() / variance.sqrt()
}
