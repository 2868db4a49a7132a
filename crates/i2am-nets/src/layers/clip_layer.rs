//! One layer of CLIP's towers, vision and text, under the tensor names of the transformers library (`layer_norm1`, `self_attn`,
//! `mlp.fc1`, ...). Tokens stay `[batch, tokens, width]`.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::attention::{attend, attend_causal, split_heads};
use super::linear::{Bias, Linear};
use super::norm::LayerNorm;
use crate::scope::Scope;

/// Sizes of a [`ClipLayer`].
#[derive(Debug, Clone, Copy)]
pub struct ClipShape {
    /// Width of the tokens.
    pub width: i64,
    /// Width inside the perceptron.
    pub inner: i64,
    /// Attention heads.
    pub heads: i64,
    /// Epsilon of both normalizations.
    pub eps: f64,
    /// Between the two layers of the perceptron.
    pub activation: Activation,
}

/// The activation of a [`ClipLayer`], as `hidden_act` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// CLIP's own approximation of GELU: `x · sigmoid(1.702 x)`.
    #[default]
    QuickGelu,
    /// GELU itself.
    Gelu,
}

impl Activation {
    fn of(self, x: &Tensor) -> Tensor {
        match self {
            Self::QuickGelu => x * (x * 1.702).sigmoid(),
            Self::Gelu => x.gelu("none"),
        }
    }
}

/// Which tokens a token of a [`ClipLayer`] attends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// All of them, as in the vision tower.
    All,
    /// Itself and those before it, as in the text tower.
    Causal,
}

/// One layer of a CLIP tower: self-attention and a two-layer perceptron, both pre-normalized and residual.
#[derive(Debug)]
pub struct ClipLayer {
    heads: i64,
    sight: Sight,
    activation: Activation,
    layer_norm1: LayerNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    layer_norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl ClipLayer {
    /// Builds the layer.
    pub fn new(scope: &Scope<'_>, shape: ClipShape, sight: Sight) -> Self {
        let ClipShape {
            width,
            inner,
            heads,
            eps,
            activation,
        } = shape;
        let attention = scope.sub("self_attn");
        let linear = |name: &str| Linear::new(&attention.sub(name), width, width, Bias::Yes);
        let norm = |name: &str| LayerNorm::new(&scope.sub(name), width, eps);
        Self {
            heads,
            sight,
            activation,
            layer_norm1: norm("layer_norm1"),
            q_proj: linear("q_proj"),
            k_proj: linear("k_proj"),
            v_proj: linear("v_proj"),
            out_proj: linear("out_proj"),
            layer_norm2: norm("layer_norm2"),
            fc1: Linear::new(&scope.sub("mlp.fc1"), width, inner, Bias::Yes),
            fc2: Linear::new(&scope.sub("mlp.fc2"), inner, width, Bias::Yes),
        }
    }

    /// `[batch, tokens, width]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let h = self.layer_norm1.forward(x);
        let head = |layer: &Linear| split_heads(&layer.forward(&h), self.heads);
        let [q, k, v] = [&self.q_proj, &self.k_proj, &self.v_proj].map(head);
        let attended = match self.sight {
            Sight::All => attend(&q, &k, &v),
            Sight::Causal => attend_causal(&q, &k, &v),
        };
        let x = self.out_proj.forward(&attended) + x;
        let inner = self.fc1.forward(&self.layer_norm2.forward(&x));
        self.fc2.forward(&self.activation.of(&inner)) + x
    }
}
