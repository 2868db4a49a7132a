//! PASD's pixel-aware attentions, in which the way up attends to the features of a `ControlNet`. Tensor names follow its authors'
//! `UNet2DConditionModel`.

use tch::Tensor;

use super::config::UNetConfig;
use super::controlnet::Residuals;
use super::joining::Joining;
use crate::layers::{BlockShape, CrossAttention, PlusAttention, SpatialTransformer};
use crate::probe::{AttentionProbe, Context};
use crate::scope::Scope;

/// The two published ways in which the decoder attends to the low-resolution picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelKind {
    /// PASD: a transformer of its own behind every layer, 12 in the published model.
    Modules,
    /// PASD-light: one more attention inside the transformers that are there, 9 in the published model.
    Plus,
}

/// What one layer of the way up has.
#[derive(Debug)]
enum Layer {
    Module(SpatialTransformer),
    Plus(PlusAttention),
    /// PASD-light's layers of the lowest resolution, which have no transformer.
    None,
}

/// PASD's pixel-aware cross-attentions (Yang et al. 2023): keys and values are the positions of a [`super::ControlNet`]'s residuals.
///
/// Tensors are `up_blocks.B.pixel_attentions.J.*`, or inside `up_blocks.B.attentions.J` what ends in `_plus`; next to the UNet's own.
#[derive(Debug)]
pub struct PixelAttentions {
    layers: Vec<Layer>,
}

impl PixelAttentions {
    /// Whether the heads of the UNet of `config` divide the channels of those that belong to it.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn check(config: &UNetConfig, kind: PixelKind) -> Result<(), String> {
        let all = 0..config.block_out_channels.len();
        all.filter(|&level| kind == PixelKind::Modules || config.has_attention(level))
            .try_for_each(|level| config.check_heads_at(level, config.block_out_channels[level]))
    }

    /// Builds those that belong to the UNet of `config`.
    pub fn new(scope: &Scope<'_>, config: &UNetConfig, kind: PixelKind) -> Self {
        let layer = |index: usize, layer: usize, context: i64| {
            let level = config.level_of_up_block(index);
            let shape = BlockShape {
                width: config.block_out_channels[level],
                context,
                heads: config.attention_head_dim.at(level),
                groups: config.norm_num_groups,
                depth: config.transformer_layers_per_block,
                cross: CrossAttention::Single,
            };
            let below = |name: &str| scope.sub(format_args!("up_blocks.{index}.{name}.{layer}"));
            match kind {
                PixelKind::Modules => {
                    Layer::Module(SpatialTransformer::new(&below("pixel_attentions"), &shape))
                }
                PixelKind::Plus if config.has_attention(level) => {
                    Layer::Plus(PlusAttention::new(&below("attentions"), &shape))
                }
                PixelKind::Plus => Layer::None,
            }
        };
        let blocks = 0..config.block_out_channels.len();
        let layers = blocks.flat_map(|index| {
            let layers = config.up_layers(index).into_iter().enumerate();
            layers.map(move |(i, shape)| layer(index, i, shape.skip))
        });
        Self {
            layers: layers.collect(),
        }
    }
}

/// One pass through the decoder with pixel attentions.
pub(super) struct Attending<'a> {
    layers: std::slice::Iter<'a, Layer>,
    residuals: Residuals,
    /// What the current layer has, and the residual at its place.
    current: Option<(&'a Layer, Tensor)>,
}

impl<'a> Attending<'a> {
    pub(super) fn new(pixels: &'a PixelAttentions, residuals: Residuals) -> Self {
        Self {
            layers: pixels.layers.iter(),
            residuals,
            current: None,
        }
    }
}

impl Joining for Attending<'_> {
    fn begin(&mut self, skips: &mut [Tensor], middle: Tensor) -> Tensor {
        assert_eq!(
            skips.len(),
            self.residuals.down.len(),
            "the ControlNet gives one residual for every skip"
        );
        let Residuals {
            down,
            middle: below,
            share_added,
        } = &self.residuals;
        let added = |residual: &Tensor| match share_added {
            None => residual.shallow_clone(),
            Some(share) => residual * share,
        };
        for (skip, residual) in skips.iter_mut().zip(down) {
            *skip = &*skip + added(residual);
        }
        middle + added(below)
    }

    fn before_skip(&mut self, h: Tensor, _probe: &mut dyn AttentionProbe) -> Tensor {
        self.current = self.layers.next().zip(self.residuals.down.pop());
        h
    }

    fn transform(
        &mut self,
        transformer: &SpatialTransformer,
        h: &Tensor,
        context: &Context,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        match &self.current {
            Some((Layer::Plus(plus), residual)) => {
                transformer.forward_plus(h, context, plus, residual, probe)
            }
            _ => transformer.forward(h, context, probe),
        }
    }

    fn after_layer(&mut self, h: Tensor, probe: &mut dyn AttentionProbe) -> Tensor {
        match &self.current {
            Some((Layer::Module(pixel), residual)) => {
                pixel.forward(&h, &Context::spatial(residual), probe)
            }
            _ => h,
        }
    }
}
