//! Rotary places: how queries and keys are turned by the position of their token. Channel `i` of the first half of a head and of its second
//! half are the two coordinates of a pair.

use tch::{Device, Kind, Tensor};

use super::Qwen3Config;

/// Cosines and sines `[tokens, head_dim / 2]` f32 of the positions 0, 1, ..
#[derive(Debug)]
pub(super) struct Rotation {
    cos: Tensor,
    sin: Tensor,
}

impl Rotation {
    /// Of `tokens` positions. Angles are computed in f64.
    pub(super) fn new(config: &Qwen3Config, tokens: i64, device: Device) -> Self {
        let wide = (Kind::Double, Device::Cpu);
        let half = config.head_dim / 2;
        let exponents = Tensor::arange(half, wide) / (-half as f64);
        let speeds = (exponents * config.rope_theta.ln()).exp();
        let angles = Tensor::arange(tokens, wide).outer(&speeds);
        let [cos, sin] =
            [angles.cos(), angles.sin()].map(|x| x.to_kind(Kind::Float).to_device(device));
        Self { cos, sin }
    }

    /// `x` `[batch, heads, tokens, head_dim]` turned, in f32 and back.
    pub(super) fn turned(&self, x: &Tensor) -> Tensor {
        let halves = x.to_kind(Kind::Float).chunk(2, -1);
        let (first, second) = (&halves[0], &halves[1]);
        let turned = [
            first * &self.cos - second * &self.sin,
            second * &self.cos + first * &self.sin,
        ];
        Tensor::cat(&turned, -1).to_kind(x.kind())
    }
}
