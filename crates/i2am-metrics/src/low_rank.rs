//! Factors of covariances of few samples, which have far fewer rows than columns.

use tch::Tensor;

/// `A` `[rank, n]` with `full = Aᵀ A` up to rounding, if the rank of the symmetric `full` `[n, n]` f64 without negative eigenvalues is at
/// most a quarter of `n`: beyond it, eigenvalues cost less.
///
/// Cholesky's algorithm that takes the largest remaining diagonal element next, and ends when that is rounding error.
///
/// # Source
/// Higham: Analysis of the Cholesky decomposition of a semi-definite matrix, 1990.
pub(crate) fn low_rank_factor(full: &Tensor) -> Option<Tensor> {
    let n = full.size()[0];
    let most = n / 4;
    let rows = full.new_zeros([most, n], (full.kind(), full.device()));
    let mut diagonal = full.diagonal(0, 0, 1).copy();
    let rounding = n as f64 * f64::EPSILON * diagonal.max().double_value(&[]);
    for rank in 0..=most {
        let (remaining, pivot) = diagonal.max_dim(0, false);
        let (remaining, pivot) = (remaining.double_value(&[]), pivot.int64_value(&[]));
        let found = rows.narrow(0, 0, rank);
        if remaining <= rounding {
            return Some(found);
        }
        if rank < most {
            let known = found.tr().mv(&found.select(1, pivot));
            let next = (full.select(0, pivot) - known) / remaining.sqrt();
            diagonal -= next.square();
            // What rounding leaves must not be chosen again.
            let _ = diagonal.select(0, pivot).fill_(0.0);
            rows.select(0, rank).copy_(&next);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::low_rank_factor;

    fn rows(count: i64, width: i64) -> Tensor {
        let places = Tensor::arange(count * width, (Kind::Double, Device::Cpu));
        (places.square() * 0.731).sin().reshape([count, width])
    }

    #[test]
    fn gives_the_matrix_back() {
        let factor = rows(7, 40);
        let full = factor.tr().matmul(&factor);
        let found = low_rank_factor(&full).expect("7 is below a quarter of 40");
        assert_eq!(found.size(), [7, 40]);
        let off = (found.tr().matmul(&found) - &full).abs().max() / full.abs().max();
        let off = off.double_value(&[]);
        assert!(off < 1e-14, "off by {off:e} of the largest value");
    }

    #[test]
    fn a_high_rank_is_left_to_others() {
        let factor = rows(20, 40);
        assert!(low_rank_factor(&factor.tr().matmul(&factor)).is_none());
    }

    #[test]
    fn nothing_has_no_rows() {
        let zeros = Tensor::zeros([8, 8], (Kind::Double, Device::Cpu));
        let found = low_rank_factor(&zeros).expect("its rank is 0");
        assert_eq!(found.size(), [0, 8]);
    }
}
