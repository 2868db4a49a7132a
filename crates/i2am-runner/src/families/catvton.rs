//! `CatVTON` (Chong et al. 2024): virtual try-on by Stable Diffusion's inpainting model without text. The garment lies below the person in
//! one picture, and only self-attention, which was trained anew, and convolutions lead from one to the other.

mod config;
mod inputs;
mod pipeline;

use std::path::Path;

use i2am_datasets::Part;
use i2am_nets::layers::CrossAttention;
use i2am_nets::layout::{Checkpoint, Layout, expected_self_attention, sizes_of_self_attention};
use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{AttentionProbe, Context, ExpectedSource, NetError, Scope, TensorSource};
use tch::Tensor;

pub use config::{CatVtonConfig, CatVtonPreprocess};
pub use inputs::CatVtonInputs;
pub use pipeline::CatVtonPipeline;

use super::kind::{Kind, Loaded, Settings, Shared};
use super::{FamilyInfo, common};
use crate::RunnerError;
use crate::samplers::Sampler;
use crate::schedule::Schedule;

/// The family.
pub struct CatVton;

static INFO: FamilyInfo = FamilyInfo {
    name: "catvton",
    summary: "virtual try-on; the garment below the person in one image; 15 self-attentions recorded",
    needs: &[Part::Image, Part::Mask, Part::Reference],
    attends: |_network, layer| common::positions_in_self_attention(layer),
};

/// Input channels of the UNet: noisy latent, mask, latent of the person outside the masked region and of the garment.
fn unet_inputs(latent_channels: i64) -> i64 {
    2 * latent_channels + 1
}

/// Sizes of the networks.
#[derive(Debug, Clone, PartialEq)]
pub struct CatVtonSizes {
    /// The UNet.
    pub unet: UNetConfig,
    /// The autoencoder.
    pub vae: VaeConfig,
}

impl CatVtonSizes {
    /// The published sizes.
    pub fn published() -> Self {
        let vae = VaeConfig::stable_diffusion_v1();
        Self {
            unet: UNetConfig {
                cross: CrossAttention::Absent,
                ..UNetConfig::stable_diffusion_v1(unet_inputs(vae.latent_channels))
            },
            vae,
        }
    }

    /// As `checkpoint` tells.
    ///
    /// # Errors
    /// A configuration that is not built here, [`NetError::Infer`] if a telling tensor is missing.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let sizes = Self {
            unet: unet_of(checkpoint)?,
            vae: VaeConfig::of(checkpoint)?,
        };
        common::fit_latents(checkpoint, &sizes.unet, &sizes.vae)?;
        Ok(sizes)
    }

    /// Builds both networks from `source`.
    pub fn build(&self, source: &dyn TensorSource) -> CatVtonNetworks {
        CatVtonNetworks {
            unet: UNet::new(&Scope::root(source, "unet"), self.unet.clone()),
            vae: Vae::new(&Scope::root(source, "vae"), self.vae.clone()),
        }
    }
}

/// Whether `checkpoint` holds a UNet with self-attention and without cross-attention.
fn is_reduced(checkpoint: &Checkpoint) -> bool {
    let of_unet = || checkpoint.names().filter(|name| name.starts_with("unet."));
    of_unet().any(|name| name.contains(".attn1."))
        && !of_unet().any(|name| name.contains(".attn2."))
}

fn unet_of(checkpoint: &Checkpoint) -> Result<UNetConfig, NetError> {
    UNetConfig::of_network(checkpoint, "unet", CrossAttention::Absent)
}

/// The networks of a checkpoint.
#[derive(Debug)]
pub struct CatVtonNetworks {
    /// Predicts noise.
    pub unet: UNet,
    /// Pictures to latents and back.
    pub vae: Vae,
}

impl CatVtonNetworks {
    /// Predicted noise: one pass, seen by `probe`.
    ///
    /// # Shapes
    /// `x` `[samples, channels, 2 h, w]`, repeated for the rows of `fixed` `[batch, channels + 1, 2 h, w]`, the person above the garment;
    /// `context` reads the lower half. Result `[batch, channels, 2 h, w]`.
    pub fn predict(
        &self,
        x: &Tensor,
        fixed: &Tensor,
        timestep: i64,
        context: &Context,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let rows = fixed.size()[0];
        let input = Tensor::cat(&[&common::for_rows(x, rows), fixed], 1);
        let t = self.unet.timesteps(timestep, rows, x.device());
        self.unet.forward(&input, &t, context, probe)
    }
}

impl Kind for CatVton {
    type Sizes = CatVtonSizes;
    type Networks = CatVtonNetworks;
    type Settings = CatVtonConfig;

    fn info(&self) -> &'static FamilyInfo {
        &INFO
    }

    /// What is the family's own is the trained self-attention, and a UNet that has lost its cross-attention.
    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        match checkpoint.layout() {
            Layout::Numbered => Ok(()),
            Layout::Diffusers if is_reduced(checkpoint) => Ok(()),
            _ => Err("no numbered self-attention, and no UNet without cross-attention".to_owned()),
        }
    }

    fn fits(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        common::has_unet(checkpoint, unet_inputs)
    }

    fn sizes(&self, checkpoint: &Checkpoint) -> Result<CatVtonSizes, NetError> {
        CatVtonSizes::of(checkpoint)
    }

    fn published(&self) -> CatVtonSizes {
        CatVtonSizes::published()
    }

    fn build(sizes: &CatVtonSizes, source: &dyn TensorSource) -> CatVtonNetworks {
        sizes.build(source)
    }

    /// Those of the trained self-attention or of the UNet, by which the family is recognized.
    fn expected(&self, checkpoint: &Checkpoint) -> Result<ExpectedSource, NetError> {
        if checkpoint.layout() == Layout::Diffusers {
            let expected = ExpectedSource::new();
            UNet::new(&Scope::root(&expected, "unet"), unet_of(checkpoint)?);
            if checkpoint.config("vae").is_some() {
                Vae::new(&Scope::root(&expected, "vae"), VaeConfig::of(checkpoint)?);
            }
            return Ok(expected);
        }
        Ok(expected_self_attention(&sizes_of_self_attention(
            checkpoint,
        )))
    }
}

impl Settings for CatVtonConfig {
    type Kind = CatVton;
    type Pipeline = CatVtonPipeline;

    const PLACES: &'static [&'static str] = &["checkpoint", "attention", "vae"];

    fn kind(&self) -> &'static CatVton {
        &CatVton
    }

    fn shared(&self) -> Shared<'_> {
        Shared {
            name: &self.name,
            checkpoint: &self.checkpoint,
            variant: self.variant.as_deref(),
            precision: self.precision,
            guidance: self.guidance,
            posterior: self.posterior,
        }
    }

    fn sampler(&self) -> Result<Box<dyn Sampler>, RunnerError> {
        self.sampler.build(&Schedule::default())
    }

    fn start_at(&mut self, base: &Path) {
        let paths = [&mut self.checkpoint, &mut self.attention];
        for path in paths.into_iter().chain(&mut self.vae) {
            *path = i2am_files::resolve(base, &path);
        }
    }

    fn reference_guidance(&mut self) -> Result<&mut f64, &'static str> {
        Ok(&mut self.guidance)
    }

    fn networks(&self) -> Option<&'static [&'static str]> {
        Some(match self.vae {
            Some(_) => &["unet"],
            None => &["unet", "vae"],
        })
    }

    fn assemble(&self, base: Checkpoint) -> Result<Checkpoint, RunnerError> {
        let mut checkpoint = base;
        if let Some(folder) = &self.vae {
            let variant = self.variant.as_deref();
            checkpoint.lay_over(Checkpoint::open_network(folder, "vae", variant)?);
        }
        // Another family's networks are refused for what they are, not for the attention that does not fit them.
        if Kind::fits(&CatVton, &checkpoint).is_ok() {
            let unet = unet_of(&checkpoint)?;
            checkpoint.lay_over(Checkpoint::open_self_attention(&self.attention, &unet)?);
        }
        Ok(checkpoint)
    }

    fn adjust(&self, sizes: &mut CatVtonSizes) -> Result<(), RunnerError> {
        common::check_groups(&sizes.unet, &sizes.vae)
    }

    fn image_size(&self, sizes: &CatVtonSizes) -> Result<Option<(i64, i64)>, RunnerError> {
        let multiple = sizes.vae.factor() * sizes.unet.size_multiple();
        let [height, width] = self.size;
        if height > 0 && height % multiple != 0 {
            return Err(RunnerError::Setting {
                key: "model.size",
                expected: format!(
                    "a height in multiples of {multiple}, so that the seam between person and garment cuts no row of tokens"
                ),
                found: format!("[{height}, {width}]"),
            });
        }
        common::checked_size(self.size, multiple).map(Some)
    }

    fn pipeline(&self, loaded: Loaded<'_, Self>) -> Result<CatVtonPipeline, RunnerError> {
        CatVtonPipeline::of_networks(loaded.networks, self, loaded.device)
    }
}
