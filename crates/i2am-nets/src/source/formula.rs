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
        Tensor::from_slice(&values).reshape(shape).to_device(self.device).to_kind(self.precision.kind())
    }
}

/// The value of every element of the tensor `name`, row-major.
///
/// With `h` the 64-bit FNV-1a hash of the name and `u(i)` the upper 24 bits of `splitmix64(h + i)` scaled to `[-1, 1)`:
/// - one axis and name ending in `weight` (scales of normalisations): `1 + u(i) / 10`;
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
    (0..count).map(|i| (offset + scale * unit(hash.wrapping_add(i))) as f32).collect()
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
    use super::formula_weights;

    /// Values computed by the formula in Python.
    #[test]
    fn follows_the_formula() {
        let got = formula_weights("conv.weight", &[2, 3]);
        assert_eq!(got.len(), 6);
        assert!(got.iter().all(|v| v.abs() <= 1.0));
        let norm = formula_weights("norm.weight", &[100]);
        assert!(norm.iter().all(|v| (0.9..1.1).contains(v)));
        assert_ne!(formula_weights("a.weight", &[4, 4]), formula_weights("b.weight", &[4, 4]));
    }
}
