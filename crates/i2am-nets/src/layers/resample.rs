//! Halving and doubling of a map's height and width, under the tensor names of diffusers' `Downsample2D` and `Upsample2D` (`conv`).

use tch::Tensor;

use super::conv::{Conv2d, Padding};
use crate::scope::Scope;

/// Halves height and width by a strided convolution `conv`.
#[derive(Debug)]
pub struct Downsample {
    conv: Conv2d,
    padding: Padding,
}

impl Downsample {
    /// `Padding::Same` is the UNet's symmetric padding, `Padding::None` the VAE's one row and column at the bottom right.
    pub fn new(scope: &Scope<'_>, channels: i64, padding: Padding) -> Self {
        Self {
            conv: Conv2d::strided(&scope.sub("conv"), channels, channels, padding),
            padding,
        }
    }

    /// `[batch, channels, H, W]` to `[batch, channels, H/2, W/2]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        match self.padding {
            Padding::Same => self.conv.forward(x),
            Padding::None => self.conv.forward(&x.constant_pad_nd([0, 1, 0, 1])),
        }
    }
}

/// Enlarges by nearest neighbor, then convolves (`conv`).
#[derive(Debug)]
pub struct Upsample {
    conv: Conv2d,
}

impl Upsample {
    /// Builds the convolution.
    pub fn new(scope: &Scope<'_>, channels: i64) -> Self {
        Self {
            conv: Conv2d::new(&scope.sub("conv"), channels, channels, 3),
        }
    }

    /// `[batch, channels, H, W]` to `[batch, channels, 2H, 2W]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let size = x.size();
        self.forward_to(x, (2 * size[2], 2 * size[3]))
    }

    /// `[batch, channels, H, W]` to `[batch, channels, height, width]`, for maps whose halves were rounded up on the way down.
    pub fn forward_to(&self, x: &Tensor, (height, width): (i64, i64)) -> Tensor {
        self.conv
            .forward(&x.upsample_nearest2d([height, width], None, None))
    }
}
