//! Multi-head attention under the tensor names of diffusers' `Attention` (`to_q`, `to_k`, `to_v`, `to_out.0`), and where a probe
//! looks in. Tokens are `[batch, tokens, width]`; queries and keys are shown as `[batch, heads, tokens, width / heads]`.

use tch::Tensor;

use super::linear::{Bias, Linear};
use crate::probe::{AttentionProbe, Context, Intervention, Observation};
use crate::scope::Scope;

/// Sizes of an [`Attention`] layer.
#[derive(Debug, Clone, Copy)]
pub struct AttentionShape {
    /// Width of the queries' input and of the output.
    pub width: i64,
    /// Width of what the keys and values are made from.
    pub context: i64,
    /// Number of heads; `width` is split evenly.
    pub heads: i64,
    /// Whether `to_q`, `to_k` and `to_v` have a bias.
    pub projection_bias: Bias,
}

/// Multi-head attention with the tensor names `to_q`, `to_k`, `to_v`, `to_out.0`.
#[derive(Debug)]
pub struct Attention {
    name: String,
    heads: i64,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
}

impl Attention {
    /// Builds the four projections.
    pub fn new(scope: &Scope<'_>, shape: AttentionShape) -> Self {
        let AttentionShape {
            width,
            context,
            heads,
            projection_bias,
        } = shape;
        Self {
            name: scope.path().to_owned(),
            heads,
            to_q: Linear::new(&scope.sub("to_q"), width, width, projection_bias),
            to_k: Linear::new(&scope.sub("to_k"), context, width, projection_bias),
            to_v: Linear::new(&scope.sub("to_v"), context, width, projection_bias),
            to_out: Linear::new(&scope.sub("to_out.0"), width, width, Bias::Yes),
        }
    }

    /// Self-attention over `x` `[batch, positions, width]`.
    pub fn forward_self(&self, x: &Tensor) -> Tensor {
        let [q, k, v] = self.project(x, x);
        self.to_out.forward(&attend(&q, &k, &v))
    }

    /// Attention from `x` `[batch, H*W, width]` to `context`.
    ///
    /// The probe sees the very queries and keys that make the output; it runs in addition to the fused kernel, not instead of it. If it
    /// intervenes, the same kernel leaves out scores, and heads are scaled before they are merged.
    pub fn forward_cross(
        &self,
        x: &Tensor,
        context: &Context,
        grid: (i64, i64),
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let [query, key, value] = self.project(x, &context.tokens);
        let scale = (query.size()[3] as f64).powf(-0.5);
        let (layer, key_grid) = (self.name.as_str(), context.grid);
        let seen = Observation {
            layer,
            query: &query,
            key: &key,
            scale,
            grid,
            key_grid,
        };
        probe.observe(&seen);
        let attended = match probe.intervene(&seen) {
            None => attend(&query, &key, &value),
            Some(change) => attend_changed(&query, &key, &value, &change),
        };
        self.to_out.forward(&attended)
    }

    fn project(&self, x: &Tensor, context: &Tensor) -> [Tensor; 3] {
        [
            split_heads(&self.to_q.forward(x), self.heads),
            split_heads(&self.to_k.forward(context), self.heads),
            split_heads(&self.to_v.forward(context), self.heads),
        ]
    }
}

/// `[batch, positions, width]` to `[batch, heads, positions, width / heads]`; the channels of a head are contiguous.
pub fn split_heads(x: &Tensor, heads: i64) -> Tensor {
    let size = x.size();
    x.reshape([size[0], size[1], heads, size[2] / heads])
        .transpose(1, 2)
}

/// Fused scaled dot-product attention; heads are merged again: `[batch, positions, width]`.
pub fn attend(q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
    merge_heads(&heads_of(q, k, v, None))
}

/// As [`attend`], where a position sees itself and those before it only.
pub fn attend_causal(q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
    let heads =
        Tensor::scaled_dot_product_attention(q, k, v, None::<&Tensor>, 0.0, true, None, false);
    merge_heads(&heads)
}

/// As [`attend`], under an intervention.
fn attend_changed(q: &Tensor, k: &Tensor, v: &Tensor, change: &Intervention) -> Tensor {
    let out = heads_of(q, k, v, change.allowed.as_ref());
    match &change.factors {
        None => merge_heads(&out),
        Some(factors) => merge_heads(&(&out * factors.to_kind(out.kind()).view([1, -1, 1, 1]))),
    }
}

fn heads_of(q: &Tensor, k: &Tensor, v: &Tensor, allowed: Option<&Tensor>) -> Tensor {
    Tensor::scaled_dot_product_attention(q, k, v, allowed, 0.0, false, None, false)
}

fn merge_heads(x: &Tensor) -> Tensor {
    x.transpose(1, 2).flatten(2, 3)
}
