//! What Paint-by-Example and its descendants share: the networks, and the way from what a picture is painted after to the picture.

mod pipeline;

use std::path::Path;

use i2am_nets::image_encoder::{ImageEncoder, ImageEncoderConfig};
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{Heads, UNet, UNetConfig};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{ExpectedSource, LoadReport, NetError, Precision, Scope, TensorSource};
use serde::{Deserialize, Serialize};

pub(super) use pipeline::{Conditions, Inpainter};

use super::{ModelFacts, common};
use crate::RunnerError;
use crate::capture::CaptureConfig;
use crate::samplers::SamplerConfig;

/// What is taken of a distribution over latents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Posterior {
    /// A draw, as every published script does.
    #[default]
    Sample,
    /// Its mean: no noise.
    Mean,
}

/// Input channels of the UNet: noisy latent, latent of the picture around the hole, mask.
fn unet_inputs(latent_channels: i64) -> i64 {
    2 * latent_channels + 1
}

/// The sizes of the three networks.
pub(super) struct Sizes {
    pub(super) unet: UNetConfig,
    pub(super) vae: VaeConfig,
    pub(super) image_encoder: ImageEncoderConfig,
}

impl Sizes {
    fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        Ok(Self {
            unet: UNetConfig::of(checkpoint)?,
            vae: VaeConfig::of(checkpoint)?,
            image_encoder: ImageEncoderConfig::of(checkpoint)?,
        })
    }

    fn build(&self, source: &dyn TensorSource) -> Networks {
        Networks {
            unet: UNet::new(&Scope::root(source, "unet"), self.unet.clone()),
            vae: Vae::new(&Scope::root(source, "vae"), self.vae.clone()),
            image_encoder: ImageEncoder::new(
                &Scope::root(source, "image_encoder"),
                self.image_encoder.clone(),
            ),
        }
    }
}

/// The three networks of a checkpoint.
#[derive(Debug)]
pub struct Networks {
    /// Predicts noise.
    pub unet: UNet,
    /// Pictures to latents and back.
    pub vae: Vae,
    /// The reference to its token.
    pub image_encoder: ImageEncoder,
}

/// Whether `checkpoint` holds these networks.
///
/// # Errors
/// What is there instead.
pub(super) fn recognise(checkpoint: &Checkpoint) -> Result<(), String> {
    let inputs = checkpoint
        .shape("unet.conv_in.weight")
        .and_then(|shape| shape.get(1).copied());
    let latent = checkpoint
        .shape("vae.post_quant_conv.weight")
        .and_then(|shape| shape.first().copied());
    let (Some(inputs), Some(latent)) = (inputs, latent) else {
        return Err("no UNet with an autoencoder".to_owned());
    };
    let expected = unet_inputs(latent);
    if inputs != expected {
        return Err(format!(
            "a UNet with {inputs} input channels instead of {expected}"
        ));
    }
    match checkpoint.shape("image_encoder.uncond_vector") {
        Some(_) => Ok(()),
        None => Err("no image encoder with an unconditional vector".to_owned()),
    }
}

/// Compares the tensors of `checkpoint` with what the networks need, without reading any.
pub(super) fn inspect(checkpoint: &Checkpoint) -> Result<LoadReport, NetError> {
    let sizes = Sizes::of(checkpoint)?;
    let expected = ExpectedSource::new();
    sizes.build(&expected);
    Ok(checkpoint.compare(&expected.shapes()))
}

/// The settings of a `[[model]]` table that these families have in common.
pub(super) struct Settings<'a> {
    pub(super) family: &'static str,
    pub(super) checkpoint: &'a Path,
    pub(super) precision: Precision,
    pub(super) sampler: &'a SamplerConfig,
    pub(super) guidance: f64,
    pub(super) posterior: Posterior,
    pub(super) size: Option<[i64; 2]>,
    pub(super) unet_heads: Option<i64>,
    pub(super) clip_heads: Option<i64>,
}

impl Settings<'_> {
    /// Opens the checkpoint and tells the sizes of its networks.
    fn open(&self) -> Result<(Checkpoint, Sizes), RunnerError> {
        let checkpoint = Checkpoint::open(self.checkpoint)?;
        recognise(&checkpoint).map_err(|found| RunnerError::WrongFamily {
            path: self.checkpoint.to_owned(),
            family: self.family,
            found,
        })?;
        let mut sizes = Sizes::of(&checkpoint)?;
        if let Some(heads) = self.unet_heads {
            sizes.unet.attention_head_dim = Heads::Same(heads);
        }
        if let Some(heads) = self.clip_heads {
            sizes.image_encoder.num_attention_heads = heads;
        }
        Ok((checkpoint, sizes))
    }

    /// Height and width of the pictures that the networks see.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] if the networks cannot work at that size.
    fn picture_size(&self, sizes: &Sizes) -> Result<(i64, i64), RunnerError> {
        let factor = sizes.vae.factor();
        // The published models were trained at 64 x 64 latents.
        let side = sizes.unet.sample_size.unwrap_or(64) * factor;
        let multiple = factor * sizes.unet.size_multiple();
        common::checked_size(self.size.unwrap_or([side, side]), multiple)
    }

    /// As [`super::Model::check`].
    pub(super) fn check(&self, capture: Option<&CaptureConfig>) -> Result<ModelFacts, RunnerError> {
        let (checkpoint, sizes) = self.open()?;
        let expected = ExpectedSource::new();
        sizes.build(&expected);
        let size = self.picture_size(&sizes)?;
        common::facts(
            &checkpoint,
            &expected,
            self.sampler,
            capture,
            Some(size),
            common::wants,
        )
    }
}
