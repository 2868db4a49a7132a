use tch::Tensor;

use crate::scope::{Init, Scope};

/// Normalisation over groups of channels and all positions.
#[derive(Debug)]
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: i64,
    eps: f64,
}

impl GroupNorm {
    /// Tensors `weight` and `bias` `[channels]`.
    ///
    /// `eps` differs by place in the published models: 1e-5 in the UNet's residual blocks, 1e-6 in its transformers and in the
    /// VAE.
    pub fn new(scope: &Scope<'_>, channels: i64, groups: i64, eps: f64) -> Self {
        let weight = scope.tensor("weight", &[channels], Init::Ones);
        let bias = scope.tensor("bias", &[channels], Init::Zeros);
        Self {
            weight,
            bias,
            groups,
            eps,
        }
    }

    /// `[batch, channels, ..]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.group_norm(
            self.groups,
            Some(&self.weight),
            Some(&self.bias),
            self.eps,
            true,
        )
    }
}

/// Normalisation over the last axis.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    width: i64,
    eps: f64,
}

impl LayerNorm {
    /// Tensors `weight` and `bias` `[width]`; `eps` is 1e-5 in every published model here.
    pub fn new(scope: &Scope<'_>, width: i64, eps: f64) -> Self {
        let weight = scope.tensor("weight", &[width], Init::Ones);
        let bias = scope.tensor("bias", &[width], Init::Zeros);
        Self {
            weight,
            bias,
            width,
            eps,
        }
    }

    /// `[.., width]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(
            [self.width],
            Some(&self.weight),
            Some(&self.bias),
            self.eps,
            true,
        )
    }
}
