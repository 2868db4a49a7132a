//! The two distributions that tests refer to. Tails are computed as tails, so that a small p keeps its digits.

use std::f64::consts::SQRT_2;

use statrs::function::beta::beta_reg;
use statrs::function::erf::{erfc, erfc_inv};

/// P(Z <= z) of a standard normal Z.
pub(crate) fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z / SQRT_2)
}

/// The z that a standard normal lies below with probability `p`; infinite at 0 and 1.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * p)
}

/// P(|Z| >= |z|) of a standard normal Z.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    erfc(z.abs() / SQRT_2)
}

/// P(|T| >= |t|) of a T with `df` degrees of freedom.
pub(crate) fn t_two_sided(t: f64, df: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    beta_reg(df / 2.0, 0.5, df / (df + t * t))
}
