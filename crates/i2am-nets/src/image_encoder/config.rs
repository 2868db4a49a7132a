//! Sizes of the image encoder, read from diffusers' `image_encoder/config.json` or inferred from the shapes of the tensors.

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::layout::{Checkpoint, Shapes};

/// Sizes of an [`super::ImageEncoder`], under the names of diffusers' `image_encoder/config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageEncoderConfig {
    /// Width of the tower.
    pub hidden_size: i64,
    /// Width inside the tower's feed-forward layers.
    pub intermediate_size: i64,
    /// Layers of the tower.
    pub num_hidden_layers: usize,
    /// Attention heads of the tower.
    pub num_attention_heads: i64,
    /// Height and width of the input picture.
    pub image_size: i64,
    /// Height and width of a patch.
    pub patch_size: i64,
    /// Epsilon of the tower's normalizations.
    #[serde(default = "layer_norm_eps")]
    pub layer_norm_eps: f64,
    /// Width of the context token.
    pub projection_dim: i64,
    /// Blocks of the mapper; not in the file, counted in the tensors.
    #[serde(skip)]
    pub mapper_layers: usize,
}

fn layer_norm_eps() -> f64 {
    1e-5
}

/// Width of a head in every published CLIP tower; files without a configuration do not say.
const CLIP_HEAD_WIDTH: i64 = 64;

impl ImageEncoderConfig {
    /// CLIP ViT-L/14 with a mapper of five blocks, as Paint-by-Example, DCI-VTON and `StableVITON` use it.
    pub fn clip_vit_l14() -> Self {
        Self {
            hidden_size: 1024,
            intermediate_size: 4096,
            num_hidden_layers: 24,
            num_attention_heads: 16,
            image_size: 224,
            patch_size: 14,
            layer_norm_eps: layer_norm_eps(),
            projection_dim: 768,
            mapper_layers: 5,
        }
    }

    /// Read from `image_encoder/config.json` if the checkpoint has one, else inferred from tensor shapes.
    ///
    /// # Errors
    /// [`NetError::Config`] for a value that is not built here, [`NetError::Infer`] if a telling tensor is missing.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let shapes = Shapes::new(checkpoint, "image_encoder");
        let mapper_layers = shapes.count("mapper.blocks");
        let Some(file) = checkpoint.config("image_encoder") else {
            return Ok(Self {
                mapper_layers,
                ..Self::infer(&shapes)?
            });
        };
        file.reject_other("hidden_act", &["quick_gelu".into()])?;
        Ok(Self {
            mapper_layers,
            ..file.parse()?
        })
    }

    fn infer(shapes: &Shapes<'_>) -> Result<Self, NetError> {
        let tower = "model.vision_model";
        let patch = format!("{tower}.embeddings.patch_embedding.weight");
        let hidden_size = shapes.axis(&patch, 0)?;
        let patch_size = shapes.axis(&patch, 2)?;
        let positions = shapes.axis(&format!("{tower}.embeddings.position_embedding.weight"), 0)?;
        let patches_per_side = ((positions - 1) as f64).sqrt().round() as i64;
        Ok(Self {
            hidden_size,
            intermediate_size: shapes
                .axis(&format!("{tower}.encoder.layers.0.mlp.fc1.weight"), 0)?,
            num_hidden_layers: shapes.count(&format!("{tower}.encoder.layers")),
            num_attention_heads: (hidden_size / CLIP_HEAD_WIDTH).max(1),
            image_size: patches_per_side * patch_size,
            patch_size,
            layer_norm_eps: layer_norm_eps(),
            projection_dim: shapes.axis("proj_out.weight", 0)?,
            mapper_layers: 0,
        })
    }
}
