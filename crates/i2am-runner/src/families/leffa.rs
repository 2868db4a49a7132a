//! Leffa (Zhou et al. 2024): virtual try-on. A second UNet sees the garment, and every self-attention of the generating UNet reads what
//! the same layer of the second has for its input. In training a loss asked the attention itself to point to the right places.

mod config;
mod inputs;
mod pipeline;

use std::collections::BTreeMap;
use std::path::Path;

use i2am_datasets::Part;
use i2am_nets::layers::CrossAttention;
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{Heads, UNet, UNetConfig};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{AttentionProbe, Context, Joint, NetError, Observation, Scope, TensorSource};
use tch::Tensor;

pub use config::{LeffaConfig, ReferenceFeatures};
pub use inputs::LeffaInputs;
pub use pipeline::LeffaPipeline;

use super::kind::{Kind, Loaded, Settings, Shared};
use super::{Attends, FamilyInfo, common};
use crate::RunnerError;
use crate::samplers::Sampler;
use crate::schedule::Schedule;

/// The family.
pub struct Leffa;

static INFO: FamilyInfo = FamilyInfo {
    name: "leffa",
    summary: "virtual try-on; features of the garment from a second UNet; 15 self-attentions recorded",
    needs: &[Part::Image, Part::Mask, Part::Reference, Part::Densepose],
    attends: |network, layer| match network {
        REFERENCE => matches!(layer.rsplit_once('.'), Some((_, "attn1"))).then_some(Attends::Own),
        _ => common::positions_in_self_attention(layer),
    },
};

/// What the UNet that sees the garment is called.
const REFERENCE: &str = "unet_encoder";

/// Channels of the body map.
const POSE: i64 = 3;

/// Input channels of the generating UNet: noisy latent, mask, latent of the person outside the masked region, body map.
fn unet_inputs(latent_channels: i64) -> i64 {
    2 * latent_channels + 1 + POSE
}

/// Sizes of the networks.
#[derive(Debug, Clone, PartialEq)]
pub struct LeffaSizes {
    /// The generating UNet.
    pub unet: UNetConfig,
    /// The UNet that sees the garment.
    pub reference: UNetConfig,
    /// The autoencoder.
    pub vae: VaeConfig,
}

impl LeffaSizes {
    /// The published sizes.
    pub fn published() -> Self {
        let vae = VaeConfig::stable_diffusion_v1();
        let unet = |in_channels: i64| UNetConfig {
            cross: CrossAttention::Absent,
            ..UNetConfig::stable_diffusion_v1(in_channels)
        };
        Self {
            unet: unet(unet_inputs(vae.latent_channels)),
            reference: unet(vae.latent_channels),
            vae,
        }
    }

    /// As `checkpoint` tells.
    ///
    /// # Errors
    /// A configuration that is not built here, [`NetError::Infer`] if a telling tensor is missing, [`NetError::Layout`] for
    /// networks that do not fit each other.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let unet = |network| UNetConfig::of_network(checkpoint, network, CrossAttention::Absent);
        let sizes = Self {
            unet: unet("unet")?,
            reference: unet(REFERENCE)?,
            vae: VaeConfig::of(checkpoint)?,
        };
        common::fit_latents(checkpoint, &sizes.unet, &sizes.vae)?;
        sizes.check().map_err(|reason| NetError::Layout {
            path: checkpoint.path().to_owned(),
            reason,
        })?;
        Ok(sizes)
    }

    /// Whether the layers of both denoising networks are the same.
    fn check(&self) -> Result<(), String> {
        let latent = self.vae.latent_channels;
        let found = self.reference.in_channels;
        if found != latent {
            return Err(format!(
                "`in_channels` of {REFERENCE}: expected {latent}, as `latent_channels` of the autoencoder, found {found}"
            ));
        }
        let shape = |unet: &UNetConfig| {
            format!(
                "{:?} channels in {} layers each, {:?}, transformers of {}",
                unet.block_out_channels,
                unet.layers_per_block,
                unet.down_block_types,
                unet.transformer_layers_per_block
            )
        };
        let (expected, found) = (shape(&self.unet), shape(&self.reference));
        if found == expected {
            return Ok(());
        }
        Err(format!(
            "{REFERENCE}: expected the layers of unet, {expected}, found {found}"
        ))
    }

    /// Builds every network from `source`.
    pub fn build(&self, source: &dyn TensorSource) -> LeffaNetworks {
        let unet = |network: &str, config: &UNetConfig| {
            UNet::new(&Scope::root(source, network), config.clone())
        };
        LeffaNetworks {
            unet: unet("unet", &self.unet),
            reference: unet(REFERENCE, &self.reference),
            vae: Vae::new(&Scope::root(source, "vae"), self.vae.clone()),
        }
    }
}

/// The networks of a checkpoint.
#[derive(Debug)]
pub struct LeffaNetworks {
    /// Predicts noise.
    pub unet: UNet,
    /// The garment to the features that `unet` reads. What it predicts is not used.
    pub reference: UNet,
    /// Pictures to latents and back.
    pub vae: Vae,
}

impl LeffaNetworks {
    /// What every self-attention is given by the garment, by the name of the layer: its normalized input in the other network.
    ///
    /// # Shapes
    /// `garment` `[batch, channels, h, w]`, clean latents, scaled; features `[batch, positions, width]`.
    pub fn features(&self, garment: &Tensor, timestep: i64) -> BTreeMap<String, Tensor> {
        let mut inputs = Inputs::default();
        let network = &self.reference;
        let t = network.timesteps(timestep, garment.size()[0], garment.device());
        let _ = network.forward(garment, &t, &Context::default(), &mut inputs);
        inputs.0
    }

    /// Predicted noise: one pass of the generating UNet, seen by `probe`.
    ///
    /// # Shapes
    /// `input` `[samples, in_channels, h, w]`, repeated for the rows of `features`. Result `[batch, channels, h, w]`.
    ///
    /// # Panics
    /// If there are no `features`.
    pub fn predict(
        &self,
        input: &Tensor,
        features: BTreeMap<String, Tensor>,
        timestep: i64,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let first = features.values().next();
        let rows = first.expect("the other network has layers").size()[0];
        let input = common::for_rows(input, rows);
        let t = self.unet.timesteps(timestep, rows, input.device());
        let context = Context::joint(Joint::Features(features));
        self.unet.forward(&input, &t, &context, probe)
    }
}

/// The normalized inputs of all self-attentions that ran.
#[derive(Default)]
struct Inputs(BTreeMap<String, Tensor>);

impl AttentionProbe for Inputs {
    fn observe(&mut self, _seen: &Observation<'_>) {}

    fn normed(&mut self, layer: &str, input: &Tensor) {
        self.0.insert(layer.to_owned(), input.shallow_clone());
    }
}

impl Kind for Leffa {
    type Sizes = LeffaSizes;
    type Networks = LeffaNetworks;
    type Settings = LeffaConfig;

    fn info(&self) -> &'static FamilyInfo {
        &INFO
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        common::has_unet(checkpoint, unet_inputs)?;
        match checkpoint.shape("unet_encoder.conv_in.weight") {
            Some(_) => Ok(()),
            None => Err(format!("no network {REFERENCE}")),
        }
    }

    fn sizes(&self, checkpoint: &Checkpoint) -> Result<LeffaSizes, NetError> {
        LeffaSizes::of(checkpoint)
    }

    fn published(&self) -> LeffaSizes {
        LeffaSizes::published()
    }

    fn build(sizes: &LeffaSizes, source: &dyn TensorSource) -> LeffaNetworks {
        sizes.build(source)
    }
}

impl Settings for LeffaConfig {
    type Kind = Leffa;
    type Pipeline = LeffaPipeline;

    fn kind(&self) -> &'static Leffa {
        &Leffa
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
        Err("its guidance is rescaled by what the pass with the reference predicts")
    }

    fn check_values(&self) -> Result<(), RunnerError> {
        match self.guidance_rescale {
            Some(rescale) if !(0.0..=100.0).contains(&rescale) => Err(RunnerError::Setting {
                key: "model.guidance_rescale",
                expected: "0 (none) to 100".to_owned(),
                found: rescale.to_string(),
            }),
            _ => Ok(()),
        }
    }

    fn adjust(&self, sizes: &mut LeffaSizes) -> Result<(), RunnerError> {
        for unet in [&mut sizes.unet, &mut sizes.reference] {
            if let Some(given) = self.unet_heads {
                unet.attention_head_dim = Heads::Same(given);
            }
            common::setting("model.unet_heads", unet.check_heads())?;
            common::check_groups(unet, &sizes.vae)?;
        }
        Ok(())
    }

    fn image_size(&self, sizes: &LeffaSizes) -> Result<Option<(i64, i64)>, RunnerError> {
        let multiple = sizes.vae.factor() * sizes.unet.size_multiple();
        common::checked_size(self.size, multiple).map(Some)
    }

    fn pipeline(&self, loaded: Loaded<'_, Self>) -> Result<LeffaPipeline, RunnerError> {
        LeffaPipeline::of_networks(loaded.networks, self, loaded.device)
    }
}
