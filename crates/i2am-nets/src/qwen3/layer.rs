//! One layer: attention in which several heads of queries share one of keys and values, and a gated feed-forward, both pre-normalized and
//! residual. Tokens are `[batch, tokens, hidden_size]`.

use tch::Tensor;

use super::{Qwen3Config, Rotation};
use crate::layers::{Bias, Linear, RmsNorm, attend_shared, split_heads};
use crate::scope::Scope;

#[derive(Debug)]
pub(super) struct Layer {
    heads: i64,
    shared: i64,
    input_layernorm: RmsNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    q_norm: RmsNorm,
    k_norm: RmsNorm,
    post_attention_layernorm: RmsNorm,
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl Layer {
    pub(super) fn new(scope: &Scope<'_>, config: &Qwen3Config) -> Self {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let (heads, shared) = (config.num_attention_heads, config.num_key_value_heads);
        let head = config.head_dim;
        let linear = |name: &str, inputs: i64, outputs: i64| {
            Linear::new(&scope.sub(name), inputs, outputs, Bias::No)
        };
        let norm =
            |name: &str, width: i64| RmsNorm::new(&scope.sub(name), width, config.rms_norm_eps);
        Self {
            heads,
            shared,
            input_layernorm: norm("input_layernorm", width),
            q_proj: linear("self_attn.q_proj", width, heads * head),
            k_proj: linear("self_attn.k_proj", width, shared * head),
            v_proj: linear("self_attn.v_proj", width, shared * head),
            o_proj: linear("self_attn.o_proj", heads * head, width),
            q_norm: norm("self_attn.q_norm", head),
            k_norm: norm("self_attn.k_norm", head),
            post_attention_layernorm: norm("post_attention_layernorm", width),
            gate_proj: linear("mlp.gate_proj", width, inner),
            up_proj: linear("mlp.up_proj", width, inner),
            down_proj: linear("mlp.down_proj", inner, width),
        }
    }

    /// `x` after the layer. `seen` `[batch, 1, tokens, tokens]` says which tokens (last axis) each one sees.
    pub(super) fn forward(&self, x: &Tensor, rotation: &Rotation, seen: &Tensor) -> Tensor {
        let h = self.input_layernorm.forward(x);
        let query = split_heads(&self.q_proj.forward(&h), self.heads);
        let key = split_heads(&self.k_proj.forward(&h), self.shared);
        let value = split_heads(&self.v_proj.forward(&h), self.shared);
        let query = rotation.turned(&self.q_norm.forward(&query));
        let key = rotation.turned(&self.k_norm.forward(&key));
        let read = attend_shared(&query, &key, &value, seen);
        let x = x + self.o_proj.forward(&read);
        let h = self.post_attention_layernorm.forward(&x);
        let gated = self.gate_proj.forward(&h).silu() * self.up_proj.forward(&h);
        x + self.down_proj.forward(&gated)
    }
}
