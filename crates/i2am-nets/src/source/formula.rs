//! A source that computes every tensor from its name, as `scripts/golden` does for the reference values.

use tch::{Device, Tensor};

use crate::Precision;
use crate::scope::{Init, TensorSource};

/// Fills a network from a formula of each tensor's name, so that two programs can build the same network with no file between
/// them and full-size trials need no download.
pub struct FormulaSource {
    precision: Precision,
    device: Device,
}

impl FormulaSource {
    /// Tensors in `precision` on `device`.
    pub fn new(precision: Precision, device: Device) -> Self {
        Self { precision, device }
    }
}

impl TensorSource for FormulaSource {
    fn tensor(&self, name: &str, shape: &[i64], _init: Init) -> Tensor {
        let values = formula_weights(name, shape);
        Tensor::from_slice(&values)
            .reshape(shape)
            .to_device(self.device)
            .to_kind(self.precision.kind())
    }
}

/// The value of every element of the tensor `name`, row-major.
///
/// With `h` the 64-bit FNV-1a hash of the name and `u(i)` the upper 24 bits of `splitmix64(h + i)` scaled to `[-1, 1)`:
/// - one axis and name ending in `weight` (scales of normalizations): `1 + u(i) / 10`;
/// - one axis otherwise (biases): `u(i) / 10`;
/// - more axes: `u(i) · sqrt(3 / n)`, `n` the product of all axes but the first: unit gain for unit input.
pub fn formula_weights(name: &str, shape: &[i64]) -> Vec<f32> {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| {
        (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let count = shape.iter().product::<i64>() as u64;
    let fan_in: i64 = shape.iter().skip(1).product();
    let (offset, scale) = match (shape.len(), name.ends_with("weight")) {
        (0 | 1, true) => (1.0, 0.1),
        (0 | 1, false) => (0.0, 0.1),
        _ => (0.0, (3.0 / fan_in as f64).sqrt()),
    };
    (0..count)
        .map(|i| (offset + scale * unit(hash.wrapping_add(i))) as f32)
        .collect()
}

/// Uniform in `[-1, 1)`, by splitmix64 (Steele, Lea, Flood 2014).
fn unit(state: u64) -> f64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 40) as f64 / f64::from(1_u32 << 23) - 1.0
}

#[cfg(test)]
mod tests {
    use super::{formula_weights, unit};

    /// The published first output of splitmix64 for state 0 is `e220a8397b1dcdaf`; `unit` keeps its upper 24 bits.
    #[test]
    fn draws_are_splitmix64() {
        assert_eq!(
            unit(0).to_bits(),
            (f64::from(0x00e2_20a8_u32) / 8_388_608.0 - 1.0).to_bits()
        );
    }

    /// Values of the documented formula, computed apart in Python: `round_to_f32(offset + scale * u(i))`.
    #[test]
    fn values_follow_the_formula() {
        let golden: [(&str, &[i64], &[f32]); 4] = [
            (
                "unet.conv_in.weight",
                &[2, 3],
                &[
                    -0.238_823_89,
                    -0.655_065_9,
                    -0.566_554_9,
                    -0.546_241_9,
                    0.862_478_4,
                    -0.388_892_77,
                ],
            ),
            (
                "norm.weight",
                &[4],
                &[0.952_589_5, 1.083_325_7, 1.006_075_7, 1.081_202_5],
            ),
            (
                "norm.bias",
                &[4],
                &[0.069_419_06, 0.090_542_45, -0.014_052_82, -0.084_690_71],
            ),
            ("", &[2, 1, 1, 1], &[0.913_464_6, 1.648_504_6]),
        ];
        for (name, shape, expected) in golden {
            assert_eq!(formula_weights(name, shape), expected, "`{name}` {shape:?}");
        }
    }
}
