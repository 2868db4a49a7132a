//! PASD's `ControlNet`, a second encoder for the low-resolution picture. Tensor names follow its authors' `ControlNetModel`, which
//! is that of diffusers.

use tch::Tensor;

use super::config::UNetConfig;
use super::encoder::Encoder;
use crate::layers::{Conv2d, Padding, channels_last};
use crate::limits::{LEVELS, WIDTH, count_within, within};
use crate::probe::{Context, NoProbe};
use crate::scope::Scope;

/// What a [`ControlNet`] adds to a UNet.
#[derive(Debug)]
pub struct Residuals {
    /// One for every skip, in their order, each as large and with as many channels.
    pub down: Vec<Tensor>,
    /// For the middle block's output.
    pub middle: Tensor,
    /// Factor on what is added, `[batch, 1, 1, 1]`, but not on what pixel attentions read; 1 without one. A training can leave the
    /// additions out so that the picture has to come through the attentions.
    pub share_added: Option<Tensor>,
}

/// From a picture to features of a latent's size, an eighth in the published models: a `ControlNet`'s conditioning embedding, from which
/// PASD also branches off small pictures for its training.
#[derive(Debug)]
pub struct ConditioningEmbedding {
    conv_in: Conv2d,
    blocks: Vec<Conv2d>,
    conv_out: Conv2d,
    to_rgbs: Vec<Conv2d>,
}

impl ConditioningEmbedding {
    /// Whether one of these `channels` can be built.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn check(channels: &[i64]) -> Result<(), String> {
        let resolutions = 2..=*LEVELS.end();
        count_within(
            "resolutions of the conditioning embedding",
            channels.len(),
            &resolutions,
        )?;
        let key = "channels of the conditioning embedding";
        channels
            .iter()
            .try_for_each(|&found| within(key, found, &WIDTH))
    }

    /// Builds it with `channels` at its resolutions (`conditioning_embedding_out_channels`), four in the published models and at least
    /// two, and `outputs` at its end.
    pub fn new(scope: &Scope<'_>, channels: &[i64], outputs: i64) -> Self {
        let mut blocks = Vec::new();
        let mut to_rgbs = Vec::new();
        let last = channels[channels.len() - 1];
        for (level, pair) in channels.windows(2).enumerate() {
            let &[from, to] = pair else { continue };
            let block = |i: usize| scope.sub(format_args!("blocks.{i}"));
            blocks.push(Conv2d::new(&block(2 * level), from, from, 3));
            let strided = block(2 * level + 1);
            blocks.push(Conv2d::strided(&strided, from, to, Padding::Same));
            let rgb = scope.sub(format_args!("to_rgbs.{level}"));
            to_rgbs.push(Conv2d::new(&rgb, to, 3, 3));
        }
        Self {
            conv_in: Conv2d::new(&scope.sub("conv_in"), 3, channels[0], 3),
            blocks,
            conv_out: Conv2d::zeroed(&scope.sub("conv_out"), last, outputs, 3),
            to_rgbs,
        }
    }

    /// `picture` `[batch, 3, 8H, 8W]`, 0 to 1, to `[batch, outputs, H, W]`.
    pub fn forward(&self, picture: &Tensor) -> Tensor {
        self.embed(&self.features(picture))
    }

    /// The pictures at a half, a quarter and an eighth of the size that training compares with the true ones; sampling has no use
    /// for them.
    pub fn pictures(&self, picture: &Tensor) -> Vec<Tensor> {
        self.small_pictures(&self.features(picture))
    }

    /// [`ConditioningEmbedding::forward`] and [`ConditioningEmbedding::pictures`] in one pass, for training.
    pub fn forward_with_pictures(&self, picture: &Tensor) -> (Tensor, Vec<Tensor>) {
        let features = self.features(picture);
        (self.embed(&features), self.small_pictures(&features))
    }

    fn embed(&self, features: &[Tensor]) -> Tensor {
        self.conv_out.forward(&features[features.len() - 1])
    }

    fn small_pictures(&self, features: &[Tensor]) -> Vec<Tensor> {
        let rgb = |(conv, features): (&Conv2d, &Tensor)| conv.forward(features);
        self.to_rgbs.iter().zip(features).map(rgb).collect()
    }

    /// The output of each strided convolution.
    fn features(&self, picture: &Tensor) -> Vec<Tensor> {
        let mut h = self.conv_in.forward(&channels_last(picture)).silu();
        let levels = self.blocks.chunks(2).map(|level| {
            for conv in level {
                h = conv.forward(&h).silu();
            }
            h.shallow_clone()
        });
        levels.collect()
    }
}

/// PASD's `ControlNet` (Zhang et al. 2023, Yang et al. 2023): a second encoder that sees the low-resolution picture, each of its
/// features through a 1×1 convolution that starts at zero.
#[derive(Debug)]
pub struct ControlNet {
    encoder: Encoder,
    conditioning: ConditioningEmbedding,
    down: Vec<Conv2d>,
    middle: Conv2d,
}

impl ControlNet {
    /// Builds the encoder half of the UNet of `config` and what belongs to it.
    pub fn new(scope: &Scope<'_>, config: &UNetConfig, conditioning: &[i64]) -> Self {
        let first = config.block_out_channels[0];
        let levels = config.block_out_channels.len();
        let widths = config.block_out_channels.iter().enumerate();
        // A feature of every layer, and of the downsampling at every level but the lowest.
        let per_level = widths.flat_map(|(level, &width)| {
            let features = config.layers_per_block + usize::from(level + 1 < levels);
            std::iter::repeat_n(width, features)
        });
        let widths: Vec<i64> = std::iter::once(first).chain(per_level).collect();
        let zero = |name: &str, width: i64| Conv2d::zeroed(&scope.sub(name), width, width, 1);
        Self {
            encoder: Encoder::new(scope, config),
            conditioning: ConditioningEmbedding::new(
                &scope.sub("controlnet_cond_embedding"),
                conditioning,
                first,
            ),
            down: widths
                .iter()
                .enumerate()
                .map(|(i, &width)| zero(&format!("controlnet_down_blocks.{i}"), width))
                .collect(),
            middle: zero(
                "controlnet_mid_block",
                config.block_out_channels[levels - 1],
            ),
        }
    }

    /// The embedding alone. It depends on the picture only, so one serves all steps of a run.
    pub fn conditioning(&self) -> &ConditioningEmbedding {
        &self.conditioning
    }

    /// The residuals, each times `scale`.
    ///
    /// # Shapes
    /// `x`, `timesteps` and `context` as in [`super::UNet::forward`]; `hint` `[batch or 1, channels, H, W]`, what
    /// [`ConditioningEmbedding::forward`] makes of the picture.
    pub fn forward(
        &self,
        x: &Tensor,
        hint: &Tensor,
        timesteps: &Tensor,
        context: &Context,
        scale: f64,
    ) -> Residuals {
        let time = self.encoder.time(timesteps, x.kind(), &mut NoProbe);
        let mut h = self.encoder.conv_in(x) + hint;
        let mut features = vec![h.shallow_clone()];
        for block in self.encoder.down_blocks() {
            h = block.forward(h, &time, context, &mut features, &mut NoProbe);
        }
        let h = self
            .encoder
            .mid_block()
            .forward(&h, &time, context, &mut NoProbe);
        let zeros = self.down.iter().zip(&features);
        Residuals {
            down: zeros
                .map(|(zero, feature)| zero.forward(feature) * scale)
                .collect(),
            middle: self.middle.forward(&h) * scale,
            share_added: None,
        }
    }
}
