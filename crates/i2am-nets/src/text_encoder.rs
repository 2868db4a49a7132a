//! CLIP's text tower: token numbers to one vector for each token.

mod config;

use tch::Tensor;

pub use config::TextEncoderConfig;

use crate::layers::{ClipLayer, ClipShape, LayerNorm, Sight};
use crate::scope::{Init, Scope};

/// The text encoder of Stable Diffusion v1.
#[derive(Debug)]
pub struct TextEncoder {
    config: TextEncoderConfig,
    token_embedding: Tensor,
    position_embedding: Tensor,
    layers: Vec<ClipLayer>,
    final_layer_norm: LayerNorm,
}

impl TextEncoder {
    /// Builds the network of `config`; its tensors are below `text_model`.
    pub fn new(scope: &Scope<'_>, config: TextEncoderConfig) -> Self {
        let scope = scope.sub("text_model");
        let width = config.hidden_size;
        let embedding = |name: &str, count: i64| {
            let name = format!("embeddings.{name}.weight");
            scope.tensor(&name, &[count, width], Init::Normal(0.02))
        };
        let shape = ClipShape {
            width,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            eps: config.layer_norm_eps,
            activation: config.hidden_act,
        };
        let layer = |i: usize| {
            let scope = scope.sub(format_args!("encoder.layers.{i}"));
            ClipLayer::new(&scope, shape, Sight::Causal)
        };
        Self {
            token_embedding: embedding("token_embedding", config.vocab_size),
            position_embedding: embedding("position_embedding", config.max_position_embeddings),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            final_layer_norm: LayerNorm::new(
                &scope.sub("final_layer_norm"),
                width,
                config.layer_norm_eps,
            ),
            config,
        }
    }

    /// The sizes it was built with.
    pub fn config(&self) -> &TextEncoderConfig {
        &self.config
    }

    /// Token numbers `[batch, tokens]` i64, at most `max_position_embeddings`, to the normalized states after the last layer,
    /// `[batch, tokens, hidden_size]`.
    pub fn forward(&self, tokens: &Tensor) -> Tensor {
        let positions = self.position_embedding.narrow(0, 0, tokens.size()[1]);
        let embedded = Tensor::embedding(&self.token_embedding, tokens, -1, false, false);
        let x = embedded + positions.unsqueeze(0);
        let x = self.layers.iter().fold(x, |x, layer| layer.forward(&x));
        self.final_layer_norm.forward(&x)
    }
}
