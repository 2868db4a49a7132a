//! The convolutions of LPIPS's backbones, under torchvision's tensor names `weight` and `bias`, each followed by a ReLU.
//!
//! A layer chooses between libtorch's own convolution and that of [`super::winograd`], which is faster where there are many
//! channels. Together they make LPIPS 1.6 to 1.9 times as fast as the reference package on a CPU: see `docs/measurements.md`.

use std::cell::LazyCell;

use tch::{Kind, Tensor};

use super::winograd::Winograd;
use crate::layers::products;
use crate::scope::{Init, Scope};

/// A square convolution with bias, followed by a `ReLU`.
#[derive(Debug)]
pub(super) struct Convolution {
    kernel: Kernel,
    bias: Tensor,
}

#[derive(Debug)]
enum Kernel {
    Direct {
        weight: Tensor,
        stride: i64,
        padding: i64,
    },
    /// Rearranged when the first pictures come: a network may be opened only to see whether it is there.
    Tiles(LazyCell<Winograd, Box<dyn FnOnce() -> Winograd + Send>>),
}

impl Convolution {
    /// Tensors `weight` `[outputs, inputs, size, size]` and `bias`; stride 1, output as large as the input.
    pub(super) fn new(scope: &Scope<'_>, inputs: i64, outputs: i64, size: i64) -> Self {
        Self::strided(scope, [inputs, outputs], size, 1, size / 2)
    }

    /// The same for 3 x 3 and 5 x 5, from another algorithm: faster the more channels there are, slower with few of them on large
    /// pictures, where moving values takes longer than multiplying them.
    pub(super) fn by_tiles(scope: &Scope<'_>, inputs: i64, outputs: i64, size: i64) -> Self {
        let mut convolution = Self::new(scope, inputs, outputs, size);
        if let Kernel::Direct { weight, .. } = &convolution.kernel
            && weight.dim() == 4
            // no placeholder for a tensor that is missing; and in half precision the sums of tiles would lose too many digits
            && weight.kind() == Kind::Float
            && Winograd::takes(size)
        {
            let weight = weight.shallow_clone();
            let rearrange = move || Winograd::new(&weight);
            convolution.kernel = Kernel::Tiles(LazyCell::new(Box::new(rearrange)));
        }
        convolution
    }

    /// [`Convolution::new`] with a stride and zeros around the input.
    pub(super) fn strided(
        scope: &Scope<'_>,
        [inputs, outputs]: [i64; 2],
        size: i64,
        stride: i64,
        padding: i64,
    ) -> Self {
        let init = Init::FanIn(inputs * size * size);
        Self {
            kernel: Kernel::Direct {
                weight: scope.tensor("weight", &[outputs, inputs, size, size], init),
                stride,
                padding,
            },
            bias: scope.tensor("bias", &[outputs], init),
        }
    }

    /// `[batch, inputs, H, W]` to `[batch, outputs, H', W']`, none negative.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let mut out = match &self.kernel {
            Kernel::Direct {
                weight,
                stride: s,
                padding: p,
            } => products::conv2d(x, weight, Some(&self.bias), [*s, *p]),
            Kernel::Tiles(kernel) => kernel.forward(x).g_add_(&self.bias.reshape([1, -1, 1, 1])),
        };
        out.relu_()
    }
}
