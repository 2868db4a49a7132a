//! The Stable Diffusion v1 UNet at any width, depth and number of input channels.

mod blocks;
mod config;

use tch::{Kind, Tensor};

pub use blocks::{DownBlock, MidBlock, UpBlock};
pub use config::{Heads, UNetConfig};

use crate::layers::{Conv2d, GroupNorm, TimeEmbedding, channels_last, sinusoid};
use crate::probe::{AttentionProbe, Context};
use crate::scope::Scope;

/// The denoising network: noisy latent, timestep and context to predicted noise.
#[derive(Debug)]
pub struct UNet {
    config: UNetConfig,
    conv_in: Conv2d,
    time_embedding: TimeEmbedding,
    down_blocks: Vec<DownBlock>,
    mid_block: MidBlock,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl UNet {
    /// Builds the network of `config` from `scope`.
    pub fn new(scope: &Scope<'_>, config: UNetConfig) -> Self {
        let first = config.block_out_channels[0];
        let levels = 0..config.block_out_channels.len();
        Self {
            conv_in: Conv2d::new(&scope.sub("conv_in"), config.in_channels, first, 3),
            time_embedding: TimeEmbedding::new(
                &scope.sub("time_embedding"),
                first,
                config.time_width(),
            ),
            down_blocks: levels
                .clone()
                .map(|i| DownBlock::new(scope, &config, i))
                .collect(),
            mid_block: MidBlock::new(scope, &config),
            up_blocks: levels.map(|i| UpBlock::new(scope, &config, i)).collect(),
            conv_norm_out: GroupNorm::new(
                &scope.sub("conv_norm_out"),
                first,
                config.norm_num_groups,
                config.norm_eps,
            ),
            conv_out: Conv2d::zeroed(&scope.sub("conv_out"), first, config.out_channels, 3),
            config,
        }
    }

    /// The sizes it was built with.
    pub fn config(&self) -> &UNetConfig {
        &self.config
    }

    /// Predicted noise `[batch, out_channels, H, W]`.
    ///
    /// # Shapes
    /// `x` `[batch, in_channels, H, W]`, `timesteps` `[batch]` integers, `context.tokens` `[batch, tokens, cross_attention_dim]`;
    /// `H` and `W` are multiples of `2^(levels - 1)`.
    pub fn forward(
        &self,
        x: &Tensor,
        timesteps: &Tensor,
        context: &Context,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let embedding = sinusoid(timesteps, self.config.block_out_channels[0]).to_kind(x.kind());
        let embedding = self.time_embedding.forward(&embedding);
        probe.block("time_embedding", &embedding);
        let time = embedding.silu();
        let mut h = self.conv_in.forward(&channels_last(x));
        let mut skips = vec![h.shallow_clone()];
        for block in &self.down_blocks {
            h = block.forward(h, &time, context, &mut skips, probe);
        }
        h = self.mid_block.forward(&h, &time, context, probe);
        for block in &self.up_blocks {
            h = block.forward(h, &time, context, &mut skips, probe);
        }
        self.conv_out
            .forward(&self.conv_norm_out.forward(&h).silu())
    }

    /// Timesteps as the network takes them: one value for a whole batch.
    pub fn timesteps(&self, t: i64, batch: i64, device: tch::Device) -> Tensor {
        Tensor::full([batch], t, (Kind::Int64, device))
    }
}
