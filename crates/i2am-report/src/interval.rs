//! The interval of a mean.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Confidence of every interval in tables and plots.
pub(crate) const LEVEL: f64 = 0.95;

/// Low and high end of the 95 % interval of a mean of `n` values with standard deviation `sd` (divisor `n - 1`): Student's t, which
/// assumes that means of `n` values are about normal. `None` for fewer than two values.
pub(crate) fn of_mean(mean: f64, sd: Option<f64>, n: usize) -> Option<[f64; 2]> {
    let (sd, quantile) = (sd?, student_quantile(n.checked_sub(1)?)?);
    let half = quantile * sd / (n as f64).sqrt();
    Some([mean - half, mean + half])
}

/// The quantile of Student's t that leaves half of `1 - LEVEL` above it; `None` without a degree of freedom.
pub(crate) fn student_quantile(freedom: usize) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(student.inverse_cdf(f64::midpoint(1.0, LEVEL)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_widths_are_those_of_the_tables_of_t() {
        // Two-sided 5 % points of Student's t with 1, 9 and 30 degrees of freedom, as printed in any table.
        for (freedom, expected) in [(1, 12.706), (9, 2.262), (30, 2.042)] {
            let found = student_quantile(freedom).unwrap();
            assert!((found - expected).abs() < 5e-4, "{freedom}: {found}");
        }
        let [low, high] = of_mean(1.0, Some(2.0), 10).unwrap();
        assert!((high - 1.0 - 2.262 * 2.0 / 10_f64.sqrt()).abs() < 1e-3);
        assert!((low + high - 2.0).abs() < 1e-12);
    }

    #[test]
    fn one_value_has_no_interval() {
        assert_eq!(of_mean(1.0, None, 1), None);
        assert_eq!(of_mean(1.0, Some(0.0), 0), None);
        assert_eq!(student_quantile(0), None);
    }
}
