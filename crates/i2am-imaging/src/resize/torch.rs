//! The resizes of `torch.nn.functional.interpolate(x, size=(height, width))`, without antialias; and TensorFlow's bilinear.
//!
//! Separable: every output row and column has its list of taps, computed once. As in torch, the step between source
//! coordinates and the coordinates are rounded to `f32`, which decides on which side of a source value a position falls.

use crate::Plane;

/// The constant of torch's cubic kernel; Pillow uses -0.5.
const A: f64 = -0.75;

/// A source index and its weight.
type Tap = (usize, f32);

/// `interpolate(mode="bicubic", align_corners=False)`: cubic convolution with a = -0.75 over 4 x 4 values, indices past
/// an edge taken at the edge. May overshoot the range of the input.
///
/// # Panics
/// If `height` or `width` is 0.
///
/// # Source
/// Keys 1981; torch 2.13.0 (fixture `resize`).
pub fn torch_bicubic(plane: &Plane, height: usize, width: usize) -> Plane {
    resample(plane, height, width, cubic_taps)
}

/// `interpolate(mode="bilinear", align_corners=False)`.
///
/// # Panics
/// If `height` or `width` is 0.
///
/// # Source
/// torch 2.13.0 (fixture `resize`).
pub fn torch_bilinear(plane: &Plane, height: usize, width: usize) -> Plane {
    resample(plane, height, width, linear_taps)
}

/// Bilinear as TensorFlow 1 has it, which torch-fidelity and the FID code of `StyleGAN` keep: source coordinates
/// `out * in_size / out_size` without half-pixel centers, so that the picture moves up and left.
///
/// # Panics
/// If `height` or `width` is 0.
///
/// # Source
/// torch-fidelity 0.3.0 (fixture `sets` of `i2am-metrics`).
pub fn tensorflow_bilinear(plane: &Plane, height: usize, width: usize) -> Plane {
    resample(plane, height, width, tensorflow_taps)
}

/// `interpolate(mode="nearest")`: the value at `floor(out * in_size / out_size)`, which for a whole ratio is the top
/// left value of each block.
///
/// # Panics
/// If `height` or `width` is 0.
///
/// # Source
/// torch 2.13.0 (fixture `resize`).
pub fn torch_nearest(plane: &Plane, height: usize, width: usize) -> Plane {
    let index = |out: usize, from: usize, to: usize| {
        ((out as f32 * (from as f32 / to as f32)) as usize).min(from - 1)
    };
    let columns: Vec<usize> = (0..width).map(|c| index(c, plane.width(), width)).collect();
    Plane::from_fn(height, width, |r, c| {
        plane.get(index(r, plane.height(), height), columns[c])
    })
}

/// Adaptive average pooling as in torch: each output value is the mean of the input values under it, those that it only touches
/// included in full. Of a mask it gives the share that is masked.
///
/// # Panics
/// If `height` or `width` is 0.
///
/// # Source
/// torch 2.13.0, `adaptive_avg_pool2d`: from `floor(i * n / m)` to `ceil((i + 1) * n / m)`.
pub fn torch_adaptive_average(plane: &Plane, height: usize, width: usize) -> Plane {
    let under =
        |out: usize, from: usize, to: usize| out * from / to..((out + 1) * from).div_ceil(to);
    let columns: Vec<_> = (0..width).map(|c| under(c, plane.width(), width)).collect();
    Plane::from_fn(height, width, |r, c| {
        let rows = under(r, plane.height(), height);
        let count = rows.len() * columns[c].len();
        let row = |r: usize| &plane.row(r)[columns[c].clone()];
        let sum: f64 = rows.flat_map(row).map(|&value| f64::from(value)).sum();
        (sum / count as f64) as f32
    })
}

/// Where the center of output value `out` lies among the source values. Torch's build multiplies and subtracts with a
/// single rounding; in `f64` the product is exact, and the one rounding is the conversion.
fn source(out: usize, from: usize, to: usize) -> f32 {
    let step = f64::from(from as f32 / to as f32);
    (step * (out as f64 + 0.5) - 0.5) as f32
}

fn cubic_taps(from: usize, to: usize) -> Vec<[Tap; 4]> {
    let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f64| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    let taps = |out| {
        let source = source(out, from, to);
        let first = source.floor();
        let t = f64::from(source - first);
        let weights = [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)];
        std::array::from_fn(|k| {
            let index = first as isize + k as isize - 1;
            (
                index.clamp(0, from as isize - 1) as usize,
                weights[k] as f32,
            )
        })
    };
    (0..to).map(taps).collect()
}

fn linear_taps(from: usize, to: usize) -> Vec<[Tap; 2]> {
    let taps = |out| {
        let source = source(out, from, to).max(0.0);
        let first = (source as usize).min(from - 1);
        let t = (source - first as f32).clamp(0.0, 1.0);
        [(first, 1.0 - t), ((first + 1).min(from - 1), t)]
    };
    (0..to).map(taps).collect()
}

fn tensorflow_taps(from: usize, to: usize) -> Vec<[Tap; 2]> {
    let step = from as f32 / to as f32;
    let taps = |out| {
        let source = out as f32 * step;
        let first = (source as usize).min(from - 1);
        let t = source - first as f32;
        [(first, 1.0 - t), ((first + 1).min(from - 1), t)]
    };
    (0..to).map(taps).collect()
}

/// Columns first, then rows, as torch nests them.
fn resample<const N: usize>(
    plane: &Plane,
    height: usize,
    width: usize,
    taps: impl Fn(usize, usize) -> Vec<[Tap; N]>,
) -> Plane {
    let columns = taps(plane.width(), width);
    let mut narrowed = Plane::zeros(plane.height(), width);
    for (row, out) in plane
        .data()
        .chunks_exact(plane.width())
        .zip(narrowed.data_mut().chunks_exact_mut(width))
    {
        for (out, taps) in out.iter_mut().zip(&columns) {
            *out = taps
                .iter()
                .map(|&(index, weight)| row[index] * weight)
                .sum();
        }
    }
    let mut resized = Plane::zeros(height, width);
    for (out, taps) in resized
        .data_mut()
        .chunks_exact_mut(width)
        .zip(taps(plane.height(), height))
    {
        for (index, weight) in taps {
            for (out, value) in out.iter_mut().zip(narrowed.row(index)) {
                *out += value * weight;
            }
        }
    }
    resized
}
