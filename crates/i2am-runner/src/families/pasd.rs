//! PASD (Yang et al. 2023) and its light variant: super-resolution. The low-resolution picture enters through a `ControlNet`, whose
//! features the UNet's decoder attends to position by position.

mod colors;
mod config;
mod inputs;
mod pipeline;
mod start;

use std::path::{Path, PathBuf};

use i2am_datasets::{Goal, Part};
use i2am_nets::layout::Checkpoint;
use i2am_nets::text_encoder::{TextEncoder, TextEncoderConfig};
use i2am_nets::unet::{
    ConditioningEmbedding, ControlNet, PixelAttentions, PixelKind, UNet, UNetConfig,
};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{AttentionProbe, Context, NetError, Scope, TensorSource};
use tch::Tensor;

pub use colors::wavelet_colors;
pub use config::{ColorFix, PasdConfig};
pub use inputs::LowResolution;
pub use pipeline::PasdPipeline;
pub use start::{PasdStart, SecondNoise, start_latent};

use super::kind::{Kind, Loaded, Settings, Shared};
use super::text::{self, Tokenizer};
use super::{Attends, FamilyInfo, common};
use crate::RunnerError;
use crate::samplers::Sampler;
use crate::schedule::Schedule;

/// One of the two families.
pub struct Pasd {
    kind: PixelKind,
    info: FamilyInfo,
}

/// The one with 12 pixel attentions of their own.
pub static PASD: Pasd = Pasd {
    kind: PixelKind::Modules,
    info: FamilyInfo {
        name: "pasd",
        summary: "super-resolution; positions of the low-resolution picture; 12 pixel attentions recorded",
        needs: &[Part::Reference],
        attends,
    },
};

/// The one with 9 inside the text transformers.
pub static PASD_LIGHT: Pasd = Pasd {
    kind: PixelKind::Plus,
    info: FamilyInfo {
        name: "pasd-light",
        summary: "super-resolution; positions of the low-resolution picture; 9 pixel attentions recorded",
        needs: &[Part::Reference],
        attends,
    },
};

fn attends(network: &str, layer: &str) -> Option<Attends> {
    if network == "controlnet" {
        let reason = "no position of the generated image asks";
        return Some(Attends::Unrecorded(reason));
    }
    let own = layer.contains(".pixel_attentions.");
    match layer.rsplit_once('.')?.1 {
        "attn1" => Some(Attends::Own),
        "attn2_plus" => Some(Attends::Positions),
        "attn2" if own => Some(Attends::Positions),
        "attn2" => Some(common::PROMPT),
        _ => None,
    }
}

const CONDITIONING: &str = "controlnet.controlnet_cond_embedding";

/// Sizes of the networks.
#[derive(Debug, Clone, PartialEq)]
pub struct PasdSizes {
    /// The UNet; the encoder of the `ControlNet` has the same.
    pub unet: UNetConfig,
    /// Which pixel attentions belong to it.
    pub kind: PixelKind,
    /// Channels of the conditioning embedding at its resolutions, as many as the autoencoder has.
    pub conditioning: Vec<i64>,
    /// The autoencoder.
    pub vae: VaeConfig,
    /// The text encoder.
    pub text_encoder: TextEncoderConfig,
}

impl PasdSizes {
    /// The published sizes.
    pub fn published(kind: PixelKind) -> Self {
        Self {
            unet: UNetConfig::stable_diffusion_v1(4),
            kind,
            conditioning: vec![16, 32, 96, 256],
            vae: VaeConfig::stable_diffusion_v1(),
            text_encoder: TextEncoderConfig::clip_vit_l14(),
        }
    }

    /// As `checkpoint` tells.
    ///
    /// # Errors
    /// A configuration that is not built here; [`NetError::Layout`] without a text encoder or a conditioning embedding.
    pub fn of(checkpoint: &Checkpoint, kind: PixelKind) -> Result<Self, NetError> {
        let lacking = |what: &str| NetError::Layout {
            path: checkpoint.path().to_owned(),
            reason: format!("expected {what}, found none"),
        };
        // The first block keeps the channels of the first resolution; every second one goes on to the next.
        let name = |block: usize| format!("{CONDITIONING}.blocks.{block}.weight");
        let outputs = |block: usize| checkpoint.shape(&name(block))?.first().copied();
        let channels = |block: usize| {
            outputs(block).ok_or_else(|| lacking(&format!("the tensor `{}`", name(block))))
        };
        let next = (1..).step_by(2).map_while(outputs);
        let conditioning: Vec<i64> = std::iter::once(channels(0)?).chain(next).collect();
        checkpoint.inferred("controlnet", ConditioningEmbedding::check(&conditioning))?;
        let vae = VaeConfig::of(checkpoint)?;
        let (resolutions, found) = (vae.block_out_channels.len(), conditioning.len());
        if found != resolutions {
            return Err(NetError::Layout {
                path: checkpoint.path().to_owned(),
                reason: format!(
                    "expected a conditioning embedding of {resolutions} resolutions, as many as the autoencoder has, found {found}"
                ),
            });
        }
        let unet = UNetConfig::of(checkpoint)?;
        let text_encoder = text::encoder_sizes(checkpoint)?;
        common::fit(checkpoint, &unet, &vae, text::tokens_of(&text_encoder))?;
        checkpoint.inferred("pixel attentions", PixelAttentions::check(&unet, kind))?;
        Ok(Self {
            unet,
            kind,
            conditioning,
            vae,
            text_encoder,
        })
    }

    /// Builds every network from `source`.
    pub fn build(&self, source: &dyn TensorSource) -> PasdNetworks {
        PasdNetworks {
            denoiser: PasdDenoiser::new(source, &self.unet, self.kind, &self.conditioning),
            vae: Vae::new(&Scope::root(source, "vae"), self.vae.clone()),
            text_encoder: TextEncoder::new(
                &Scope::root(source, "text_encoder"),
                self.text_encoder.clone(),
            ),
        }
    }
}

/// The networks of a checkpoint.
#[derive(Debug)]
pub struct PasdNetworks {
    /// Predicts noise.
    pub denoiser: PasdDenoiser,
    /// Pictures to latents and back.
    pub vae: Vae,
    /// Texts to what the denoiser's text attentions read.
    pub text_encoder: TextEncoder,
}

/// The networks that run at every step.
#[derive(Debug)]
pub struct PasdDenoiser {
    unet: UNet,
    pixels: PixelAttentions,
    control: ControlNet,
}

impl PasdDenoiser {
    /// Builds `unet` and `controlnet`.
    pub fn new(
        source: &dyn TensorSource,
        config: &UNetConfig,
        kind: PixelKind,
        conditioning: &[i64],
    ) -> Self {
        let scope = Scope::root(source, "unet");
        Self {
            unet: UNet::new(&scope, config.clone()),
            pixels: PixelAttentions::new(&scope, config, kind),
            control: ControlNet::new(&Scope::root(source, "controlnet"), config, conditioning),
        }
    }

    /// The network that sees the low-resolution picture.
    pub fn control(&self) -> &ControlNet {
        &self.control
    }

    /// The UNet and the pixel attentions that belong to it.
    pub fn unet(&self) -> (&UNet, &PixelAttentions) {
        (&self.unet, &self.pixels)
    }

    /// Predicted noise: one pass through `ControlNet` and UNet, the latter seen by `probe`.
    ///
    /// # Shapes
    /// `x` `[samples, channels, h, w]`, repeated for the rows of `context`; `hint` `[1 or rows, width, h, w]`, the embedding of the
    /// picture. Result as many rows as `context`.
    pub fn predict(
        &self,
        x: &Tensor,
        hint: &Tensor,
        timestep: i64,
        context: &Context,
        scale: f64,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let rows = context.tokens().size()[0];
        let x = common::for_rows(x, rows);
        let t = self.unet.timesteps(timestep, rows, x.device());
        let residuals = self.control.forward(&x, hint, &t, context, scale);
        self.unet
            .forward_pixel(&x, &t, context, &self.pixels, residuals, probe)
    }

    /// The same under guidance: `context` has the rows `[negative, positive]`, of which the result is `n + guidance (p - n)`; or the
    /// positive one alone, which is then the result.
    #[expect(clippy::too_many_arguments, reason = "those of a pass, and the scale")]
    pub fn guided(
        &self,
        x: &Tensor,
        hint: &Tensor,
        timestep: i64,
        context: &Context,
        scale: f64,
        guidance: f64,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let rows = self.predict(x, hint, timestep, context, scale, probe);
        common::guided(rows, x.size()[0], guidance)
    }
}

impl Kind for Pasd {
    type Sizes = PasdSizes;
    type Networks = PasdNetworks;
    type Settings = PasdConfig;

    fn info(&self) -> &'static FamilyInfo {
        match self.kind {
            PixelKind::Modules => &PASD.info,
            PixelKind::Plus => &PASD_LIGHT.info,
        }
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        let has = |name: &str| checkpoint.shape(name).is_some();
        if !has("controlnet.controlnet_mid_block.weight") {
            return Err("no ControlNet".to_owned());
        }
        if checkpoint
            .names()
            .any(|name| name.starts_with(&format!("{CONDITIONING}.preprocesser.")))
        {
            return Err("a variant with an RRDB preprocessor, which is not built".to_owned());
        }
        let own = has("unet.up_blocks.1.pixel_attentions.0.proj_in.weight");
        let plus = has("unet.up_blocks.1.attentions.0.proj_in_plus.weight");
        match (self.kind, own, plus) {
            (PixelKind::Modules, true, false) | (PixelKind::Plus, false, true) => Ok(()),
            (_, true, _) => Err("a UNet with pixel attentions of their own".to_owned()),
            (_, _, true) => Err("a UNet with pixel attentions in its transformers".to_owned()),
            _ => Err("a UNet without pixel attentions".to_owned()),
        }
    }

    fn sizes(&self, checkpoint: &Checkpoint) -> Result<PasdSizes, NetError> {
        PasdSizes::of(checkpoint, self.kind)
    }

    fn published(&self) -> PasdSizes {
        PasdSizes::published(self.kind)
    }

    fn build(sizes: &PasdSizes, source: &dyn TensorSource) -> PasdNetworks {
        sizes.build(source)
    }
}

impl Settings for PasdConfig {
    type Kind = Pasd;
    type Pipeline = PasdPipeline;

    const PLACES: &'static [&'static str] = &["checkpoint", "pasd"];

    fn kind(&self) -> &'static Pasd {
        if self.family == PASD_LIGHT.info.name {
            &PASD_LIGHT
        } else {
            &PASD
        }
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
        for path in self.pasd.iter_mut().chain([&mut self.checkpoint]) {
            *path = i2am_files::resolve(base, &path);
        }
    }

    fn reference_guidance(&mut self) -> Result<&mut f64, &'static str> {
        Err(
            "its pass without the prompt still reads the low-resolution image; the setting `conditioning_scale` weakens that",
        )
    }

    fn accepts(&self, goal: Goal) -> Result<(), RunnerError> {
        match goal {
            Goal::Enlarge { scale } if (self.upscale - f64::from(scale)).abs() > f64::EPSILON => {
                Err(RunnerError::Setting {
                    key: "upscale",
                    expected: format!("{scale}, as dataset.scale"),
                    found: self.upscale.to_string(),
                })
            }
            _ => Ok(()),
        }
    }

    fn check_values(&self) -> Result<(), RunnerError> {
        if self.upscale.is_finite() && self.upscale > 0.0 {
            return Ok(());
        }
        Err(RunnerError::Setting {
            key: "model.upscale",
            expected: "a number above 0".to_owned(),
            found: self.upscale.to_string(),
        })
    }

    fn own_networks(&self) -> &Path {
        self.pasd.as_ref().unwrap_or(&self.checkpoint)
    }

    fn over(&self) -> Option<&Path> {
        self.pasd.as_deref()
    }

    fn image_size(&self, sizes: &PasdSizes) -> Result<Option<(i64, i64)>, RunnerError> {
        match self.tiles.fault(sizes.vae.factor()) {
            None => Ok(None),
            Some((key, expected, found)) => Err(RunnerError::Setting {
                key,
                expected,
                found: found.to_string(),
            }),
        }
    }

    fn other_files(&self, sizes: &PasdSizes) -> Result<Vec<PathBuf>, RunnerError> {
        let tokenizer = Tokenizer::of(&self.checkpoint, &sizes.text_encoder)?;
        Ok(tokenizer.files().into())
    }

    fn pipeline(&self, loaded: Loaded<'_, Self>) -> Result<PasdPipeline, RunnerError> {
        let length = loaded.sizes.text_encoder.max_position_embeddings as usize;
        let tokenizer = Tokenizer::of(&self.checkpoint, &loaded.sizes.text_encoder)?;
        let tokens = tokenizer.batch(&self.texts(), length)?;
        PasdPipeline::of_networks(loaded.networks, self, &tokens, loaded.device)
    }
}
