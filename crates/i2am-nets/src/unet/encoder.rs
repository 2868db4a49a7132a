//! The way down and the middle, which a UNet, a control model and a `ControlNet` have in common, under the tensor names of diffusers'
//! `UNet2DConditionModel`.

use tch::{Kind, Tensor};

use super::blocks::{DownBlock, MidBlock};
use super::config::UNetConfig;
use crate::layers::{Conv2d, TimeEmbedding, channels_last, sinusoid};
use crate::probe::AttentionProbe;
use crate::scope::Scope;

/// The way down and its middle: what a UNet and its control model have in common.
#[derive(Debug)]
pub(super) struct Encoder {
    first_channels: i64,
    conv_in: Conv2d,
    time_embedding: TimeEmbedding,
    down_blocks: Vec<DownBlock>,
    mid_block: MidBlock,
}

impl Encoder {
    /// `conv_in`, `time_embedding`, `down_blocks.*` and `mid_block` below `scope`.
    pub(super) fn new(scope: &Scope<'_>, config: &UNetConfig) -> Self {
        let first = config.block_out_channels[0];
        Self {
            first_channels: first,
            conv_in: Conv2d::new(&scope.sub("conv_in"), config.in_channels, first, 3),
            time_embedding: TimeEmbedding::new(
                &scope.sub("time_embedding"),
                first,
                config.time_width(),
            ),
            down_blocks: (0..config.block_out_channels.len())
                .map(|level| DownBlock::new(scope, config, level))
                .collect(),
            mid_block: MidBlock::new(scope, config),
        }
    }

    /// The embedding of `timesteps` `[batch]` as residual blocks take it, `[batch, time]`, already through `SiLU`.
    pub(super) fn time(
        &self,
        timesteps: &Tensor,
        kind: Kind,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let embedding = sinusoid(timesteps, self.first_channels).to_kind(kind);
        let embedding = self.time_embedding.forward(&embedding);
        probe.block("time_embedding", &embedding);
        embedding.silu()
    }

    /// `[batch, in_channels, H, W]` to `[batch, channels, H, W]`, from here on with channels innermost.
    pub(super) fn conv_in(&self, x: &Tensor) -> Tensor {
        self.conv_in.forward(&channels_last(x))
    }

    pub(super) fn down_blocks(&self) -> &[DownBlock] {
        &self.down_blocks
    }

    pub(super) fn mid_block(&self) -> &MidBlock {
        &self.mid_block
    }
}
