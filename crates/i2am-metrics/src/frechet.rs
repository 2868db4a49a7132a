//! The Fréchet distance of two normal distributions, without a matrix square root.

use tch::{Kind, Tensor};

use crate::low_rank::low_rank_factor;
use crate::statistics::{Covariance, Statistics};

/// `|mu1 - mu2|² + tr S1 + tr S2 - 2 tr sqrt(S1 S2)`, at least 0: what rounding makes of less is 0.
///
/// The last trace is the sum of the square roots of the eigenvalues of `S1 S2`. Those are the squares of the singular values of
/// `A Bᵀ` where `S1 = Aᵀ A` and `S2 = Bᵀ B`, and the eigenvalues of the symmetric `A S2 Aᵀ`. Nothing complex can come up, nothing
/// needs to be invertible, and with fewer images than channels the matrices are small.
///
/// # Panics
/// If the widths differ.
///
/// # Source
/// Dowson and Landau 1982; Heusel et al. 2017. Checked against pytorch-fid 0.3.0 (fixture `sets`).
pub fn frechet_distance(a: &Statistics, b: &Statistics) -> f64 {
    assert_eq!(a.width(), b.width(), "features of one tap are compared");
    if a.equals(b) {
        // Rounding would leave a little of what cancels.
        return 0.0;
    }
    let shift = (&a.mean - &b.mean)
        .square()
        .sum(Kind::Double)
        .double_value(&[]);
    let traces = trace(&a.covariance) + trace(&b.covariance);
    let distance = shift + traces - 2.0 * cross(&a.covariance, &b.covariance);
    if distance <= 0.0 { 0.0 } else { distance }
}

fn trace(covariance: &Covariance) -> f64 {
    match covariance {
        Covariance::Full(full) => full.trace().double_value(&[]),
        Covariance::Factor(factor) => factor.square().sum(Kind::Double).double_value(&[]),
    }
}

/// `tr sqrt(S1 S2)`.
fn cross(a: &Covariance, b: &Covariance) -> f64 {
    match (a, b) {
        (Covariance::Factor(a), Covariance::Factor(b)) => singular_values(&a.matmul(&b.tr()))
            .sum(Kind::Double)
            .double_value(&[]),
        (Covariance::Factor(factor), Covariance::Full(full))
        | (Covariance::Full(full), Covariance::Factor(factor)) => {
            sum_of_roots(&factor.matmul(full).matmul(&factor.tr()))
        }
        (Covariance::Full(a), Covariance::Full(b)) => {
            let factor = factor(a);
            sum_of_roots(&factor.matmul(b).matmul(&factor.tr()))
        }
    }
}

/// Sum of the square roots of the eigenvalues of a symmetric matrix without negative ones.
fn sum_of_roots(symmetric: &Tensor) -> f64 {
    let eigenvalues = symmetric.linalg_eigvalsh("L");
    // Rounding makes zeros a little negative.
    eigenvalues
        .clamp_min(0.0)
        .sqrt()
        .sum(Kind::Double)
        .double_value(&[])
}

/// `A` with `full = Aᵀ A`.
fn factor(full: &Tensor) -> Tensor {
    let (lower, fault) = Tensor::linalg_cholesky_ex(full, false, false);
    if fault.int64_value(&[]) == 0 {
        return lower.tr();
    }
    // Statistics of few pictures have no Cholesky factor, but a low one.
    if let Some(factor) = low_rank_factor(full) {
        return factor;
    }
    let (values, vectors) = full.linalg_eigh("L");
    let kept = values.clamp_min(0.0).sqrt().unsqueeze(1) * vectors.tr();
    let rank = values.gt(0.0).sum(Kind::Int64).int64_value(&[]);
    // Eigenvalues ascend.
    kept.narrow(0, kept.size()[0] - rank, rank)
}

fn singular_values(matrix: &Tensor) -> Tensor {
    // `linalg_svdvals` takes a driver, which the CPU refuses and the C interface cannot leave out.
    let (_, values, _) = matrix.svd(true, false);
    values
}
