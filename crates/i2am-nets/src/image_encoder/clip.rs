use tch::Tensor;

use super::config::ImageEncoderConfig;
use crate::layers::{Bias, LayerNorm, Linear, attend, split_heads};
use crate::scope::{Init, Scope};

/// One layer of the tower: self-attention and a two-layer perceptron, both pre-normalised and residual.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the names in the files")]
struct Layer {
    heads: i64,
    layer_norm1: LayerNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    layer_norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Layer {
    fn new(scope: &Scope<'_>, config: &ImageEncoderConfig) -> Self {
        let width = config.hidden_size;
        let attention = scope.sub("self_attn");
        let linear = |name: &str| Linear::new(&attention.sub(name), width, width, Bias::Yes);
        let norm = |name: &str| LayerNorm::new(&scope.sub(name), width, config.layer_norm_eps);
        Self {
            heads: config.num_attention_heads,
            layer_norm1: norm("layer_norm1"),
            q_proj: linear("q_proj"),
            k_proj: linear("k_proj"),
            v_proj: linear("v_proj"),
            out_proj: linear("out_proj"),
            layer_norm2: norm("layer_norm2"),
            fc1: Linear::new(
                &scope.sub("mlp.fc1"),
                width,
                config.intermediate_size,
                Bias::Yes,
            ),
            fc2: Linear::new(
                &scope.sub("mlp.fc2"),
                config.intermediate_size,
                width,
                Bias::Yes,
            ),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let h = self.layer_norm1.forward(x);
        let head = |layer: &Linear| split_heads(&layer.forward(&h), self.heads);
        let x = self.out_proj.forward(&attend(
            &head(&self.q_proj),
            &head(&self.k_proj),
            &head(&self.v_proj),
        )) + x;
        self.fc2.forward(&quick_gelu(
            &self.fc1.forward(&self.layer_norm2.forward(&x)),
        )) + x
    }
}

/// CLIP's own approximation of GELU: `x · sigmoid(1.702 x)`.
fn quick_gelu(x: &Tensor) -> Tensor {
    x * (x * 1.702).sigmoid()
}

/// CLIP's vision transformer, up to the pooled class token.
#[derive(Debug)]
pub struct ClipVision {
    patch_size: i64,
    class_embedding: Tensor,
    patch_embedding: Tensor,
    position_embedding: Tensor,
    pre_layernorm: LayerNorm,
    layers: Vec<Layer>,
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
        let layer = |i: usize| Layer::new(&scope.sub(format_args!("encoder.layers.{i}")), config);
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

    /// All tokens after the last layer, class token first, before the last normalisation: `[batch, tokens, width]`.
    pub fn hidden_states(&self, pixels: &Tensor) -> Tensor {
        let p = self.patch_size;
        let patches = pixels.conv2d(
            &self.patch_embedding,
            None::<&Tensor>,
            [p, p],
            [0, 0],
            [1, 1],
            1,
        );
        let patches = patches.flatten(2, 3).transpose(1, 2);
        let batch = patches.size()[0];
        let class = self
            .class_embedding
            .reshape([1, 1, -1])
            .expand([batch, 1, -1], false);
        let x = Tensor::cat(&[class, patches], 1) + self.position_embedding.unsqueeze(0);
        self.layers
            .iter()
            .fold(self.pre_layernorm.forward(&x), |x, layer| layer.forward(&x))
    }

    /// The normalised class token, `[batch, width]`; patch tokens are dropped.
    pub fn forward(&self, pixels: &Tensor) -> Tensor {
        self.post_layernorm
            .forward(&self.hidden_states(pixels).select(1, 0))
    }
}
