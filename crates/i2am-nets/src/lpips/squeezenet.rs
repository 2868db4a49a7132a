//! SqueezeNet's features for LPIPS, under the tensor names of `torchvision.models.squeezenet1_1`. Pictures `[batch, 3, H, W]`
//! become seven maps.

use tch::Tensor;

use super::Features;
use super::convolution::Convolution;
use crate::scope::Scope;

/// Below it the third pooling has no window.
pub(super) const LEAST_SIZE: u32 = 17;

/// `torchvision.models.squeezenet1_1`: layers 0 to 12 of its `features`.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the names of torchvision")]
pub(super) struct SqueezeNet {
    features_0: Convolution,
    features_3: Fire,
    features_4: Fire,
    features_6: Fire,
    features_7: Fire,
    features_9: Fire,
    features_10: Fire,
    features_11: Fire,
    features_12: Fire,
}

impl SqueezeNet {
    pub(super) fn new(scope: &Scope<'_>) -> Self {
        Self {
            features_0: Convolution::strided(&scope.sub(0), [3, 64], 3, 2, 0),
            features_3: Fire::new(&scope.sub(3), 64, 16),
            features_4: Fire::new(&scope.sub(4), 128, 16),
            features_6: Fire::new(&scope.sub(6), 128, 32),
            features_7: Fire::new(&scope.sub(7), 256, 32),
            features_9: Fire::new(&scope.sub(9), 256, 48),
            features_10: Fire::new(&scope.sub(10), 384, 48),
            features_11: Fire::new(&scope.sub(11), 384, 64),
            features_12: Fire::new(&scope.sub(12), 512, 64),
        }
    }
}

impl Features for SqueezeNet {
    fn taps(&self, x: &Tensor, each: &mut dyn FnMut(Tensor)) {
        let relu_1 = self.features_0.forward(x);
        let pooled = pool(&relu_1);
        each(relu_1);
        let relu_2 = self.features_4.forward(&self.features_3.forward(&pooled));
        let pooled = pool(&relu_2);
        each(relu_2);
        let relu_3 = self.features_7.forward(&self.features_6.forward(&pooled));
        let pooled = pool(&relu_3);
        each(relu_3);
        let mut tap = self.features_9.forward(&pooled);
        for fire in [&self.features_10, &self.features_11, &self.features_12] {
            let next = fire.forward(&tap);
            each(tap);
            tap = next;
        }
        each(tap);
    }
}

/// A window that starts inside the picture counts even if it ends outside.
fn pool(x: &Tensor) -> Tensor {
    x.max_pool2d([3, 3], [2, 2], [0, 0], [1, 1], true)
}

/// A narrow convolution and two wide ones on its output, whose channels are joined.
#[derive(Debug)]
struct Fire {
    squeeze: Convolution,
    expand1x1: Convolution,
    expand3x3: Convolution,
}

impl Fire {
    /// Each wide convolution has four times the channels of the narrow one.
    fn new(scope: &Scope<'_>, inputs: i64, narrow: i64) -> Self {
        let scope_3x3 = scope.sub("expand3x3");
        let expand3x3 = match narrow {
            ..32 => Convolution::new(&scope_3x3, narrow, 4 * narrow, 3),
            32.. => Convolution::by_tiles(&scope_3x3, narrow, 4 * narrow, 3),
        };
        Self {
            squeeze: Convolution::new(&scope.sub("squeeze"), inputs, narrow, 1),
            expand1x1: Convolution::new(&scope.sub("expand1x1"), narrow, 4 * narrow, 1),
            expand3x3,
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.squeeze.forward(x);
        Tensor::cat(&[self.expand1x1.forward(&x), self.expand3x3.forward(&x)], 1)
    }
}
