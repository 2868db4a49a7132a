//! The convolutions of the Inception network, with the batch normalization folded into weight and bias when they are built.
//! Tensor names follow torchvision's `BasicConv2d` (`conv.weight`, `bn.running_mean`, ...).

use tch::{Kind, Tensor};

use crate::layers::products;
use crate::scope::{Init, Scope};

/// What TensorFlow's batch normalization adds to the variance here.
const EPS: f64 = 1e-3;

/// Whether the weights have a scale after the normalization; the TensorFlow graph has none, ports add one of ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Stored,
    One,
}

/// Height and width of a kernel.
type Kernel = [i64; 2];

/// Convolution, batch normalization, ReLU; the normalization folded into weight and bias.
#[derive(Debug)]
pub(super) struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: [i64; 2],
}

/// Builds the convolutions of one network.
#[derive(Clone)]
pub(super) struct Builder<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) scale: Scale,
}

impl Builder<'_> {
    pub(super) fn sub(&self, name: &str) -> Self {
        Self {
            scope: self.scope.sub(name),
            scale: self.scale,
        }
    }

    /// Stride 1, output as large as the input.
    pub(super) fn same(&self, name: &str, inputs: i64, outputs: i64, kernel: Kernel) -> Conv {
        let padding = kernel.map(|side| side / 2);
        self.conv(name, [inputs, outputs], kernel, 1, padding)
    }

    /// 3×3, no padding.
    pub(super) fn valid(&self, name: &str, inputs: i64, outputs: i64, stride: i64) -> Conv {
        self.conv(name, [inputs, outputs], [3, 3], stride, [0, 0])
    }

    fn conv(
        &self,
        name: &str,
        [inputs, outputs]: [i64; 2],
        kernel: Kernel,
        stride: i64,
        padding: [i64; 2],
    ) -> Conv {
        let scope = self.scope.sub(name);
        let [height, width] = kernel;
        let init = Init::FanIn(inputs * height * width);
        let weight = scope.tensor("conv.weight", &[outputs, inputs, height, width], init);
        let of_channel = |name: &str, init| {
            scope
                .tensor(&format!("bn.{name}"), &[outputs], init)
                .to_kind(Kind::Double)
        };
        let shift = of_channel("bias", Init::Zeros);
        let mean = of_channel("running_mean", Init::Zeros);
        let variance = of_channel("running_var", Init::Ones);
        let mut factor = (variance + EPS).rsqrt();
        if self.scale == Scale::Stored {
            factor *= of_channel("weight", Init::Ones);
        }
        // A source that cannot give a tensor gives an empty one and reports it later.
        if weight.numel() == 0 || factor.numel() == 0 || mean.numel() == 0 || shift.numel() == 0 {
            return Conv {
                weight,
                bias: shift,
                stride,
                padding,
            };
        }
        let folded = weight.to_kind(Kind::Double) * factor.reshape([-1, 1, 1, 1]);
        Conv {
            weight: crate::layers::channels_last(&folded.to_kind(weight.kind())),
            bias: (shift - mean * factor).to_kind(weight.kind()),
            stride,
            padding,
        }
    }
}

impl Conv {
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], self.padding);
        let convolved = products::product([x, &self.weight, &self.bias], |[x, weight, bias]| {
            x.conv2d(&weight, Some(&bias), stride, padding, [1, 1], 1)
        });
        { convolved }.relu_()
    }
}
