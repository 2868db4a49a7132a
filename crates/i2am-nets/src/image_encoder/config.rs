//! Sizes of the image encoder, read from diffusers' `image_encoder/config.json` or inferred from the shapes of the tensors.

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::layers::Activation;
use crate::layout::{Checkpoint, Rule, Shapes};
use crate::limits::{TOWER, WIDTH, count_within, divides, positive, within};

/// Sizes of an [`super::ImageEncoder`] or a [`super::ClipEmbedder`], under the names of diffusers' `image_encoder/config.json`.
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
    /// Width of the context token, or of CLIP's image embedding.
    pub projection_dim: i64,
    /// Inside the tower's feed-forward layers.
    #[serde(default)]
    pub hidden_act: Activation,
    /// Blocks of the mapper; not in the file, counted in the tensors.
    #[serde(skip)]
    pub mapper_layers: usize,
}

fn layer_norm_eps() -> f64 {
    1e-5
}

/// Width of a head in every published CLIP tower; files without a configuration do not say.
const CLIP_HEAD_WIDTH: i64 = 64;

/// Keys of `image_encoder/config.json`.
const KEYS: &[(&str, Rule)] = &[
    ("hidden_size", Rule::Count),
    ("intermediate_size", Rule::Count),
    ("num_hidden_layers", Rule::Count),
    ("num_attention_heads", Rule::Count),
    ("image_size", Rule::Count),
    ("patch_size", Rule::Count),
    ("layer_norm_eps", Rule::OptionalNumber),
    ("projection_dim", Rule::Count),
];

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
            hidden_act: Activation::QuickGelu,
            mapper_layers: 5,
        }
    }

    /// `OpenCLIP` ViT-H/14 without a mapper, as IP-Adapter uses it.
    pub fn clip_vit_h14() -> Self {
        Self {
            hidden_size: 1280,
            intermediate_size: 5120,
            num_hidden_layers: 32,
            num_attention_heads: 16,
            image_size: 224,
            patch_size: 14,
            layer_norm_eps: layer_norm_eps(),
            projection_dim: 1024,
            hidden_act: Activation::Gelu,
            mapper_layers: 0,
        }
    }

    /// Height and width of the map of patches.
    pub fn patches(&self) -> (i64, i64) {
        let side = self.image_size / self.patch_size;
        (side, side)
    }

    /// Whether a network of these sizes can be built.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn check(&self) -> Result<(), String> {
        for (key, found) in [
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("image_size", self.image_size),
            ("projection_dim", self.projection_dim),
        ] {
            within(key, found, &WIDTH)?;
        }
        within("patch_size", self.patch_size, &(1..=self.image_size))?;
        count_within("num_hidden_layers", self.num_hidden_layers, &TOWER)?;
        positive("layer_norm_eps", self.layer_norm_eps, 1.0)
    }

    /// Whether the attention heads divide the width. It is asked apart, because no tensor tells their number.
    ///
    /// # Errors
    /// As [`ImageEncoderConfig::check`].
    pub fn check_heads(&self) -> Result<(), String> {
        let heads = self.num_attention_heads;
        divides(
            "num_attention_heads",
            heads,
            "hidden_size",
            self.hidden_size,
        )
    }

    /// Read from `image_encoder/config.json` if the checkpoint has one, else inferred from tensor shapes.
    ///
    /// # Errors
    /// [`NetError::Config`] for a value that is not built here, [`NetError::Infer`] if a telling tensor is missing.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let shapes = Shapes::new(checkpoint, "image_encoder");
        let mapper_layers = shapes.count("mapper.blocks");
        let Some(file) = checkpoint.config("image_encoder") else {
            let config = Self {
                mapper_layers,
                ..Self::infer(&shapes)?
            };
            return checkpoint
                .inferred("image_encoder", config.check())
                .map(|()| config);
        };
        file.reject_other("hidden_act", &["quick_gelu".into()])?;
        let config = Self {
            mapper_layers,
            ..file.parse(KEYS)?
        };
        let checked = config.check().and_then(|()| config.check_heads());
        checked.map_err(|reason| file.refuse(reason))?;
        Ok(config)
    }

    /// The sizes of a [`super::ClipEmbedder`], read from `image_encoder/config.json`; `None` if the checkpoint has no such folder.
    ///
    /// # Errors
    /// [`NetError::Config`] for a value that is not built here.
    pub fn of_embedder(checkpoint: &Checkpoint) -> Result<Option<Self>, NetError> {
        let Some(file) = checkpoint.config("image_encoder") else {
            return Ok(None);
        };
        file.reject_other("hidden_act", &["quick_gelu".into(), "gelu".into()])?;
        let config: Self = file.parse(KEYS)?;
        let checked = config.check().and_then(|()| config.check_heads());
        checked.map_err(|reason| file.refuse(reason))?;
        Ok(Some(config))
    }

    fn infer(shapes: &Shapes<'_>) -> Result<Self, NetError> {
        let tower = "model.vision_model";
        Self::infer_from(shapes, tower, "proj_out.weight")
    }

    /// The sizes of a tower of `OpenAI`'s in the one file `checkpoint` of `network`, whose names are those of a [`super::ClipEmbedder`].
    ///
    /// # Errors
    /// [`NetError::Infer`] if a telling tensor is missing, [`NetError::Layout`] if no network has such sizes.
    pub(super) fn of_single(
        checkpoint: &Checkpoint,
        network: &'static str,
    ) -> Result<Self, NetError> {
        let shapes = Shapes::new(checkpoint, network);
        let config = Self::infer_from(&shapes, "vision_model", "visual_projection.weight")?;
        let checked = config.check().and_then(|()| config.check_heads());
        checkpoint.inferred(network, checked).map(|()| config)
    }

    fn infer_from(shapes: &Shapes<'_>, tower: &str, projection: &str) -> Result<Self, NetError> {
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
            projection_dim: shapes.axis(projection, 0)?,
            hidden_act: Activation::QuickGelu,
            mapper_layers: 0,
        })
    }
}
