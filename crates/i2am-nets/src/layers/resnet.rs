//! The residual block of UNet and autoencoder, under the tensor names of diffusers' `ResnetBlock2D` (`norm1`, `conv1`,
//! `time_emb_proj`, ...). Maps `[batch, inputs, H, W]` become `[batch, outputs, H, W]`.

use tch::Tensor;

use super::conv::Conv2d;
use super::linear::{Bias, Linear};
use super::norm::GroupNorm;
use crate::scope::Scope;

/// Sizes of a [`ResnetBlock`].
#[derive(Debug, Clone, Copy)]
pub struct ResnetShape {
    /// Input channels.
    pub inputs: i64,
    /// Output channels.
    pub outputs: i64,
    /// Width of the time embedding; `None` in the VAE.
    pub time: Option<i64>,
    /// Groups of both normalizations.
    pub groups: i64,
    /// Epsilon of both normalizations.
    pub eps: f64,
}

/// `x + conv2(silu(norm2(conv1(silu(norm1 x)) + time)))`, the skip through a 1×1 convolution if the channels differ.
#[derive(Debug)]
pub struct ResnetBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
}

impl ResnetBlock {
    /// Builds the block.
    pub fn new(scope: &Scope<'_>, shape: ResnetShape) -> Self {
        let ResnetShape {
            inputs,
            outputs,
            time,
            groups,
            eps,
        } = shape;
        Self {
            norm1: GroupNorm::new(&scope.sub("norm1"), inputs, groups, eps),
            conv1: Conv2d::new(&scope.sub("conv1"), inputs, outputs, 3),
            time_emb_proj: time
                .map(|width| Linear::new(&scope.sub("time_emb_proj"), width, outputs, Bias::Yes)),
            norm2: GroupNorm::new(&scope.sub("norm2"), outputs, groups, eps),
            conv2: Conv2d::zeroed(&scope.sub("conv2"), outputs, outputs, 3),
            conv_shortcut: (inputs != outputs)
                .then(|| Conv2d::new(&scope.sub("conv_shortcut"), inputs, outputs, 1)),
        }
    }

    /// `x` `[batch, inputs, H, W]`, `time` `[batch, time]` already through SiLU, to `[batch, outputs, H, W]`.
    pub fn forward(&self, x: &Tensor, time: Option<&Tensor>) -> Tensor {
        self.forward_with(x, time, &mut |norm, x| norm.forward(x))
    }

    /// The same, where `normalize` is what both normalizations do.
    pub fn forward_with(
        &self,
        x: &Tensor,
        time: Option<&Tensor>,
        normalize: &mut dyn FnMut(&GroupNorm, &Tensor) -> Tensor,
    ) -> Tensor {
        let mut h = self.conv1.forward(&normalize(&self.norm1, x).silu());
        if let (Some(proj), Some(time)) = (&self.time_emb_proj, time) {
            h += proj.forward(time).unsqueeze(-1).unsqueeze(-1);
        }
        let h = self.conv2.forward(&normalize(&self.norm2, &h).silu());
        match &self.conv_shortcut {
            Some(shortcut) => shortcut.forward(x) + h,
            None => x + h,
        }
    }
}
