//! Convolution by the minimal filtering algorithm: fewer multiplications, all of them in matrix products.
//!
//! Tiles of the picture and kernels become polynomials evaluated at as many points per axis as a tile has values, where a convolution
//! is a product; 4 x 4 outputs come back. A 3 x 3 kernel takes 36 products for them instead of 144, a 5 x 5 kernel 64 instead of 400.
//! Results differ from the direct sum by rounding only: 6e-7 and 2e-6 of the usual size, where the direct sum is off by 2e-7.
//!
//! It exists because most of the time of LPIPS on a CPU goes into convolutions: with it LPIPS is 1.6 to 1.9 times as fast as the
//! reference package (`docs/measurements.md`).
//!
//! # Source
//! Winograd 1980; Lavin, Gray: Fast Algorithms for Convolutional Neural Networks, 2016.

use std::iter;

use tch::{Kind, Tensor};

/// Outputs of a tile per axis.
const STEP: i64 = 4;

/// Where polynomials are evaluated, besides infinity, for 3 taps. The usual 0, 1, -1, 2, -2 lose twice as much.
const POINTS_3: &[f64] = &[0.0, 0.75, -0.75, 1.5, -1.5];
/// For 5 taps: of the symmetric sets in eighths, the one that loses least.
const POINTS_5: &[f64] = &[0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0];

/// A kernel with stride 1 and an output as large as its input.
#[derive(Debug)]
pub(super) struct Winograd {
    /// Values of a tile per axis: outputs and taps, less one.
    tile: i64,
    /// `[tile^2, inputs, outputs]`: the kernel at pairs of points.
    kernel: Tensor,
    /// `[tile^2, tile^2]`: a tile to its values at pairs of points.
    input: Tensor,
    /// `[16, tile^2]`: products to outputs.
    output: Tensor,
}

impl Winograd {
    /// Whether it is made for kernels of so many taps per axis.
    pub(super) fn takes(taps: i64) -> bool {
        points(taps).is_some()
    }

    /// From `weight` `[outputs, inputs, taps, taps]`.
    ///
    /// # Panics
    /// For taps that it does not [take](Self::takes).
    pub(super) fn new(weight: &Tensor) -> Self {
        let &[outputs, inputs, taps, _] = weight.size().as_slice() else {
            unreachable!("the kernel of a convolution has four axes");
        };
        let points = points(taps).expect("3 or 5 taps");
        let weight_at_taps = weight
            .to_kind(Kind::Double)
            .permute([2, 3, 1, 0])
            .reshape([taps * taps, -1]);
        let on_both_axes = |rows: &[Vec<f64>]| {
            let matrix = Tensor::from_slice2(rows).to_device(weight.device());
            matrix.kron(&matrix)
        };
        let as_f32 = |tensor: Tensor| tensor.to_kind(Kind::Float).contiguous();
        Self {
            tile: STEP + taps - 1,
            kernel: as_f32(
                on_both_axes(&kernel_rows(points, taps))
                    .matmul(&weight_at_taps)
                    .reshape([-1, inputs, outputs]),
            ),
            input: as_f32(on_both_axes(&input_rows(points))),
            output: as_f32(on_both_axes(&output_rows(points))),
        }
    }

    /// `[batch, inputs, H, W]` to `[batch, outputs, H, W]`, channels innermost in memory.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let &[batch, inputs, height, width] = x.size().as_slice() else {
            unreachable!("pictures have four axes");
        };
        let tiles = |extent: i64| (extent + STEP - 1) / STEP;
        let (down, across) = (tiles(height), tiles(width));
        // Zeros around the picture: half a kernel, and after it as many as the last tile lacks.
        let around = (self.tile - STEP) / 2;
        let beyond = |extent: i64| tiles(extent) * STEP - extent + around;
        let x = x.permute([0, 2, 3, 1]);
        let padded = x.constant_pad_nd([0, 0, around, beyond(width), around, beyond(height)]);
        // [batch, down, across, inputs, tile, tile], a view.
        let tiles = padded.unfold(1, self.tile, STEP).unfold(2, self.tile, STEP);
        let points = self.tile * self.tile;
        let tiles = tiles.permute([4, 5, 0, 1, 2, 3]).reshape([points, -1]);
        let values = self.input.matmul(&tiles).reshape([points, -1, inputs]);
        let products = values.bmm(&self.kernel).reshape([points, -1]);
        let outputs = self
            .output
            .matmul(&products)
            .reshape([STEP, STEP, batch, down, across, -1]);
        let outputs =
            outputs
                .permute([2, 3, 0, 4, 1, 5])
                .reshape([batch, down * STEP, across * STEP, -1]);
        outputs
            .narrow(1, 0, height)
            .narrow(2, 0, width)
            .permute([0, 3, 1, 2])
    }
}

/// Where polynomials of kernels of so many taps are evaluated.
fn points(taps: i64) -> Option<&'static [f64]> {
    match taps {
        3 => Some(POINTS_3),
        5 => Some(POINTS_5),
        _ => None,
    }
}

/// A tile at the points: row by row the coefficients of the polynomial whose roots are the other points.
fn input_rows(points: &[f64]) -> Vec<Vec<f64>> {
    let tile = points.len() + 1;
    let product = |roots: &[f64]| {
        let mut coefficients = vec![1.0];
        for root in roots {
            let higher = coefficients.iter().copied();
            let lower = coefficients.iter().map(|value| -root * value);
            let sum = |(higher, lower): (f64, f64)| higher + lower;
            coefficients = iter::once(0.0)
                .chain(higher)
                .zip(lower.chain([0.0]))
                .map(sum)
                .collect();
        }
        coefficients.resize(tile, 0.0);
        coefficients
    };
    let rows = points.iter().map(|&point| product(&others(points, point)));
    rows.chain([product(points)]).collect()
}

/// A kernel at the points, divided by what [`input_rows`] have too much.
fn kernel_rows(points: &[f64], taps: i64) -> Vec<Vec<f64>> {
    let at = |&point: &f64| {
        let others = others(points, point);
        let excess: f64 = others.iter().map(|other| point - other).product();
        (0..taps)
            .map(|power| point.powi(power as i32) / excess)
            .collect()
    };
    let at_infinity = (1..=taps)
        .map(|power| f64::from(u8::from(power == taps)))
        .collect();
    points.iter().map(at).chain([at_infinity]).collect()
}

/// Outputs from the products at the points.
fn output_rows(points: &[f64]) -> Vec<Vec<f64>> {
    let row = |power: i64| {
        let at_infinity = f64::from(u8::from(power + 1 == STEP));
        let powers = points.iter().map(|point| point.powi(power as i32));
        powers.chain([at_infinity]).collect()
    };
    (0..STEP).map(row).collect()
}

fn others(points: &[f64], point: f64) -> Vec<f64> {
    let other = |other: &f64| other.to_bits() != point.to_bits();
    points.iter().copied().filter(other).collect()
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::Winograd;

    fn wave(shape: [i64; 4], pace: f64) -> Tensor {
        let count = shape.iter().product::<i64>();
        (Tensor::arange(count, (Kind::Float, Device::Cpu)) * pace)
            .sin()
            .reshape(shape)
    }

    /// On pictures of whole and of broken tiles.
    #[test]
    fn equals_the_direct_sum() {
        for (taps, height, width) in [(3, 8, 12), (3, 5, 7), (3, 1, 1), (5, 8, 12), (5, 9, 6)] {
            let x = wave([2, 4, height, width], 0.37);
            let weight = wave([3, 4, taps, taps], 0.73);
            let padding = [taps / 2, taps / 2];
            let direct = x.conv2d(&weight, None::<Tensor>, [1, 1], padding, [1, 1], 1);
            let tiles = Winograd::new(&weight);
            let magnitude =
                x.abs()
                    .conv2d(&weight.abs(), None::<Tensor>, [1, 1], padding, [1, 1], 1);
            let off = ((tiles.forward(&x) - &direct).abs() / magnitude).max();
            let off = off.double_value(&[]);
            assert!(
                off < 1e-5,
                "{taps} taps, {height} x {width}: off by {off:e} of the sum of magnitudes"
            );
        }
    }

    #[test]
    fn other_kernels_are_left_to_the_direct_sum() {
        assert!(!Winograd::takes(1) && !Winograd::takes(7));
    }
}
