//! Where a second network joins the way up of a UNet.

use tch::Tensor;

use crate::layers::SpatialTransformer;
use crate::probe::{AttentionProbe, Context};

/// What a second network adds on the way up. By default nothing; for every layer the methods are called in the order below.
pub(super) trait Joining {
    /// Called once before the way up, with the skips of the way down and the middle block's output.
    fn begin(&mut self, _skips: &mut [Tensor], middle: Tensor) -> Tensor {
        middle
    }

    /// Called with `h` `[batch, channels, H, W]` before it is joined with the layer's skip; same shape out.
    fn before_skip(&mut self, h: Tensor, _probe: &mut dyn AttentionProbe) -> Tensor {
        h
    }

    /// Runs the layer's own transformer, in the layers that have one.
    fn transform(
        &mut self,
        transformer: &SpatialTransformer,
        h: &Tensor,
        context: &Context,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        transformer.forward(h, context, probe)
    }

    /// Called with the output of the layer; same shape out.
    fn after_layer(&mut self, h: Tensor, _probe: &mut dyn AttentionProbe) -> Tensor {
        h
    }
}

/// Nothing is added.
pub(super) struct Plain;

impl Joining for Plain {}
