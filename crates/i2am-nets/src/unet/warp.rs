//! `StableVITON`'s warp blocks, in which the way up attends to the features of the garment. Tensor names follow its authors'
//! `warp_flow_blks` and `warp_zero_convs`.

use tch::Tensor;

use super::config::{UNetConfig, UpLayer};
use super::joining::Joining;
use crate::layers::{BlockShape, Conv2d, CrossAttention, SpatialTransformer};
use crate::probe::{AttentionProbe, Context};
use crate::scope::Scope;

/// A transformer whose keys and values are the positions of a reference feature map, and the convolution behind it.
#[derive(Debug)]
struct WarpBlock {
    name: String,
    flow: SpatialTransformer,
    zero_conv: Conv2d,
}

impl WarpBlock {
    /// `h + zero_conv(flow(h, reference))`; `flow` has a residual of its own.
    fn forward(&self, h: &Tensor, reference: &Tensor, probe: &mut dyn AttentionProbe) -> Tensor {
        let warped = self.flow.forward(h, &Context::spatial(reference), probe);
        probe.block(&self.name, &warped);
        self.zero_conv.forward(&warped) + h
    }
}

/// `StableVITON`'s warp blocks: one for every layer of the way up but those of the lowest resolution, in that order.
///
/// Tensors are `warp_flow_blks.N.*` and `warp_zero_convs.N.*`, next to the UNet's own.
#[derive(Debug)]
pub struct WarpBlocks {
    blocks: Vec<WarpBlock>,
    /// Layers of the lowest resolution, which go unwarped.
    unwarped: usize,
}

impl WarpBlocks {
    /// Whether the heads of the UNet of `config` divide the channels of the blocks that belong to it.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn check(config: &UNetConfig) -> Result<(), String> {
        (1..config.block_out_channels.len()).try_for_each(|index| {
            let level = config.level_of_up_block(index);
            let mut layers = config.up_layers(index).into_iter();
            layers.try_for_each(|layer| config.check_heads_at(level, layer.before))
        })
    }

    /// Builds the blocks that belong to the UNet of `config`.
    pub fn new(scope: &Scope<'_>, config: &UNetConfig) -> Self {
        let levels = config.block_out_channels.len();
        let layers = (1..levels).flat_map(|index| {
            let heads = config
                .attention_head_dim
                .at(config.level_of_up_block(index));
            let shape = move |layer: UpLayer| BlockShape {
                width: layer.before,
                context: layer.skip,
                heads,
                groups: config.norm_num_groups,
                depth: config.transformer_layers_per_block,
                cross: CrossAttention::Single,
            };
            config.up_layers(index).into_iter().map(shape)
        });
        let block = |(slot, shape): (usize, BlockShape)| {
            let scope = |name: &str| scope.sub(format_args!("{name}.{slot}"));
            let flow = scope("warp_flow_blks");
            WarpBlock {
                name: flow.path().to_owned(),
                flow: SpatialTransformer::new(&flow, &shape),
                zero_conv: Conv2d::zeroed(&scope("warp_zero_convs"), shape.width, shape.width, 1),
            }
        };
        Self {
            blocks: layers.enumerate().map(block).collect(),
            unwarped: config.layers_per_block + 1,
        }
    }

    /// How many there are; 9 in the published model.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there is none, as in a UNet of one level.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}

/// One pass through the decoder with warp blocks.
pub(super) struct Warping<'a> {
    warp: &'a WarpBlocks,
    /// Features not read yet; the next one is the last.
    features: Vec<Tensor>,
    layer: usize,
}

impl<'a> Warping<'a> {
    pub(super) fn new(warp: &'a WarpBlocks, features: Vec<Tensor>) -> Self {
        Self {
            warp,
            features,
            layer: 0,
        }
    }
}

impl Joining for Warping<'_> {
    fn before_skip(&mut self, h: Tensor, probe: &mut dyn AttentionProbe) -> Tensor {
        let slot = self.layer.checked_sub(self.warp.unwarped);
        self.layer += 1;
        let Some(block) = slot.and_then(|slot| self.warp.blocks.get(slot)) else {
            return h;
        };
        let reference = self
            .features
            .pop()
            .expect("the control model gives one feature for every warp block");
        block.forward(&h, &reference, probe)
    }
}
