//! Sizes of the text encoder, read from diffusers' `text_encoder/config.json`.

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::layers::Activation;
use crate::layout::Checkpoint;

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

    /// Read from `text_encoder/config.json`; `None` if the checkpoint has no such folder.
    ///
    /// # Errors
    /// [`NetError::Config`] for a value that is not built here.
    pub fn of(checkpoint: &Checkpoint) -> Result<Option<Self>, NetError> {
        let Some(file) = checkpoint.config("text_encoder") else {
            return Ok(None);
        };
        file.reject_other("hidden_act", &["quick_gelu".into(), "gelu".into()])?;
        file.parse().map(Some)
    }
}
