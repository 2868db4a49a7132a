//! Sizes of the text encoder, read from diffusers' `text_encoder/config.json`.

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::layers::Activation;
use crate::layout::{Checkpoint, Rule};
use crate::limits::{TOWER, VOCABULARY, WIDTH, count_within, divides, positive, within};

/// Sizes of a [`super::TextEncoder`], under the names of `text_encoder/config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextEncoderConfig {
    /// Width of the tower.
    pub hidden_size: i64,
    /// Width inside the feed-forward layers.
    pub intermediate_size: i64,
    /// Layers of the tower.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: i64,
    /// Number of tokens there are.
    pub vocab_size: i64,
    /// Longest text in tokens, its start and end among them.
    pub max_position_embeddings: i64,
    /// Epsilon of the normalizations.
    #[serde(default = "layer_norm_eps")]
    pub layer_norm_eps: f64,
    /// Inside the feed-forward layers.
    #[serde(default)]
    pub hidden_act: Activation,
}

fn layer_norm_eps() -> f64 {
    1e-5
}

/// Keys of `text_encoder/config.json`.
const KEYS: &[(&str, Rule)] = &[
    ("hidden_size", Rule::Count),
    ("intermediate_size", Rule::Count),
    ("num_hidden_layers", Rule::Count),
    ("num_attention_heads", Rule::Count),
    ("vocab_size", Rule::Count),
    ("max_position_embeddings", Rule::Count),
    ("layer_norm_eps", Rule::OptionalNumber),
];

impl TextEncoderConfig {
    /// The text tower of CLIP ViT-L/14, as Stable Diffusion v1 uses it.
    pub fn clip_vit_l14() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            vocab_size: 49_408,
            max_position_embeddings: 77,
            layer_norm_eps: layer_norm_eps(),
            hidden_act: Activation::QuickGelu,
        }
    }

    /// Whether a network of these sizes can be built.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn check(&self) -> Result<(), String> {
        for (key, found, range) in [
            ("hidden_size", self.hidden_size, WIDTH),
            ("intermediate_size", self.intermediate_size, WIDTH),
            ("vocab_size", self.vocab_size, VOCABULARY),
            (
                "max_position_embeddings",
                self.max_position_embeddings,
                WIDTH,
            ),
        ] {
            within(key, found, &range)?;
        }
        count_within("num_hidden_layers", self.num_hidden_layers, &TOWER)?;
        positive("layer_norm_eps", self.layer_norm_eps, 1.0)?;
        let heads = self.num_attention_heads;
        divides(
            "num_attention_heads",
            heads,
            "hidden_size",
            self.hidden_size,
        )
    }

    /// Read from `text_encoder/config.json`; `None` if the checkpoint has no such folder.
    ///
    /// # Errors
    /// [`NetError::Config`] for a value that is not built here.
    pub fn of(checkpoint: &Checkpoint) -> Result<Option<Self>, NetError> {
        let Some(file) = checkpoint.config("text_encoder") else {
            return Ok(None);
        };
        file.reject_other("hidden_act", &["quick_gelu".into(), "gelu".into()])?;
        let config: Self = file.parse(KEYS)?;
        config.check().map_err(|reason| file.refuse(reason))?;
        Ok(Some(config))
    }
}
