//! Reference encoders around CLIP's vision tower: Paint-by-Example's, with a mapper and a projection to one context token, and CLIP's own,
//! of which IP-Adapter reads the embedding or the states of all patches.

mod clip;
mod config;
mod embedder;
mod mapper;

use tch::Tensor;

pub use clip::ClipVision;
pub use config::ImageEncoderConfig;
pub use embedder::ClipEmbedder;
pub use mapper::Mapper;

use crate::layers::{Bias, LayerNorm, Linear};
use crate::scope::{Init, Scope};

/// A reference picture to one token, and the learned token that stands for "no reference".
#[derive(Debug)]
pub struct ImageEncoder {
    config: ImageEncoderConfig,
    clip: ClipVision,
    mapper: Mapper,
    final_layer_norm: LayerNorm,
    proj_out: Linear,
    uncond_vector: Tensor,
}

impl ImageEncoder {
    /// Builds the network of `config`.
    pub fn new(scope: &Scope<'_>, config: ImageEncoderConfig) -> Self {
        let width = config.hidden_size;
        Self {
            clip: ClipVision::new(&scope.sub("model.vision_model"), &config),
            mapper: Mapper::new(&scope.sub("mapper"), width, config.mapper_layers),
            final_layer_norm: LayerNorm::new(&scope.sub("final_layer_norm"), width, 1e-5),
            proj_out: Linear::new(
                &scope.sub("proj_out"),
                width,
                config.projection_dim,
                Bias::Yes,
            ),
            uncond_vector: scope.tensor(
                "uncond_vector",
                &[1, 1, config.projection_dim],
                Init::Normal(1.0),
            ),
            config,
        }
    }

    /// The sizes it was built with.
    pub fn config(&self) -> &ImageEncoderConfig {
        &self.config
    }

    /// The conditional token: `[batch, 3, image_size, image_size]`, normalized as CLIP's, to `[batch, 1, projection_dim]`.
    pub fn forward(&self, pixels: &Tensor) -> Tensor {
        let pooled = self.clip.forward(pixels).unsqueeze(1);
        self.proj_out
            .forward(&self.final_layer_norm.forward(&self.mapper.forward(&pooled)))
    }

    /// The unconditional token `[1, 1, projection_dim]`, used as it is: it passes neither mapper nor projection.
    pub fn unconditional(&self) -> &Tensor {
        &self.uncond_vector
    }

    /// The tower alone, for stage-by-stage comparison.
    pub fn clip(&self) -> &ClipVision {
        &self.clip
    }

    /// The mapper alone, for stage-by-stage comparison.
    pub fn mapper(&self) -> &Mapper {
        &self.mapper
    }
}
