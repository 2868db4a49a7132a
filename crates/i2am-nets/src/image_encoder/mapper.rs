//! Paint-by-Example's mapper: transformer blocks on the pooled token of the picture. Tensor names are those of diffusers'
//! `PaintByExampleMapper`; shapes stay `[batch, tokens, width]`.

use tch::Tensor;

use crate::layers::{Attention, AttentionShape, Bias, FeedForward, Gate, LayerNorm};
use crate::scope::Scope;

/// One block: single-head self-attention and feed-forward, pre-normalized and residual.
#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    attn1: Attention,
    norm3: LayerNorm,
    ff: FeedForward,
}

/// Transformer blocks between the tower and the projection. With one token its attention is a linear map.
#[derive(Debug)]
pub struct Mapper {
    blocks: Vec<Block>,
}

impl Mapper {
    /// `layers` blocks of `width`.
    pub fn new(scope: &Scope<'_>, width: i64, layers: usize) -> Self {
        let shape = AttentionShape {
            width,
            context: width,
            heads: 1,
            projection_bias: Bias::Yes,
        };
        let block = |i: usize| {
            let scope = scope.sub(format_args!("blocks.{i}"));
            Block {
                norm1: LayerNorm::new(&scope.sub("norm1"), width, 1e-5),
                attn1: Attention::new(&scope.sub("attn1"), shape),
                norm3: LayerNorm::new(&scope.sub("norm3"), width, 1e-5),
                ff: FeedForward::new(&scope.sub("ff"), width, Gate::Gelu),
            }
        };
        Self {
            blocks: (0..layers).map(block).collect(),
        }
    }

    /// `[batch, tokens, width]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.blocks.iter().fold(x.shallow_clone(), |x, block| {
            let x = block.attn1.forward_own(&block.norm1.forward(&x)) + x;
            block.ff.forward(&block.norm3.forward(&x)) + x
        })
    }
}
