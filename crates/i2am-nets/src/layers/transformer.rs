//! The transformer of a UNet's level, under the tensor names of diffusers' `Transformer2DModel`: self-attention `attn1`,
//! cross-attention `attn2` and feed-forward over the positions of a map `[batch, width, H, W]`. PASD-light's second cross-attention
//! keeps its authors' names, which end in `_plus`.

use tch::Tensor;

use super::attention::{Attention, AttentionShape};
use super::conv::Conv2d;
use super::feed_forward::{FeedForward, Gate};
use super::linear::Bias;
use super::norm::{GroupNorm, LayerNorm};
use crate::probe::{AttentionProbe, Context};
use crate::scope::Scope;

/// GroupNorm epsilon of spatial transformers; residual blocks use another.
const NORM_EPS: f64 = 1e-6;
const LAYER_NORM_EPS: f64 = 1e-5;

/// Sizes of the transformer blocks of one resolution.
#[derive(Debug, Clone, Copy)]
pub struct BlockShape {
    /// Width of the positions.
    pub width: i64,
    /// Width of the context tokens.
    pub context: i64,
    /// Attention heads.
    pub heads: i64,
    /// Groups of the normalization before the blocks.
    pub groups: i64,
    /// Blocks in sequence (1 in every Stable Diffusion v1 model).
    pub depth: usize,
    /// Whether and how the blocks attend to a context.
    pub cross: CrossAttention,
}

/// Whether and how transformer blocks attend to a context.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CrossAttention {
    /// By one softmax.
    #[default]
    Single,
    /// By two softmaxes of the same queries, as IP-Adapter adds the second: its projections are `attn2_ip.to_k` and `attn2_ip.to_v`.
    Decoupled,
    /// Not at all: `attn2` is the identity on its normalized input, as in `CatVTON`. The block keeps `norm2`.
    Absent,
}

/// Self-attention, cross-attention and feed-forward, each pre-normalized and residual.
#[derive(Debug)]
pub struct TransformerBlock {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Option<Attention>,
    norm3: LayerNorm,
    ff: FeedForward,
}

impl TransformerBlock {
    /// Builds the block.
    pub fn new(scope: &Scope<'_>, shape: &BlockShape) -> Self {
        let &BlockShape {
            width,
            context,
            heads,
            ..
        } = shape;
        let attention = |context: i64| AttentionShape {
            width,
            context,
            heads,
            projection_bias: Bias::No,
        };
        let norm = |name: &str| LayerNorm::new(&scope.sub(name), width, LAYER_NORM_EPS);
        let (attn2, attn2_ip) = (scope.sub("attn2"), scope.sub("attn2_ip"));
        let listed: &[&Scope<'_>] = match shape.cross {
            CrossAttention::Single => &[&attn2],
            CrossAttention::Decoupled => &[&attn2, &attn2_ip],
            CrossAttention::Absent => {
                attn2.unread();
                &[]
            }
        };
        scope.sub("attn1").attention(heads);
        for scope in listed {
            scope.attention(heads);
        }
        Self {
            norm1: norm("norm1"),
            attn1: Attention::new(&scope.sub("attn1"), attention(width)),
            norm2: norm("norm2"),
            attn2: match shape.cross {
                CrossAttention::Single => Some(Attention::new(&attn2, attention(context))),
                CrossAttention::Decoupled => {
                    Some(Attention::decoupled(&attn2, &attn2_ip, attention(context)))
                }
                CrossAttention::Absent => None,
            },
            norm3: norm("norm3"),
            ff: FeedForward::new(&scope.sub("ff"), width, Gate::Geglu),
        }
    }

    fn forward(
        &self,
        x: &Tensor,
        context: &Context,
        grid: (i64, i64),
        plus: Option<(&PlusBlock, &Context)>,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let normed = self.norm1.forward(x);
        probe.normed(self.attn1.name(), &normed);
        let x = self
            .attn1
            .forward_self(&normed, &context.joint, grid, probe)
            + x;
        let normed = self.norm2.forward(&x);
        let x = match &self.attn2 {
            Some(attn2) => attn2.forward_cross(&normed, context, grid, probe),
            None => normed,
        } + x;
        let x = match plus {
            None => x,
            Some((plus, context)) => plus.forward(&x, context, grid, probe),
        };
        self.ff.forward(&self.norm3.forward(&x)) + x
    }
}

/// What `PASD-light` puts into one transformer block, between its cross-attention and its feed-forward.
#[derive(Debug)]
struct PlusBlock {
    norm: LayerNorm,
    attention: Attention,
}

impl PlusBlock {
    fn new(scope: &Scope<'_>, shape: &BlockShape) -> Self {
        let attention = AttentionShape {
            width: shape.width,
            context: shape.context,
            heads: shape.heads,
            projection_bias: Bias::No,
        };
        scope.sub("attn2_plus").attention(shape.heads);
        Self {
            norm: LayerNorm::new(&scope.sub("norm2_plus"), shape.width, LAYER_NORM_EPS),
            attention: Attention::new(&scope.sub("attn2_plus"), attention),
        }
    }

    fn forward(
        &self,
        x: &Tensor,
        context: &Context,
        grid: (i64, i64),
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let normed = self.norm.forward(x);
        self.attention.forward_cross(&normed, context, grid, probe) + x
    }
}

/// A second cross-attention in a [`SpatialTransformer`] that has its own weights elsewhere: `PASD-light`'s attention to the positions
/// of a feature map, through a 1×1 convolution.
#[derive(Debug)]
pub struct PlusAttention {
    proj_in_plus: Conv2d,
    blocks: Vec<PlusBlock>,
}

impl PlusAttention {
    /// Builds `proj_in_plus`, `transformer_blocks.*.norm2_plus` and `transformer_blocks.*.attn2_plus`; `shape.context` is the width
    /// of the feature map.
    pub fn new(scope: &Scope<'_>, shape: &BlockShape) -> Self {
        let block =
            |i: usize| PlusBlock::new(&scope.sub(format_args!("transformer_blocks.{i}")), shape);
        Self {
            proj_in_plus: Conv2d::new(&scope.sub("proj_in_plus"), shape.context, shape.context, 1),
            blocks: (0..shape.depth).map(block).collect(),
        }
    }
}

/// Transformer blocks over the positions of a feature map, with 1×1 convolutions before and after and a residual around.
#[derive(Debug)]
pub struct SpatialTransformer {
    norm: GroupNorm,
    proj_in: Conv2d,
    transformer_blocks: Vec<TransformerBlock>,
    proj_out: Conv2d,
}

impl SpatialTransformer {
    /// Builds `norm`, `proj_in`, `transformer_blocks.*` and `proj_out`.
    pub fn new(scope: &Scope<'_>, shape: &BlockShape) -> Self {
        let width = shape.width;
        let block = |i: usize| {
            TransformerBlock::new(&scope.sub(format_args!("transformer_blocks.{i}")), shape)
        };
        Self {
            norm: GroupNorm::new(&scope.sub("norm"), width, shape.groups, NORM_EPS),
            proj_in: Conv2d::new(&scope.sub("proj_in"), width, width, 1),
            transformer_blocks: (0..shape.depth).map(block).collect(),
            proj_out: Conv2d::zeroed(&scope.sub("proj_out"), width, width, 1),
        }
    }

    /// `x` `[batch, width, H, W]` to the same shape.
    pub fn forward(&self, x: &Tensor, context: &Context, probe: &mut dyn AttentionProbe) -> Tensor {
        self.run(x, context, None, probe)
    }

    /// The same, where every block also attends to `features` `[batch, channels, h, w]` through `plus`.
    pub fn forward_plus(
        &self,
        x: &Tensor,
        context: &Context,
        plus: &PlusAttention,
        features: &Tensor,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let features = Context::spatial(&plus.proj_in_plus.forward(features));
        self.run(x, context, Some((plus, &features)), probe)
    }

    fn run(
        &self,
        x: &Tensor,
        context: &Context,
        plus: Option<(&PlusAttention, &Context)>,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let size = x.size();
        let grid = (size[2], size[3]);
        let mut h = self
            .proj_in
            .forward(&self.norm.forward(x))
            .flatten(2, 3)
            .transpose(1, 2);
        for (i, block) in self.transformer_blocks.iter().enumerate() {
            let plus = plus.map(|(plus, features)| (&plus.blocks[i], features));
            h = block.forward(&h, context, grid, plus, probe);
        }
        let h = h.transpose(1, 2).reshape(size);
        self.proj_out.forward(&h) + x
    }
}
