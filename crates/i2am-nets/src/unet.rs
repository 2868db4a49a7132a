//! The Stable Diffusion v1 UNet at any width, depth and number of input channels; and what `StableVITON` and PASD add to it.

mod blocks;
mod config;
mod control;
mod controlnet;
mod encoder;
mod joining;
mod pixel;
mod warp;

use tch::{Kind, Tensor};

pub use blocks::{DownBlock, MidBlock, UpBlock};
pub use config::{Heads, UNetConfig};
pub use control::ControlModel;
pub use controlnet::{ConditioningEmbedding, ControlNet, Residuals};
use encoder::Encoder;
use joining::{Joining, Plain};
use pixel::Attending;
pub use pixel::{PixelAttentions, PixelKind};
pub use warp::WarpBlocks;
use warp::Warping;

use crate::layers::{Conv2d, GroupNorm};
use crate::probe::{AttentionProbe, Context};
use crate::scope::Scope;

/// The denoising network: noisy latent, timestep and context to predicted noise.
#[derive(Debug)]
pub struct UNet {
    config: UNetConfig,
    encoder: Encoder,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl UNet {
    /// Builds the network of `config` from `scope`.
    pub fn new(scope: &Scope<'_>, config: UNetConfig) -> Self {
        let first = config.block_out_channels[0];
        Self {
            encoder: Encoder::new(scope, &config),
            up_blocks: (0..config.block_out_channels.len())
                .map(|i| UpBlock::new(scope, &config, i))
                .collect(),
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
    /// `H` and `W` are best multiples of `2^(levels - 1)`: others are rounded up at every halving and cut again on the way up.
    pub fn forward(
        &self,
        x: &Tensor,
        timesteps: &Tensor,
        context: &Context,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        self.run(x, timesteps, context, &mut Plain, probe)
    }

    /// Predicted noise where features of the reference are warped into the decoder before it takes its skips.
    ///
    /// # Shapes
    /// As [`UNet::forward`]; `features` as [`ControlModel::features`] gives them for the same `x`.
    ///
    /// # Panics
    /// If `features` are fewer than the layers of `warp`.
    pub fn forward_warped(
        &self,
        x: &Tensor,
        timesteps: &Tensor,
        context: &Context,
        warp: &WarpBlocks,
        features: Vec<Tensor>,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let mut joining = Warping::new(warp, features);
        self.run(x, timesteps, context, &mut joining, probe)
    }

    /// Predicted noise where `residuals` are added to the skips and to the middle, and the way up attends to their positions.
    ///
    /// # Shapes
    /// As [`UNet::forward`]; `residuals` as [`ControlNet::forward`] gives them for the same `x`.
    ///
    /// # Panics
    /// If `residuals` are not one for every skip.
    pub fn forward_pixel(
        &self,
        x: &Tensor,
        timesteps: &Tensor,
        context: &Context,
        pixels: &PixelAttentions,
        residuals: Residuals,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let mut joining = Attending::new(pixels, residuals);
        self.run(x, timesteps, context, &mut joining, probe)
    }

    fn run(
        &self,
        x: &Tensor,
        timesteps: &Tensor,
        context: &Context,
        joining: &mut dyn Joining,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let time = self.encoder.time(timesteps, x.kind(), probe);
        let mut h = self.encoder.conv_in(x);
        let mut skips = vec![h.shallow_clone()];
        for block in self.encoder.down_blocks() {
            h = block.forward(h, &time, context, &mut skips, probe);
        }
        h = self.encoder.mid_block().forward(&h, &time, context, probe);
        h = joining.begin(&mut skips, h);
        for block in &self.up_blocks {
            h = block.forward(h, &time, context, &mut skips, joining, probe);
        }
        self.conv_out
            .forward(&self.conv_norm_out.forward(&h).silu())
    }

    /// Timesteps as the network takes them: one value for a whole batch.
    pub fn timesteps(&self, t: i64, batch: i64, device: tch::Device) -> Tensor {
        Tensor::full([batch], t, (Kind::Int64, device))
    }
}
