//! The feed-forward layer of transformer blocks, under the tensor names of diffusers' `FeedForward` (`net.0.proj`, `net.2`).

use tch::Tensor;

use super::linear::{Bias, Linear};
use crate::scope::Scope;

/// The non-linearity of a [`FeedForward`] layer. GELU is the exact one (erf), as in every published model here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// `value * gelu(gate)`; the first half of the projection is the value (UNet).
    Geglu,
    /// `gelu(x)` (Paint-by-Example's mapper).
    Gelu,
}

/// Two linear layers, four times as wide between them: `net.0.proj`, `net.2`.
#[derive(Debug)]
pub struct FeedForward {
    gate: Gate,
    proj: Linear,
    out: Linear,
}

impl FeedForward {
    /// Builds both layers for inputs of `width`.
    pub fn new(scope: &Scope<'_>, width: i64, gate: Gate) -> Self {
        let inner = 4 * width;
        let projected = if gate == Gate::Geglu {
            2 * inner
        } else {
            inner
        };
        Self {
            gate,
            proj: Linear::new(&scope.sub("net.0.proj"), width, projected, Bias::Yes),
            out: Linear::new(&scope.sub("net.2"), inner, width, Bias::Yes),
        }
    }

    /// `[.., width]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let projected = self.proj.forward(x);
        let inner = match self.gate {
            Gate::Geglu => {
                let halves = projected.chunk(2, -1);
                &halves[0] * halves[1].gelu("none")
            }
            Gate::Gelu => projected.gelu("none"),
        };
        self.out.forward(&inner)
    }
}
