//! `StableVITON` (Kim et al. 2024): virtual try-on. The garment enters twice: as one pooled token, and as feature maps of a control
//! model that warp blocks of the UNet attend to position by position.

mod config;
mod inputs;
mod pipeline;

use std::path::Path;

use i2am_datasets::Part;
use i2am_nets::image_encoder::{ImageEncoder, ImageEncoderConfig};
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{ControlModel, Heads, UNet, UNetConfig, WarpBlocks};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{
    AttentionProbe, Context, ExpectedSource, LoadReport, NetError, Scope, TensorSource,
};
use serde::Deserialize as _;
use serde_json::Value;
use tch::{Device, Tensor};
use toml::de::ValueDeserializer;

pub use config::{ClothPosterior, StableVitonConfig, Start};
pub use inputs::StableVitonInputs;
pub use pipeline::StableVitonPipeline;

use super::{ConfigValue, Family, FamilyInfo, Model, ModelFacts, Pipeline, common};
use crate::RunnerError;
use crate::capture::CaptureConfig;

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
        Ok(Self {
            unet: UNetConfig::of(checkpoint)?,
            vae: VaeConfig::of(checkpoint)?,
            image_encoder: ImageEncoderConfig::of(checkpoint)?,
        })
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

impl Family for StableViton {
    fn info(&self) -> &'static FamilyInfo {
        &INFO
    }

    fn configure(
        &self,
        table: ConfigValue<'_>,
        base: &Path,
    ) -> Result<Box<dyn Model>, toml::de::Error> {
        let mut config = StableVitonConfig::deserialize(ValueDeserializer::from(table))?;
        config.checkpoint = base.join(&config.checkpoint);
        Ok(Box::new(config))
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        let axis = |name: &str, axis: usize| {
            let shape = checkpoint.shape(name)?;
            shape.get(axis).copied()
        };
        let inputs = axis("unet.conv_in.weight", 1);
        let latent = axis("vae.post_quant_conv.weight", 0);
        let (Some(inputs), Some(latent)) = (inputs, latent) else {
            return Err("no UNet with an autoencoder".to_owned());
        };
        let expected = unet_inputs(latent);
        if inputs != expected {
            return Err(format!(
                "a UNet with {inputs} input channels instead of {expected}"
            ));
        }
        for (tensor, what) in [
            ("control_model.cond_first_block.weight", "control model"),
            (
                "image_encoder.uncond_vector",
                "image encoder with an unconditional vector",
            ),
        ] {
            if checkpoint.shape(tensor).is_none() {
                return Err(format!("no {what}"));
            }
        }
        Ok(())
    }

    fn inspect(&self, checkpoint: &Checkpoint) -> Result<LoadReport, NetError> {
        let expected = ExpectedSource::new();
        StableVitonSizes::of(checkpoint)?.build(&expected);
        Ok(checkpoint.compare(&expected.shapes()))
    }
}

impl StableVitonConfig {
    fn open(&self) -> Result<(Checkpoint, StableVitonSizes), RunnerError> {
        let checkpoint = Checkpoint::open(&self.checkpoint)?;
        StableViton
            .recognise(&checkpoint)
            .map_err(|found| RunnerError::WrongFamily {
                path: self.checkpoint.clone(),
                family: INFO.name,
                found,
            })?;
        let mut sizes = StableVitonSizes::of(&checkpoint)?;
        if let Some(heads) = self.unet_heads {
            sizes.unet.attention_head_dim = Heads::Same(heads);
        }
        if let Some(heads) = self.clip_heads {
            sizes.image_encoder.num_attention_heads = heads;
        }
        Ok((checkpoint, sizes))
    }

    fn picture_size(&self, sizes: &StableVitonSizes) -> Result<(i64, i64), RunnerError> {
        let multiple = sizes.vae.factor() * sizes.unet.size_multiple();
        common::checked_size(self.size, multiple)
    }
}

impl Model for StableVitonConfig {
    fn name(&self) -> &str {
        &self.name
    }

    fn checkpoint(&self) -> &Path {
        &self.checkpoint
    }

    fn settings(&self) -> Value {
        serde_json::to_value(self).expect("a configuration of plain values is JSON")
    }

    fn needs(&self) -> &'static [Part] {
        INFO.needs
    }

    fn check(&self, capture: Option<&CaptureConfig>) -> Result<ModelFacts, RunnerError> {
        let (checkpoint, sizes) = self.open()?;
        let expected = ExpectedSource::new();
        sizes.build(&expected);
        let size = self.picture_size(&sizes)?;
        common::facts(
            &checkpoint,
            &expected,
            &self.sampler,
            capture,
            Some(size),
            common::wants,
        )
    }

    fn load(&self, device: Device) -> Result<Box<dyn Pipeline>, RunnerError> {
        Ok(Box::new(StableVitonPipeline::load(self, device)?))
    }
}
