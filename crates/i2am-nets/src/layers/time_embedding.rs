//! From timesteps `[batch]` to vectors: the sinusoid, and the two linear layers of diffusers' `TimestepEmbedding` (`linear_1`,
//! `linear_2`).

use tch::{Kind, Tensor};

use super::linear::{Bias, Linear};
use crate::scope::Scope;

/// Sinusoidal embedding of timesteps, cosines first: `[batch]` to `[batch, width]` f32.
///
/// Frequencies are `exp(-ln(10000) · i / (width / 2))`. The cosine-first order is what diffusers calls `flip_sin_to_cos`.
pub fn sinusoid(timesteps: &Tensor, width: i64) -> Tensor {
    let half = width / 2;
    let options = (Kind::Float, timesteps.device());
    let exponent = Tensor::arange(half, options) * (-(10000f64.ln()) / half as f64);
    let angles = timesteps.to_kind(Kind::Float).unsqueeze(1) * exponent.exp().unsqueeze(0);
    Tensor::cat(&[angles.cos(), angles.sin()], 1)
}

/// The two linear layers after the sinusoid: `linear_1`, SiLU, `linear_2`.
#[derive(Debug)]
pub struct TimeEmbedding {
    linear_1: Linear,
    linear_2: Linear,
}

impl TimeEmbedding {
    /// From `width` to `outputs`.
    pub fn new(scope: &Scope<'_>, width: i64, outputs: i64) -> Self {
        Self::with(scope, width, outputs, Bias::Yes)
    }

    /// The same with or without biases.
    pub fn with(scope: &Scope<'_>, width: i64, outputs: i64, bias: Bias) -> Self {
        Self {
            linear_1: Linear::new(&scope.sub("linear_1"), width, outputs, bias),
            linear_2: Linear::new(&scope.sub("linear_2"), outputs, outputs, bias),
        }
    }

    /// `[batch, width]` to `[batch, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.linear_2.forward(&self.linear_1.forward(x).silu())
    }
}
