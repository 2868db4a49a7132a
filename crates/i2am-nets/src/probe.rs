//! What a cross-attention layer shows while a network runs, and how a probe may change it. Queries are `[batch, heads, H*W, d]`,
//! keys `[batch, heads, tokens, d]`.

use tch::Tensor;

/// What one cross-attention layer saw in one forward pass.
pub struct Observation<'a> {
    /// Layer name below its network, e.g. `down_blocks.0.attentions.0.transformer_blocks.0.attn2`.
    pub layer: &'a str,
    /// Queries, `[batch, heads, H*W, d]`, in the network's precision.
    pub query: &'a Tensor,
    /// Keys, `[batch, heads, tokens, d]`.
    pub key: &'a Tensor,
    /// Factor on `query · key` before the softmax: `d^-0.5`.
    pub scale: f64,
    /// Height and width of the query positions.
    pub grid: (i64, i64),
    /// Height and width of the reference feature map whose positions are the keys; `None` for pooled tokens.
    pub key_grid: Option<(i64, i64)>,
}

/// What a cross-attention layer attends to.
#[derive(Debug)]
pub struct Context {
    /// `[batch, tokens, width]`.
    pub tokens: Tensor,
    /// Height and width, if the tokens are the positions of a feature map, row-major.
    pub grid: Option<(i64, i64)>,
}

impl Context {
    /// Pooled tokens that stand for a whole picture or text.
    pub fn pooled(tokens: Tensor) -> Self {
        Self { tokens, grid: None }
    }

    /// The positions of a feature map `[batch, width, h, w]`.
    pub fn spatial(features: &Tensor) -> Self {
        let size = features.size();
        Self {
            tokens: features.flatten(2, 3).transpose(1, 2),
            grid: Some((size[2], size[3])),
        }
    }
}

/// What to change about one cross-attention in one pass.
#[derive(Debug)]
pub struct Intervention {
    /// The scores that take part, boolean, `[1, 1 or heads, H*W, tokens]`; all without one. Every position must keep a token.
    pub allowed: Option<Tensor>,
    /// A factor on each head's output before `to_out`, `[heads]`; 1 without one. A head at 0 contributes nothing.
    pub factors: Option<Tensor>,
}

/// Watches a forward pass. What it observes are the pass's own tensors, and observing cannot change what the pass computes; only
/// [`AttentionProbe::intervene`] can, and does nothing by default.
pub trait AttentionProbe {
    /// Called by every cross-attention layer with its own queries and keys.
    fn observe(&mut self, seen: &Observation<'_>);

    /// Called after [`AttentionProbe::observe`] with the same tensors. Without an answer the layer computes what it always does, by
    /// the same kernel.
    fn intervene(&mut self, _seen: &Observation<'_>) -> Option<Intervention> {
        None
    }

    /// Called with the output of each named block, for stage-by-stage comparison. Ignored by default.
    fn block(&mut self, _name: &str, _output: &Tensor) {}
}

/// Watches nothing.
pub struct NoProbe;

impl AttentionProbe for NoProbe {
    fn observe(&mut self, _seen: &Observation<'_>) {}
}
