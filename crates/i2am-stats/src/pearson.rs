use crate::columns::{Columns, is_constant};
use crate::error::{StatsError, Undefined};

/// Fewest points that a correlation is defined for.
pub(crate) const FEWEST: usize = 2;

/// Pearson's correlation of the values, -1 to 1.
///
/// # Errors
/// [`StatsError::NotFinite`], [`StatsError::Length`]; [`Undefined::TooFew`] below 2 points, [`Undefined::Constant`].
/// # Source
/// Checked against scipy.stats.pearsonr (fixture `stats`).
pub fn pearson(x: &[f64], y: &[f64]) -> Result<f64, StatsError> {
    Columns::new(vec![x, y])?;
    Ok(dot(&normalized(x)?, &normalized(y)?).clamp(-1.0, 1.0))
}

/// Whether a correlation is 1 or -1 but for rounding, where Fisher's z is infinite.
pub(crate) fn is_perfect(correlation: f64) -> bool {
    correlation.abs() > 1.0 - 8.0 * f64::EPSILON
}

/// `values` less their mean, over their norm.
pub(crate) fn normalized(values: &[f64]) -> Result<Vec<f64>, Undefined> {
    if values.len() < FEWEST {
        return Err(Undefined::TooFew {
            needed: FEWEST,
            found: values.len(),
        });
    }
    if is_constant(values) {
        return Err(Undefined::Constant);
    }
    let centered = centered(values);
    let norm = dot(&centered, &centered).sqrt();
    if norm == 0.0 {
        // Differences below the smallest number.
        return Err(Undefined::Constant);
    }
    Ok(centered.into_iter().map(|value| value / norm).collect())
}

/// `values` less their mean, with 1 as the largest magnitude, so that no square over- or underflows.
pub(crate) fn centered(values: &[f64]) -> Vec<f64> {
    let largest = |values: &[f64]| {
        values
            .iter()
            .fold(0.0, |largest: f64, value| largest.max(value.abs()))
    };
    // A power of two, which rounds nothing.
    let shrink = if largest(values) > f64::MAX / 4.0 {
        0.25
    } else {
        1.0
    };
    // Less the first value: of numbers far from 0 that keeps all digits of their differences.
    let first = values.first().copied().unwrap_or_default() * shrink;
    let mut centered: Vec<f64> = values.iter().map(|value| value * shrink - first).collect();
    let mean = centered.iter().sum::<f64>() / centered.len() as f64;
    for value in &mut centered {
        *value -= mean;
    }
    let largest = largest(&centered);
    if largest > 0.0 {
        for value in &mut centered {
            *value /= largest;
        }
    }
    centered
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
