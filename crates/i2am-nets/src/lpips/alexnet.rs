//! AlexNet's features for LPIPS, under the tensor names of `torchvision.models.alexnet`. Pictures `[batch, 3, H, W]` become five
//! maps.

use tch::Tensor;

use super::Features;
use super::convolution::Convolution;
use crate::scope::Scope;

/// Below it the second pooling has no window.
pub(super) const LEAST_SIZE: u32 = 31;

/// `torchvision.models.alexnet`: layers 0 to 11 of its `features`.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the names of torchvision")]
pub(super) struct AlexNet {
    features_0: Convolution,
    features_3: Convolution,
    features_6: Convolution,
    features_8: Convolution,
    features_10: Convolution,
}

impl AlexNet {
    pub(super) fn new(scope: &Scope<'_>) -> Self {
        Self {
            features_0: Convolution::strided(&scope.sub(0), [3, 64], 11, 4, 2),
            features_3: Convolution::by_tiles(&scope.sub(3), 64, 192, 5),
            features_6: Convolution::by_tiles(&scope.sub(6), 192, 384, 3),
            features_8: Convolution::by_tiles(&scope.sub(8), 384, 256, 3),
            features_10: Convolution::by_tiles(&scope.sub(10), 256, 256, 3),
        }
    }
}

impl Features for AlexNet {
    fn taps(&self, x: &Tensor, each: &mut dyn FnMut(Tensor)) {
        let relu_1 = self.features_0.forward(x);
        let pooled = pool(&relu_1);
        each(relu_1);
        let relu_2 = self.features_3.forward(&pooled);
        let pooled = pool(&relu_2);
        each(relu_2);
        let relu_3 = self.features_6.forward(&pooled);
        let relu_4 = self.features_8.forward(&relu_3);
        each(relu_3);
        let relu_5 = self.features_10.forward(&relu_4);
        each(relu_4);
        each(relu_5);
    }
}

fn pool(x: &Tensor) -> Tensor {
    x.max_pool2d([3, 3], [2, 2], [0, 0], [1, 1], false)
}
