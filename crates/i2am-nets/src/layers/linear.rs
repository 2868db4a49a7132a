//! The linear layer, under PyTorch's names `weight` and `bias`.

use tch::Tensor;

use super::products;
use crate::scope::{Init, Scope};

/// Whether a layer adds a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    /// With bias.
    Yes,
    /// Without (the attention projections of Stable Diffusion's UNet).
    No,
}

/// `y = x Wᵀ + b`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Tensors `weight` `[outputs, inputs]` and, if asked for, `bias` `[outputs]`.
    pub fn new(scope: &Scope<'_>, inputs: i64, outputs: i64, bias: Bias) -> Self {
        let weight = scope.tensor("weight", &[outputs, inputs], Init::FanIn(inputs));
        let bias =
            (bias == Bias::Yes).then(|| scope.tensor("bias", &[outputs], Init::FanIn(inputs)));
        Self { weight, bias }
    }

    /// `[outputs, inputs]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `[.., inputs]` to `[.., outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        products::linear(x, &self.weight, self.bias.as_ref())
    }
}
