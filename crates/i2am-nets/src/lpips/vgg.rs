//! VGG's features for LPIPS and DISTS, under the tensor names of `torchvision.models.vgg16`. Pictures `[batch, 3, H, W]` become five maps.

use tch::Tensor;

use super::Features;
use super::convolution::Convolution;
use crate::scope::Scope;

/// Below it the fourth pooling has no window.
pub(super) const LEAST_SIZE: u32 = 16;

/// Place in `features`, inputs and outputs of the convolutions between two poolings.
const STAGES: [&[(u32, i64, i64)]; 5] = [
    &[(0, 3, 64), (2, 64, 64)],
    &[(5, 64, 128), (7, 128, 128)],
    &[(10, 128, 256), (12, 256, 256), (14, 256, 256)],
    &[(17, 256, 512), (19, 512, 512), (21, 512, 512)],
    &[(24, 512, 512), (26, 512, 512), (28, 512, 512)],
];

/// Channels of the five maps.
pub(crate) const WIDTHS: [i64; 5] = [64, 128, 256, 512, 512];

/// `torchvision.models.vgg16`: layers 0 to 29 of its `features`.
#[derive(Debug)]
pub(crate) struct Vgg16 {
    stages: Vec<Vec<Convolution>>,
}

impl Vgg16 {
    pub(crate) fn new(scope: &Scope<'_>) -> Self {
        let layer = |&(place, inputs, outputs): &(u32, i64, i64)| match inputs {
            ..128 => Convolution::new(&scope.sub(place), inputs, outputs, 3),
            128.. => Convolution::by_tiles(&scope.sub(place), inputs, outputs, 3),
        };
        Self {
            stages: STAGES
                .iter()
                .map(|stage| stage.iter().map(layer).collect())
                .collect(),
        }
    }

    /// The maps after each stage, from shallow to deep, as [`Features::taps`]; `pool` stands between two stages.
    pub(crate) fn taps_pooled_by(
        &self,
        x: &Tensor,
        pool: impl Fn(&Tensor) -> Tensor,
        each: &mut dyn FnMut(Tensor),
    ) {
        let mut tap: Option<Tensor> = None;
        for stage in &self.stages {
            let x = tap.as_ref().map_or_else(|| x.shallow_clone(), &pool);
            tap.take().map(&mut *each);
            tap = Some(stage.iter().fold(x, |x, layer| layer.forward(&x)));
        }
        tap.map(each);
    }
}

impl Features for Vgg16 {
    fn taps(&self, x: &Tensor, each: &mut dyn FnMut(Tensor)) {
        self.taps_pooled_by(x, pool, each);
    }
}

fn pool(x: &Tensor) -> Tensor {
    x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)
}
