//! Products in half precision, where the processor has no instructions for them.
//!
//! libtorch multiplies matrices of f16 or bf16 on such a processor number by number, about a hundred times as slowly as in f32. Here
//! operands become f32, the product is computed in f32, and is rounded once: weights and what networks hand on stay as small as they
//! are, and the result is nearer to the exact one. On other devices, and in f32, nothing is converted.

use std::sync::LazyLock;

use tch::{Device, Kind, Tensor};

/// Whether libtorch's kernels for this processor multiply f16, and bf16.
static FAST: LazyLock<[bool; 2]> = LazyLock::new(fast);

#[cfg(target_arch = "x86_64")]
fn fast() -> [bool; 2] {
    // As oneDNN asks: for bf16 it has kernels from the common part of AVX-512 on.
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq");
    [wide && is_x86_feature_detected!("avx512fp16"), wide]
}

#[cfg(target_arch = "aarch64")]
fn fast() -> [bool; 2] {
    [
        std::arch::is_aarch64_feature_detected!("fp16"),
        std::arch::is_aarch64_feature_detected!("bf16"),
    ]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn fast() -> [bool; 2] {
    [false; 2]
}

/// What `product` makes of `operands`, all of one format, in the format in which this processor computes it; the result has theirs.
pub(crate) fn product<const N: usize>(
    operands: [&Tensor; N],
    product: impl FnOnce([Tensor; N]) -> Tensor,
) -> Tensor {
    let kind = operands[0].kind();
    let wide = computed(operands[0]);
    product(operands.map(|x| x.to_kind(wide))).to_kind(kind)
}

/// The format in which products with `x` are computed.
pub(crate) fn computed(x: &Tensor) -> Kind {
    let [half, bfloat] = *FAST;
    match (x.device(), x.kind()) {
        (Device::Cpu, Kind::Half) if !half => Kind::Float,
        (Device::Cpu, Kind::BFloat16) if !bfloat => Kind::Float,
        (_, kind) => kind,
    }
}

/// `x Wᵀ + b`.
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    match bias {
        None => product([x, weight], |[x, weight]| {
            x.linear(&weight, None::<&Tensor>)
        }),
        Some(bias) => product([x, weight, bias], |[x, weight, bias]| {
            x.linear(&weight, Some(bias))
        }),
    }
}

/// A convolution of `x` `[batch, inputs, H, W]` with the same `stride` and zeros around it along both axes.
pub(crate) fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    [stride, padding]: [i64; 2],
) -> Tensor {
    let (s, p) = ([stride; 2], [padding; 2]);
    match bias {
        None => product([x, weight], |[x, weight]| {
            x.conv2d(&weight, None::<&Tensor>, s, p, [1, 1], 1)
        }),
        Some(bias) => product([x, weight, bias], |[x, weight, bias]| {
            x.conv2d(&weight, Some(bias), s, p, [1, 1], 1)
        }),
    }
}

/// `a b`.
pub(crate) fn matmul(a: &Tensor, b: &Tensor) -> Tensor {
    product([a, b], |[a, b]| a.matmul(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(size: &[i64], kind: Kind) -> Tensor {
        let count: i64 = size.iter().product();
        let wave = (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.7).sin();
        wave.reshape(size).to_kind(kind)
    }

    /// The exact product, rounded once, up to `roundings` half steps of the last place of its largest value.
    fn close(found: &Tensor, exact: &Tensor, kind: Kind, roundings: f64) {
        assert_eq!(found.kind(), kind);
        let step = if kind == Kind::Half {
            2f64.powi(-11)
        } else {
            2f64.powi(-8)
        };
        let largest = exact.abs().max().double_value(&[]);
        let difference = (found.to_kind(Kind::Double) - exact).abs().max();
        let difference = difference.double_value(&[]);
        assert!(
            difference <= roundings * step * largest,
            "{difference:e} of {largest}"
        );
    }

    #[test]
    fn products_are_rounded_once() {
        for kind in [Kind::Half, Kind::BFloat16] {
            let (x, weight, bias) = (
                wave(&[2, 5, 96], kind),
                wave(&[7, 96], kind) * 0.1,
                wave(&[7], kind),
            );
            let [wide, wide_weight, wide_bias] =
                [&x, &weight, &bias].map(|x| x.to_kind(Kind::Double));
            let roundings = if computed(&x) == Kind::Float {
                1.0
            } else {
                4.0
            };
            let exact = wide.linear(&wide_weight, Some(&wide_bias));
            close(&linear(&x, &weight, Some(&bias)), &exact, kind, roundings);
            let exact = wide.linear(&wide_weight, None::<&Tensor>);
            close(&linear(&x, &weight, None), &exact, kind, roundings);
            close(&matmul(&x, &weight.tr()), &exact, kind, roundings);

            let (map, kernel) = (wave(&[1, 3, 6, 5], kind), wave(&[7, 3, 3, 3], kind));
            let exact = map.to_kind(Kind::Double).conv2d(
                &kernel.to_kind(Kind::Double),
                Some(&wide_bias),
                [2, 2],
                [1, 1],
                [1, 1],
                1,
            );
            close(
                &conv2d(&map, &kernel, Some(&bias), [2, 1]),
                &exact,
                kind,
                roundings,
            );
        }
    }

    #[test]
    fn whole_precision_is_left_alone() {
        let (x, weight) = (wave(&[3, 8], Kind::Float), wave(&[4, 8], Kind::Float));
        assert_eq!(computed(&x), Kind::Float);
        assert!(linear(&x, &weight, None) == x.linear(&weight, None::<&Tensor>));
    }
}
