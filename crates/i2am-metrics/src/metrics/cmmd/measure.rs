//! The discrepancy of two sets of embeddings.

use tch::{Kind, Tensor};

use super::{CLIP_L_14_336, CMMD};
use crate::error::MetricError;
use crate::features::Features;
use crate::metric::Prepared;
use crate::of_features::OfFeatures;
use crate::session::Session;
use crate::tower::{Family, Fit};

/// Deviation of the kernel.
const SIGMA: f64 = 10.0;
/// What the discrepancy is multiplied with, for people to read it.
const SCALE: f64 = 1000.0;
/// Rows whose kernel values are in memory at a time.
const ROWS: i64 = 1024;

pub(super) fn open(session: &Session) -> Result<Prepared, MetricError> {
    let tower = session.tower(Family::Clip, &CLIP_L_14_336)?;
    Ok(Prepared::Sets(Box::new(OfFeatures {
        quantity: &CMMD,
        least: 2,
        features: Box::new(move |pictures, progress| tower.rows(pictures, Fit::Square, progress)),
        score: |generated: &Features, real: &Features| {
            discrepancy(&unit(generated), &unit(real)).into()
        },
    })))
}

/// Rows of length 1.
fn unit(features: &Features) -> Tensor {
    let rows = features.rows();
    let length = rows.norm_scalaropt_dim(2, [1_i64].as_slice(), true);
    rows / length
}

fn discrepancy(x: &Tensor, y: &Tensor) -> f64 {
    SCALE * (mean_kernel(x, x) + mean_kernel(y, y) - 2.0 * mean_kernel(x, y))
}

/// Mean of the kernel over all pairs of rows.
fn mean_kernel(x: &Tensor, y: &Tensor) -> f64 {
    let lengths = |rows: &Tensor| {
        rows.square()
            .sum_dim_intlist([1_i64].as_slice(), true, Kind::Double)
    };
    let of_y = lengths(y).tr();
    let of_part = |part: Tensor| {
        let distances = lengths(&part) + &of_y - part.matmul(&y.tr()) * 2.0;
        let kernel = (distances / (-2.0 * SIGMA * SIGMA)).exp();
        kernel.sum(Kind::Double).double_value(&[])
    };
    let sum: f64 = x.split(ROWS, 0).into_iter().map(of_part).sum();
    sum / (x.size()[0] * y.size()[0]) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two single points at the distance 2: `1 + 1 - 2 exp(-4 / 200)`.
    #[test]
    fn opposite_points_are_at_the_closed_form() {
        let point = |at: f64| Tensor::from_slice(&[at, 0.0]).reshape([1, 2]);
        let found = discrepancy(&point(1.0), &point(-1.0));
        let expected = 1000.0 * (2.0 - 2.0 * (-0.02_f64).exp());
        assert!((found - expected).abs() < 1e-9, "{found}, {expected}");
        assert_eq!(
            discrepancy(&point(1.0), &point(1.0)).to_bits(),
            0.0_f64.to_bits()
        );
    }
}
