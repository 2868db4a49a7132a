//! What Paint-by-Example and its descendants share: the networks, and one call of them under guidance.

mod pipeline;

use i2am_nets::image_encoder::{ImageEncoder, ImageEncoderConfig};
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{NetError, Scope, TensorSource};
use serde::{Deserialize, Serialize};

pub(super) use pipeline::{Conditions, Inpainter, Inpainting};

use super::common;
use crate::RunnerError;

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

/// Input channels of the UNet: noisy latent, latent of the image outside the masked region, mask.
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
    pub(super) fn published() -> Self {
        Self {
            unet: UNetConfig::stable_diffusion_v1(9),
            vae: VaeConfig::stable_diffusion_v1(),
            image_encoder: ImageEncoderConfig::clip_vit_l14(),
        }
    }

    pub(super) fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let sizes = Self {
            unet: UNetConfig::of(checkpoint)?,
            vae: VaeConfig::of(checkpoint)?,
            image_encoder: ImageEncoderConfig::of(checkpoint)?,
        };
        common::fit(
            checkpoint,
            &sizes.unet,
            &sizes.vae,
            common::tokens_of(&sizes.image_encoder),
        )?;
        Ok(sizes)
    }

    pub(super) fn build(&self, source: &dyn TensorSource) -> Networks {
        Networks {
            unet: UNet::new(&Scope::root(source, "unet"), self.unet.clone()),
            vae: Vae::new(&Scope::root(source, "vae"), self.vae.clone()),
            image_encoder: ImageEncoder::new(
                &Scope::root(source, "image_encoder"),
                self.image_encoder.clone(),
            ),
        }
    }

    pub(super) fn set_heads(
        &mut self,
        unet: Option<i64>,
        clip: Option<i64>,
    ) -> Result<(), RunnerError> {
        common::set_heads((&mut self.unet, unet), (&mut self.image_encoder, clip))?;
        common::check_groups(&self.unet, &self.vae)
    }

    /// Height and width of the images that the networks see: `asked`, or what they were trained at.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] if the networks cannot work at that size.
    pub(super) fn image_size(&self, asked: Option<[i64; 2]>) -> Result<(i64, i64), RunnerError> {
        let factor = self.vae.factor();
        // The published models were trained at 64 x 64 latents.
        let side = self.unet.sample_size.unwrap_or(64) * factor;
        let multiple = factor * self.unet.size_multiple();
        common::checked_size(asked.unwrap_or([side, side]), multiple)
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
    common::has_unet(checkpoint, unet_inputs)?;
    common::has_image_encoder(checkpoint)
}
