//! CLIP's vision tower with its own projection, under the tensor names of `CLIPVisionModelWithProjection` of the transformers library.

use std::path::Path;

use tch::{Device, Tensor};

use super::{ClipVision, ImageEncoderConfig};
use crate::layers::{Bias, Linear};
use crate::layout::Checkpoint;
use crate::scope::Scope;
use crate::source::{CheckpointSource, ExpectedSource};
use crate::{NetError, Precision};

/// What the network is called in full tensor names, where it is alone in a file.
const NETWORK: &str = "clip";

/// A picture to CLIP's embedding, or to the states of its patches.
#[derive(Debug)]
pub struct ClipEmbedder {
    config: ImageEncoderConfig,
    clip: ClipVision,
    visual_projection: Linear,
}

impl ClipEmbedder {
    /// Reads the vision tower out of one of `OpenAI`'s models as the transformers library saves them: `model.safetensors` or
    /// `pytorch_model.bin`. The text tower is left alone.
    ///
    /// # Errors
    /// A file that cannot be read, or in which a tensor is missing or has another shape.
    pub fn open(path: &Path, precision: Precision, device: Device) -> Result<Self, NetError> {
        let checkpoint = checkpoint(path)?;
        let config = ImageEncoderConfig::of_single(&checkpoint, NETWORK)?;
        let source = CheckpointSource::new(&checkpoint, precision, device);
        let network = Self::new(&Scope::root(&source, NETWORK), config);
        source.finish()?;
        Ok(network)
    }

    /// The sizes of the network in the file `path`, in which [`ClipEmbedder::open`] will find every tensor; they are not read.
    ///
    /// # Errors
    /// As [`ClipEmbedder::open`].
    pub fn check(path: &Path) -> Result<ImageEncoderConfig, NetError> {
        let checkpoint = checkpoint(path)?;
        let config = ImageEncoderConfig::of_single(&checkpoint, NETWORK)?;
        let expected = ExpectedSource::new();
        Self::new(&Scope::root(&expected, NETWORK), config.clone());
        checkpoint.examine(&expected)?.require_sound(path)?;
        Ok(config)
    }

    /// Builds the network of `config`: `vision_model` and `visual_projection`.
    pub fn new(scope: &Scope<'_>, config: ImageEncoderConfig) -> Self {
        Self {
            clip: ClipVision::new(&scope.sub("vision_model"), &config),
            visual_projection: Linear::new(
                &scope.sub("visual_projection"),
                config.hidden_size,
                config.projection_dim,
                Bias::No,
            ),
            config,
        }
    }

    /// The sizes it was built with.
    pub fn config(&self) -> &ImageEncoderConfig {
        &self.config
    }

    /// The projected class token: `[batch, 3, image_size, image_size]`, normalized as CLIP's, to `[batch, projection_dim]`.
    pub fn embedding(&self, pixels: &Tensor) -> Tensor {
        self.visual_projection.forward(&self.clip.forward(pixels))
    }

    /// The class token and one for each patch, row-major, after the last layer but one and without a last normalization:
    /// `[batch, 1 + patches, hidden_size]`.
    pub fn states(&self, pixels: &Tensor) -> Tensor {
        self.clip.penultimate(pixels)
    }
}

/// The vision tower of the file `path`; positions that only count up are in some files and in none of ours.
fn checkpoint(path: &Path) -> Result<Checkpoint, NetError> {
    let own = |name: &str| {
        let vision = name.starts_with("vision_model.") && !name.ends_with("position_ids");
        (vision || name.starts_with("visual_projection.")).then(|| name.to_owned())
    };
    Checkpoint::open_single(path, NETWORK, own)
}
