//! One layer: self-attention and a two-layer perceptron, both normalized before and scaled after, and residual.

use tch::Tensor;

use super::EPSILON;
use crate::layers::{Bias, LayerNorm, Linear, attend, split_heads};
use crate::scope::{Init, Scope};

/// A layer under the authors' names.
#[derive(Debug)]
pub(super) struct Block {
    heads: i64,
    norm1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    scale1: Tensor,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    scale2: Tensor,
}

impl Block {
    pub(super) fn new(scope: &Scope<'_>, width: i64, inner: i64, heads: i64) -> Self {
        let norm = |name: &str| LayerNorm::new(&scope.sub(name), width, EPSILON);
        let linear = |name: &str, from, to| Linear::new(&scope.sub(name), from, to, Bias::Yes);
        let scale = |name: &str| scope.sub(name).tensor("gamma", &[width], Init::Ones);
        Self {
            heads,
            norm1: norm("norm1"),
            qkv: linear("attn.qkv", width, 3 * width),
            proj: linear("attn.proj", width, width),
            scale1: scale("ls1"),
            norm2: norm("norm2"),
            fc1: linear("mlp.fc1", width, inner),
            fc2: linear("mlp.fc2", inner, width),
            scale2: scale("ls2"),
        }
    }

    /// `[batch, tokens, width]` to the same shape.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let joined = self.qkv.forward(&self.norm1.forward(x));
        let parts = joined.chunk(3, -1);
        let [q, k, v] = [0, 1, 2].map(|part| split_heads(&parts[part], self.heads));
        let x = self.proj.forward(&attend(&q, &k, &v)) * &self.scale1 + x;
        let inner = self.fc1.forward(&self.norm2.forward(&x)).gelu("none");
        self.fc2.forward(&inner) * &self.scale2 + x
    }
}
