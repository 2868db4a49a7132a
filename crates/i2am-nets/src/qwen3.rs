//! Qwen3 (Qwen team 2025), as far as a reader of its states needs it: a transformer in which every token of a text sees itself and those
//! before it. Under the tensor names of the transformers library; no layer has a bias.

mod config;
mod layer;
mod rotation;

use tch::{Kind, Tensor};

pub use config::Qwen3Config;
use layer::Layer;
use rotation::Rotation;

use crate::scope::{Init, Scope};

/// The transformer up to the last state that is taken.
#[derive(Debug)]
pub struct Qwen3 {
    config: Qwen3Config,
    taken: Vec<usize>,
    embed_tokens: Tensor,
    layers: Vec<Layer>,
}

impl Qwen3 {
    /// Builds the network of `config` as far as the states after the layers `taken` need it; 0 is the embedding of the tokens. The tensors
    /// behind are read by nothing.
    ///
    /// # Panics
    /// If there are fewer layers.
    pub fn new(scope: &Scope<'_>, config: Qwen3Config, taken: &[usize]) -> Self {
        let needed = taken.iter().copied().max().unwrap_or(0);
        assert!(needed <= config.num_hidden_layers, "a layer that is taken");
        let model = scope.sub("model");
        let place = |index: usize| model.sub(format_args!("layers.{index}"));
        for index in needed..config.num_hidden_layers {
            place(index).unread();
        }
        model.sub("norm").unread();
        scope.sub("lm_head").unread();
        let embedding = [config.vocab_size, config.hidden_size];
        Self {
            embed_tokens: model.tensor("embed_tokens.weight", &embedding, Init::Normal(0.02)),
            layers: (0..needed)
                .map(|index| Layer::new(&place(index), &config))
                .collect(),
            taken: taken.to_vec(),
            config,
        }
    }

    /// The sizes it was built with.
    pub fn config(&self) -> &Qwen3Config {
        &self.config
    }

    /// The states after the layers that are taken, none of them normalized, side by side: `[batch, tokens, layers * hidden_size]`.
    ///
    /// # Shapes
    /// `tokens` `[batch, tokens]` i64, numbers below `vocab_size`; `words` `[batch, tokens]` bool, false for what fills a text up, which no
    /// token sees. The first token of a text is a word.
    pub fn forward(&self, tokens: &Tensor, words: &Tensor) -> Tensor {
        let length = tokens.size()[1];
        let device = tokens.device();
        let before = Tensor::ones([length, length], (Kind::Bool, device)).tril(0);
        let seen = words.unsqueeze(1).unsqueeze(1).logical_and(&before);
        let rotation = Rotation::new(&self.config, length, device);
        let mut states = vec![Tensor::embedding(
            &self.embed_tokens,
            tokens,
            -1,
            false,
            false,
        )];
        for (index, layer) in self.layers.iter().enumerate() {
            states.push(layer.forward(&states[index], &rotation, &seen));
        }
        let taken: Vec<&Tensor> = self.taken.iter().map(|&layer| &states[layer]).collect();
        Tensor::cat(&taken, 2)
    }
}
