//! `StableVITON` (Kim et al. 2024): virtual try-on. The garment enters twice: as one pooled token, and as feature maps of a control
//! model that warp blocks of the UNet attend to position by position.

mod config;
mod inputs;
mod pipeline;

use std::path::Path;

use i2am_datasets::Part;
use i2am_nets::image_encoder::{ImageEncoder, ImageEncoderConfig};
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{ControlModel, UNet, UNetConfig, WarpBlocks};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{AttentionProbe, Context, NetError, Scope, TensorSource};
use tch::Tensor;

pub use config::{ClothPosterior, StableVitonConfig, Start};
pub use inputs::StableVitonInputs;
pub use pipeline::StableVitonPipeline;

use super::kind::{Kind, Loaded, Settings, Shared};
use super::{Attends, FamilyInfo, common};
use crate::RunnerError;
use crate::samplers::Sampler;
use crate::schedule::Schedule;

/// The family.
pub struct StableViton;

static INFO: FamilyInfo = FamilyInfo {
    name: "stable-viton",
    summary: "virtual try-on; one image token and garment positions; 15 cross-attentions and 9 warp blocks recorded",
    needs: &[
        Part::Image,
        Part::Mask,
        Part::Reference,
        Part::Agnostic,
        Part::Densepose,
    ],
    attends,
};

/// Input channels of the UNet: noisy latent, latent of the agnostic picture, mask, latent of the body map.
fn unet_inputs(latent_channels: i64) -> i64 {
    3 * latent_channels + 1
}

/// Sizes of the networks. The control model and the warp blocks follow from the UNet's.
#[derive(Debug, Clone, PartialEq)]
pub struct StableVitonSizes {
    /// The UNet.
    pub unet: UNetConfig,
    /// The autoencoder.
    pub vae: VaeConfig,
    /// The encoder of the garment's token.
    pub image_encoder: ImageEncoderConfig,
}

impl StableVitonSizes {
    /// The published sizes.
    pub fn published() -> Self {
        let vae = VaeConfig::stable_diffusion_v1();
        Self {
            unet: UNetConfig::stable_diffusion_v1(unet_inputs(vae.latent_channels)),
            vae,
            image_encoder: ImageEncoderConfig::clip_vit_l14(),
        }
    }

    /// As the tensors of `checkpoint` tell.
    ///
    /// # Errors
    /// [`NetError::Infer`] if a telling tensor is missing.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
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

    /// Builds every network from `source`.
    pub fn build(&self, source: &dyn TensorSource) -> StableVitonNetworks {
        let unet = Scope::root(source, "unet");
        StableVitonNetworks {
            unet: UNet::new(&unet, self.unet.clone()),
            warp: WarpBlocks::new(&unet, &self.unet),
            control_model: ControlModel::new(
                &Scope::root(source, "control_model"),
                &self.unet,
                self.vae.latent_channels,
            ),
            vae: Vae::new(&Scope::root(source, "vae"), self.vae.clone()),
            image_encoder: ImageEncoder::new(
                &Scope::root(source, "image_encoder"),
                self.image_encoder.clone(),
            ),
        }
    }
}

/// The networks of a checkpoint.
#[derive(Debug)]
pub struct StableVitonNetworks {
    /// Predicts noise.
    pub unet: UNet,
    /// Bring the garment's positions into the UNet's decoder.
    pub warp: WarpBlocks,
    /// The garment to the feature maps that `warp` reads.
    pub control_model: ControlModel,
    /// Pictures to latents and back.
    pub vae: Vae,
    /// The garment to its token.
    pub image_encoder: ImageEncoder,
}

impl StableVitonNetworks {
    /// Predicted noise: one pass through control model and UNet, the latter seen by `probe`.
    ///
    /// # Shapes
    /// `input` `[batch, in_channels, h, w]`, `hint` `[batch, latent_channels, h, w]`, the garment's scaled latent; `context` of one
    /// token. Result `[batch, out_channels, h, w]`.
    pub fn predict(
        &self,
        input: &Tensor,
        hint: &Tensor,
        timestep: i64,
        context: &Context,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let t = self
            .unet
            .timesteps(timestep, input.size()[0], input.device());
        let features = self.control_model.features(input, hint, &t, context);
        self.unet
            .forward_warped(input, &t, context, &self.warp, features, probe)
    }
}

fn attends(network: &str, layer: &str) -> Option<Attends> {
    if network == "control_model" {
        return Some(Attends::Unrecorded(
            "no position of the generated image asks",
        ));
    }
    match layer.strip_prefix("warp_flow_blks.") {
        Some(layer) if layer.rsplit('.').next() == Some("attn2") => Some(Attends::Positions),
        _ => common::one_token_in_cross_attention(network, layer),
    }
}

impl Kind for StableViton {
    type Sizes = StableVitonSizes;
    type Networks = StableVitonNetworks;
    type Settings = StableVitonConfig;

    fn info(&self) -> &'static FamilyInfo {
        &INFO
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        common::has_unet(checkpoint, unet_inputs)?;
        let control_model = "control_model.cond_first_block.weight";
        if checkpoint.shape(control_model).is_none() {
            return Err("no control model".to_owned());
        }
        common::has_image_encoder(checkpoint)
    }

    fn sizes(&self, checkpoint: &Checkpoint) -> Result<StableVitonSizes, NetError> {
        StableVitonSizes::of(checkpoint)
    }

    fn published(&self) -> StableVitonSizes {
        StableVitonSizes::published()
    }

    fn build(sizes: &StableVitonSizes, source: &dyn TensorSource) -> StableVitonNetworks {
        sizes.build(source)
    }
}

impl Settings for StableVitonConfig {
    type Kind = StableViton;
    type Pipeline = StableVitonPipeline;

    fn kind(&self) -> &'static StableViton {
        &StableViton
    }

    fn shared(&self) -> Shared<'_> {
        Shared {
            name: &self.name,
            checkpoint: &self.checkpoint,
            variant: None,
            precision: self.precision,
            guidance: self.guidance,
            posterior: self.posterior,
        }
    }

    fn sampler(&self) -> Result<Box<dyn Sampler>, RunnerError> {
        self.sampler.build(&Schedule::default())
    }

    fn start_at(&mut self, base: &Path) {
        self.checkpoint = i2am_files::resolve(base, &self.checkpoint);
    }

    fn reference_guidance(&mut self) -> Result<&mut f64, &'static str> {
        Err(
            "its pass without the token still reads the positions of the garment; `off` with `keep` weakens the layers `warp_flow_blks.*`",
        )
    }

    fn adjust(&self, sizes: &mut StableVitonSizes) -> Result<(), RunnerError> {
        let encoder = &mut sizes.image_encoder;
        common::set_heads(
            (&mut sizes.unet, self.unet_heads),
            (encoder, self.clip_heads),
        )?;
        common::setting("model.unet_heads", WarpBlocks::check(&sizes.unet))?;
        common::check_groups(&sizes.unet, &sizes.vae)
    }

    fn image_size(&self, sizes: &StableVitonSizes) -> Result<Option<(i64, i64)>, RunnerError> {
        let multiple = sizes.vae.factor() * sizes.unet.size_multiple();
        common::checked_size(self.size, multiple).map(Some)
    }

    fn pipeline(&self, loaded: Loaded<'_, Self>) -> Result<StableVitonPipeline, RunnerError> {
        StableVitonPipeline::of_networks(loaded.networks, self, self.size.into(), loaded.device)
    }
}
