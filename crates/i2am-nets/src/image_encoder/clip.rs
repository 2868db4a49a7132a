//! CLIP's vision transformer. Tensor names follow `vision_model` of CLIP as the transformers library saves it.
//! Pictures `[batch, 3, H, W]` become the pooled class token `[batch, hidden_size]`.

use tch::Tensor;

use super::config::ImageEncoderConfig;
use crate::layers::{ClipLayer, ClipShape, LayerNorm, Sight, products};
use crate::scope::{Init, Scope};

/// CLIP's vision transformer, up to the pooled class token.
#[derive(Debug)]
pub struct ClipVision {
    patch_size: i64,
    class_embedding: Tensor,
    patch_embedding: Tensor,
    position_embedding: Tensor,
    pre_layernorm: LayerNorm,
    layers: Vec<ClipLayer>,
    post_layernorm: LayerNorm,
}

impl ClipVision {
    /// Builds the tower (`vision_model` in the files).
    pub fn new(scope: &Scope<'_>, config: &ImageEncoderConfig) -> Self {
        let width = config.hidden_size;
        let patch = config.patch_size;
        let positions = (config.image_size / patch).pow(2) + 1;
        let embeddings = scope.sub("embeddings");
        let norm = |name: &str| LayerNorm::new(&scope.sub(name), width, config.layer_norm_eps);
        let shape = ClipShape {
            width,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            eps: config.layer_norm_eps,
            activation: config.hidden_act,
        };
        let layer = |i: usize| {
            let scope = scope.sub(format_args!("encoder.layers.{i}"));
            ClipLayer::new(&scope, shape, Sight::All)
        };
        Self {
            patch_size: patch,
            class_embedding: embeddings.tensor("class_embedding", &[width], Init::Normal(0.02)),
            patch_embedding: embeddings.tensor(
                "patch_embedding.weight",
                &[width, 3, patch, patch],
                Init::FanIn(3 * patch * patch),
            ),
            position_embedding: embeddings.tensor(
                "position_embedding.weight",
                &[positions, width],
                Init::Normal(0.02),
            ),
            // Misspelt in every published file.
            pre_layernorm: norm("pre_layrnorm"),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            post_layernorm: norm("post_layernorm"),
        }
    }

    /// All tokens after the last layer, class token first, before the last normalization: `[batch, tokens, width]`.
    pub fn hidden_states(&self, pixels: &Tensor) -> Tensor {
        self.after(self.layers.len(), pixels)
    }

    /// All tokens after the last layer but one, as [`ClipVision::hidden_states`]: `hidden_states[-2]` of the transformers library.
    pub fn penultimate(&self, pixels: &Tensor) -> Tensor {
        self.after(self.layers.len() - 1, pixels)
    }

    /// All tokens after the first `count` layers.
    fn after(&self, count: usize, pixels: &Tensor) -> Tensor {
        let steps = [self.patch_size, 0];
        let patches = products::conv2d(pixels, &self.patch_embedding, None, steps);
        let patches = patches.flatten(2, 3).transpose(1, 2);
        let batch = patches.size()[0];
        let class = self
            .class_embedding
            .reshape([1, 1, -1])
            .expand([batch, 1, -1], false);
        let x = Tensor::cat(&[class, patches], 1) + self.position_embedding.unsqueeze(0);
        self.layers[..count]
            .iter()
            .fold(self.pre_layernorm.forward(&x), |x, layer| layer.forward(&x))
    }

    /// The normalized class token, `[batch, width]`; patch tokens are dropped.
    pub fn forward(&self, pixels: &Tensor) -> Tensor {
        self.post_layernorm
            .forward(&self.hidden_states(pixels).select(1, 0))
    }
}
