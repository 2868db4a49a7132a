//! The networks of an IP-Adapter and their sizes, and one call of those that run at every step.

use i2am_nets::image_encoder::{ClipEmbedder, ImageEncoderConfig};
use i2am_nets::image_projection::{ImageProjection, ImageProjectionConfig};
use i2am_nets::layers::CrossAttention;
use i2am_nets::layout::Checkpoint;
use i2am_nets::text_encoder::{TextEncoder, TextEncoderConfig};
use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{AttentionProbe, Context, NetError, Role, Scope, TensorSource, Tokens};
use tch::Tensor;

use crate::RunnerError;
use crate::families::{common, text};

/// Sizes of the networks.
#[derive(Debug, Clone, PartialEq)]
pub struct IpAdapterSizes {
    /// The UNet, whose cross-attentions have two softmaxes.
    pub unet: UNetConfig,
    /// The autoencoder.
    pub vae: VaeConfig,
    /// The text encoder.
    pub text_encoder: TextEncoderConfig,
    /// CLIP's image encoder.
    pub image_encoder: ImageEncoderConfig,
    /// The projection to image tokens.
    pub projection: ImageProjectionConfig,
}

impl IpAdapterSizes {
    /// The published sizes with `in_channels` input channels of the UNet: 9 for inpainting, or 4.
    pub fn published(in_channels: i64, projection: ImageProjectionConfig) -> Self {
        Self {
            unet: UNetConfig {
                cross: CrossAttention::Decoupled,
                ..UNetConfig::stable_diffusion_v1(in_channels)
            },
            vae: VaeConfig::stable_diffusion_v1(),
            text_encoder: TextEncoderConfig::clip_vit_l14(),
            image_encoder: ImageEncoderConfig::clip_vit_h14(),
            projection,
        }
    }

    /// As `checkpoint` tells, which has been put together.
    ///
    /// # Errors
    /// A configuration that is not built here; [`NetError::Layout`] for a network that is absent or does not fit the others.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let refuse = |reason: String| NetError::Layout {
            path: checkpoint.path().to_owned(),
            reason,
        };
        let unet = UNetConfig {
            cross: CrossAttention::Decoupled,
            ..UNetConfig::of(checkpoint)?
        };
        let vae = VaeConfig::of(checkpoint)?;
        let text_encoder = text::encoder_sizes(checkpoint)?;
        common::fit(checkpoint, &unet, &vae, text::tokens_of(&text_encoder))?;
        let (plain, inpainting) = (vae.latent_channels, 2 * vae.latent_channels + 1);
        if ![plain, inpainting].contains(&unet.in_channels) {
            return Err(refuse(format!(
                "`in_channels` of the UNet: expected {plain}, or {inpainting} for inpainting, found {}",
                unet.in_channels
            )));
        }
        let image_encoder = ImageEncoderConfig::of_embedder(checkpoint)?
            .ok_or_else(|| refuse("expected the folder image_encoder, found none".to_owned()))?;
        let projection = ImageProjectionConfig::of(checkpoint)?;
        let (expected, found) = (unet.cross_attention_dim, projection.width());
        if expected != found {
            return Err(refuse(format!(
                "width of the adapter's image tokens: expected {expected}, as `cross_attention_dim` of the UNet, found {found}"
            )));
        }
        Ok(Self {
            unet,
            vae,
            text_encoder,
            image_encoder,
            projection,
        })
    }

    /// Builds every network from `source`.
    pub fn build(&self, source: &dyn TensorSource) -> IpAdapterNetworks {
        IpAdapterNetworks {
            denoiser: IpAdapterDenoiser::new(
                source,
                &self.unet,
                &self.image_encoder,
                &self.projection,
            ),
            vae: Vae::new(&Scope::root(source, "vae"), self.vae.clone()),
            text_encoder: TextEncoder::new(
                &Scope::root(source, "text_encoder"),
                self.text_encoder.clone(),
            ),
        }
    }

    /// Height and width of the images that the networks see: `asked`, or what the UNet was trained at.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] if the networks cannot work at that size.
    pub(super) fn image_size(&self, asked: Option<[i64; 2]>) -> Result<(i64, i64), RunnerError> {
        let factor = self.vae.factor();
        // Stable Diffusion v1 was trained at 64 x 64 latents.
        let side = self.unet.sample_size.unwrap_or(64) * factor;
        let multiple = factor * self.unet.size_multiple();
        common::checked_size(asked.unwrap_or([side, side]), multiple)
    }
}

/// Builds the projection to image tokens, as the adapter's file names it.
pub(super) fn build_projection(
    config: &ImageProjectionConfig,
    source: &dyn TensorSource,
) -> ImageProjection {
    ImageProjection::new(&Scope::root(source, "image_proj"), config)
}

/// The networks of a checkpoint with an adapter.
#[derive(Debug)]
pub struct IpAdapterNetworks {
    /// The reference to image tokens, and noise from what it is given.
    pub denoiser: IpAdapterDenoiser,
    /// Pictures to latents and back.
    pub vae: Vae,
    /// Texts to what the first softmax reads.
    pub text_encoder: TextEncoder,
}

/// The UNet and what makes its image tokens.
#[derive(Debug)]
pub struct IpAdapterDenoiser {
    unet: UNet,
    image_encoder: ClipEmbedder,
    projection: ImageProjection,
}

impl IpAdapterDenoiser {
    /// Builds `unet`, `image_encoder` and `image_proj`.
    pub fn new(
        source: &dyn TensorSource,
        unet: &UNetConfig,
        image_encoder: &ImageEncoderConfig,
        projection: &ImageProjectionConfig,
    ) -> Self {
        Self {
            unet: UNet::new(&Scope::root(source, "unet"), unet.clone()),
            image_encoder: ClipEmbedder::new(
                &Scope::root(source, "image_encoder"),
                image_encoder.clone(),
            ),
            projection: build_projection(projection, source),
        }
    }

    /// The UNet.
    pub fn unet(&self) -> &UNet {
        &self.unet
    }

    /// CLIP's image encoder.
    pub fn image_encoder(&self) -> &ClipEmbedder {
        &self.image_encoder
    }

    /// The projection to image tokens.
    pub fn projection(&self) -> &ImageProjection {
        &self.projection
    }

    /// What the projection reads of a reference, `[1, 3, S, S]` normalized as CLIP's input: its embedding `[1, width]`, or the states of
    /// its patches `[1, 1 + patches, width]`.
    pub fn features(&self, pixels: &Tensor) -> Tensor {
        match self.projection {
            ImageProjection::Pooled(_) => self.image_encoder.embedding(pixels),
            ImageProjection::Full(_) | ImageProjection::Resampled(_) => {
                self.image_encoder.states(pixels)
            }
        }
    }

    /// What stands for no reference, as [`IpAdapterDenoiser::features`]: an embedding of zeros, or the states of a picture whose
    /// normalized pixels are zero. Either goes through the projection like a reference. `like` has the number format and the device.
    pub fn no_features(&self, like: &Tensor) -> Tensor {
        let config = self.image_encoder.config();
        let zeros = |size: &[i64]| Tensor::zeros(size, (like.kind(), like.device()));
        match self.projection {
            ImageProjection::Pooled(_) => zeros(&[1, config.projection_dim]),
            ImageProjection::Full(_) | ImageProjection::Resampled(_) => {
                let side = config.image_size;
                self.image_encoder.states(&zeros(&[1, 3, side, side]))
            }
        }
    }

    /// What the cross-attentions read: `text` `[batch, tokens, width]`, and with the factor `scale` the image tokens of `features`, which
    /// have as many rows.
    pub fn context(&self, text: &Tensor, features: &Tensor, scale: f64) -> Context {
        Context {
            cross: Some(Tokens::pooled(Role::Text, text.shallow_clone())),
            second: Some((self.projection.forward(features), scale)),
            ..Context::default()
        }
    }

    /// Predicted noise under guidance: one pass over the rows `[negative, positive]` of `context`, of which the result is
    /// `n + guidance (p - n)`; or over the positive one alone, which is then the result.
    ///
    /// # Shapes
    /// `x` `[samples, channels, h, w]`, `fixed` the channels that follow it in a UNet for inpainting: mask, then latent of the masked image.
    pub fn guided(
        &self,
        x: &Tensor,
        fixed: Option<&Tensor>,
        timestep: i64,
        context: &Context,
        guidance: f64,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let rows = context.tokens().size()[0];
        let input = match fixed {
            Some(fixed) => Tensor::cat(&[x, fixed], 1),
            None => x.shallow_clone(),
        };
        let input = common::for_rows(&input, rows);
        let t = self.unet.timesteps(timestep, rows, x.device());
        let eps = self.unet.forward(&input, &t, context, probe);
        common::guided(eps, x.size()[0], guidance)
    }
}
