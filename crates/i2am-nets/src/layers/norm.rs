//! Group, layer and root-mean-square normalization under PyTorch's names `weight` and `bias`. Group normalization is computed in two passes where
//! libtorch's kernel would lose digits.

use tch::{Kind, Tensor};

use crate::scope::{Init, Scope};

/// Normalization over groups of channels and all positions.
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

    /// `[batch, channels, H, W]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        // Training needs speed and a gradient more than the last digits; half precisions sum in f32 and round more anyway.
        if x.is_contiguous() || x.kind() != Kind::Float || x.requires_grad() {
            return x.group_norm(
                self.groups,
                Some(&self.weight),
                Some(&self.bias),
                self.eps,
                true,
            );
        }
        self.in_two_passes(x)
    }

    /// Mean first, then the variance around it.
    ///
    /// libtorch's kernel for channels-last input takes plain f32 sums and variances as `E[x²] - E[x]²`. That is off by 1e-4 where
    /// a group's mean is several times its deviation, more than the tolerance of a whole run.
    fn in_two_passes(&self, x: &Tensor) -> Tensor {
        let centered = x - self.mean(x);
        let variance = self.mean(&centered.square());
        self.scaled(&centered, &variance)
    }

    /// What `x` `[batch, channels, H, W]` is normalized by.
    pub fn statistics(&self, x: &Tensor) -> Statistics {
        let x = x.to_kind(Kind::Float);
        let mean = self.mean(&x);
        let variance = self.mean(&(x - &mean).square());
        Statistics { mean, variance }
    }

    /// [`GroupNorm::forward`] by the statistics of another map with as many channels, of which `x` may be a part. In f32, since half
    /// precisions lose `eps`.
    pub fn forward_by(&self, x: &Tensor, by: &Statistics) -> Tensor {
        let centered = x.to_kind(Kind::Float) - &by.mean;
        self.scaled(&centered, &by.variance).to_kind(x.kind())
    }

    /// Mean over each group, `[batch, channels, 1, 1]`.
    fn mean(&self, x: &Tensor) -> Tensor {
        let (batch, channels) = (x.size()[0], x.size()[1]);
        x.mean_dim([2_i64, 3].as_slice(), false, None)
            .reshape([batch, self.groups, -1])
            .mean_dim([2_i64].as_slice(), true, None)
            .expand([-1, -1, channels / self.groups], false)
            .reshape([batch, channels, 1, 1])
    }

    fn scaled(&self, centered: &Tensor, variance: &Tensor) -> Tensor {
        let of_channels = |parameter: &Tensor| {
            let parameter = parameter.reshape([1, -1, 1, 1]);
            parameter.to_kind(centered.kind())
        };
        let scale = (variance + self.eps).rsqrt() * of_channels(&self.weight);
        of_channels(&self.bias).addcmul(centered, &scale)
    }
}

/// Mean and variance of every group, repeated for each of its channels: `[batch, channels, 1, 1]` f32.
#[derive(Debug)]
pub struct Statistics {
    mean: Tensor,
    variance: Tensor,
}

/// Normalization over the last axis.
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

/// Division by the root of the mean square over the last axis, and a scale.
#[derive(Debug)]
pub struct RmsNorm {
    weight: Tensor,
    width: i64,
    eps: f64,
}

impl RmsNorm {
    /// Tensor `weight` `[width]`.
    pub fn new(scope: &Scope<'_>, width: i64, eps: f64) -> Self {
        let weight = scope.tensor("weight", &[width], Init::Ones);
        Self { weight, width, eps }
    }

    /// `[.., width]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.rms_norm([self.width], Some(&self.weight), self.eps)
    }
}
