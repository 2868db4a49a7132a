//! Square convolutions with a bias, under PyTorch's names `weight` and `bias`. Maps are `[batch, channels, H, W]`.

use tch::Tensor;

use super::products;
use crate::scope::{Init, Scope};

/// Zeros around the input of a 3×3 convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// One pixel on every side.
    Same,
    /// None: the caller pads, as the VAE's asymmetric downsampling does.
    None,
}

/// A square convolution with bias.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv2d {
    /// Tensors `weight` `[outputs, inputs, size, size]` and `bias`; stride 1, output as large as the input.
    pub fn new(scope: &Scope<'_>, inputs: i64, outputs: i64, size: i64) -> Self {
        let fan_in = inputs * size * size;
        Self::with_init(scope, inputs, outputs, size, Init::FanIn(fan_in))
    }

    /// The same, starting from zero when trained: the branch it ends adds nothing at first.
    pub fn zeroed(scope: &Scope<'_>, inputs: i64, outputs: i64, size: i64) -> Self {
        Self::with_init(scope, inputs, outputs, size, Init::Zeros)
    }

    /// A 3×3 convolution with stride 2.
    pub fn strided(scope: &Scope<'_>, inputs: i64, outputs: i64, padding: Padding) -> Self {
        let mut conv = Self::new(scope, inputs, outputs, 3);
        conv.stride = 2;
        conv.padding = i64::from(padding == Padding::Same);
        conv
    }

    fn with_init(scope: &Scope<'_>, inputs: i64, outputs: i64, size: i64, init: Init) -> Self {
        let weight = scope.tensor("weight", &[outputs, inputs, size, size], init);
        let bias_init = if init == Init::Zeros {
            Init::Zeros
        } else {
            Init::FanIn(inputs * size * size)
        };
        let bias = scope.tensor("bias", &[outputs], bias_init);
        Self {
            weight,
            bias,
            stride: 1,
            padding: size / 2,
        }
    }

    /// `[batch, inputs, H, W]` to `[batch, outputs, H', W']`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let steps = [self.stride, self.padding];
        products::conv2d(x, &self.weight, Some(&self.bias), steps)
    }
}

/// The same tensor with channels innermost in memory (`[batch, H, W, C]` strides under `[batch, C, H, W]` sizes).
///
/// libtorch's convolutions and normalizations follow the layout of their input, so converting a network's input once makes
/// the whole pass run in this layout.
pub fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}
