//! `StableVITON`'s control model, a second encoder for the garment. Tensor names follow its authors' code below `control_model`,
//! with the encoder in diffusers' spelling.

use tch::Tensor;

use super::config::UNetConfig;
use super::encoder::Encoder;
use crate::layers::{Conv2d, channels_last};
use crate::probe::{Context, NoProbe};
use crate::scope::Scope;

/// `StableVITON`'s control model (Kim et al. 2024): a second encoder that sees the garment's latent, and whose features the
/// [`super::WarpBlocks`] of the UNet attend to.
///
/// Unlike a `ControlNet` it has no zero convolutions: its features are keys and values, not additions to the skips.
#[derive(Debug)]
pub struct ControlModel {
    encoder: Encoder,
    cond_first_block: Conv2d,
}

impl ControlModel {
    /// Builds the encoder half of the UNet of `config`, and `cond_first_block` for a hint of `hint_channels`.
    pub fn new(scope: &Scope<'_>, config: &UNetConfig, hint_channels: i64) -> Self {
        let first = config.block_out_channels[0];
        Self {
            encoder: Encoder::new(scope, config),
            cond_first_block: Conv2d::zeroed(
                &scope.sub("cond_first_block"),
                hint_channels,
                first,
                3,
            ),
        }
    }

    /// The features that warp blocks read, in the order of the UNet's skips. Those of the lowest resolution are not among them: the
    /// published decoder throws them away, so they are not computed.
    ///
    /// # Shapes
    /// `x` the UNet's own input `[batch, in_channels, H, W]`; `hint` the scaled latent of the garment
    /// `[batch, hint_channels, H, W]`; `timesteps` and `context` as in [`super::UNet::forward`]. A feature is as large and has as
    /// many channels as the skip at its place.
    pub fn features(
        &self,
        x: &Tensor,
        hint: &Tensor,
        timesteps: &Tensor,
        context: &Context,
    ) -> Vec<Tensor> {
        let levels = self.encoder.down_blocks().len();
        let (mut features, ..) = self.run(x, hint, timesteps, context, levels - 1);
        // The downsampling to the lowest resolution, or without levels below the only feature.
        features.pop();
        features
    }

    /// Every feature that the network defines, the middle block's last; for stage-by-stage comparison.
    pub fn all_features(
        &self,
        x: &Tensor,
        hint: &Tensor,
        timesteps: &Tensor,
        context: &Context,
    ) -> Vec<Tensor> {
        let levels = self.encoder.down_blocks().len();
        let (mut features, h, time) = self.run(x, hint, timesteps, context, levels);
        let middle = self.encoder.mid_block();
        features.push(middle.forward(&h, &time, context, &mut NoProbe));
        features
    }

    /// The features of the first `levels` levels with the downsampling behind them, the last feature again, and the time embedding.
    ///
    /// No probe looks in here: the published method reads the UNet only.
    fn run(
        &self,
        x: &Tensor,
        hint: &Tensor,
        timesteps: &Tensor,
        context: &Context,
        levels: usize,
    ) -> (Vec<Tensor>, Tensor, Tensor) {
        let time = self.encoder.time(timesteps, x.kind(), &mut NoProbe);
        let hint = self.cond_first_block.forward(&channels_last(hint));
        let mut h = self.encoder.conv_in(x) + hint;
        let mut features = vec![h.shallow_clone()];
        for block in &self.encoder.down_blocks()[..levels] {
            h = block.forward(h, &time, context, &mut features, &mut NoProbe);
        }
        (features, h, time)
    }
}
