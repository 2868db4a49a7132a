//! PASD (Yang et al. 2023) and its light variant: super-resolution. The low-resolution picture enters through a `ControlNet`, whose
//! features the UNet's decoder attends to position by position.

mod colours;
mod config;
mod inputs;
mod pipeline;
mod start;
mod text;

use std::path::Path;

use i2am_datasets::Part;
use i2am_nets::layout::Checkpoint;
use i2am_nets::text_encoder::{TextEncoder, TextEncoderConfig};
use i2am_nets::unet::{ControlNet, PixelAttentions, PixelKind, UNet, UNetConfig};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{
    AttentionProbe, Context, ExpectedSource, LoadReport, NetError, Scope, TensorSource,
};
use serde::Deserialize as _;
use serde_json::Value;
use tch::{Device, Tensor};
use toml::de::ValueDeserializer;

pub use colours::wavelet_colours;
pub use config::{ColourFix, PasdConfig};
pub use inputs::LowResolution;
pub use pipeline::PasdPipeline;
pub use start::{PasdStart, SecondNoise, start_latent};
pub use text::Tokenizer;

use super::{ConfigValue, Family, FamilyInfo, Model, ModelFacts, Pipeline, common};
use crate::RunnerError;
use crate::capture::CaptureConfig;

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
    },
};

/// The one with 9 inside the text transformers.
pub static PASD_LIGHT: Pasd = Pasd {
    kind: PixelKind::Plus,
    info: FamilyInfo {
        name: "pasd-light",
        summary: "super-resolution; positions of the low-resolution picture; 9 pixel attentions recorded",
        needs: &[Part::Reference],
    },
};

/// Layers that are recorded: those that attend to the picture, not those that attend to the text.
fn wants(layer: &str) -> bool {
    layer.contains(".pixel_attentions.") || layer.ends_with("attn2_plus")
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
        Ok(Self {
            unet: UNetConfig::of(checkpoint)?,
            kind,
            conditioning,
            vae,
            text_encoder: TextEncoderConfig::of(checkpoint)?
                .ok_or_else(|| lacking("the folder text_encoder"))?,
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
    /// `x` `[1, channels, h, w]`, repeated for every row of `context`; `hint` `[1, width, h, w]`, the embedding of the picture. Result
    /// as many rows as `context`.
    pub fn predict(
        &self,
        x: &Tensor,
        hint: &Tensor,
        timestep: i64,
        context: &Context,
        scale: f64,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let rows = context.tokens.size()[0];
        let x = x.repeat([rows, 1, 1, 1]);
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
        match &rows.chunk(2, 0)[..] {
            [negative, positive] => negative + (positive - negative) * guidance,
            _ => rows,
        }
    }
}

impl Family for Pasd {
    fn info(&self) -> &'static FamilyInfo {
        match self.kind {
            PixelKind::Modules => &PASD.info,
            PixelKind::Plus => &PASD_LIGHT.info,
        }
    }

    fn configure(
        &self,
        table: ConfigValue<'_>,
        base: &Path,
    ) -> Result<Box<dyn Model>, toml::de::Error> {
        let mut config = PasdConfig::deserialize(ValueDeserializer::from(table))?;
        config.checkpoint = base.join(&config.checkpoint);
        config.pasd = config.pasd.map(|pasd| base.join(pasd));
        Ok(Box::new(config))
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

    fn inspect(&self, checkpoint: &Checkpoint) -> Result<LoadReport, NetError> {
        let expected = ExpectedSource::new();
        PasdSizes::of(checkpoint, self.kind)?.build(&expected);
        Ok(checkpoint.compare(&expected.shapes()))
    }
}

impl PasdConfig {
    fn family(&self) -> &'static Pasd {
        if self.family == PASD_LIGHT.info.name {
            &PASD_LIGHT
        } else {
            &PASD
        }
    }

    fn open(&self) -> Result<(Checkpoint, PasdSizes, Tokenizer), RunnerError> {
        self.check_settings()?;
        let checkpoint = match &self.pasd {
            None => Checkpoint::open(&self.checkpoint)?,
            Some(pasd) => Checkpoint::open_layered(&self.checkpoint, pasd)?,
        };
        let family = self.family();
        family
            .recognise(&checkpoint)
            .map_err(|found| RunnerError::WrongFamily {
                path: self.pasd.as_ref().unwrap_or(&self.checkpoint).clone(),
                family: family.info.name,
                found,
            })?;
        let sizes = PasdSizes::of(&checkpoint, family.kind)?;
        self.check_tiles(sizes.vae.factor())?;
        let folder = self.checkpoint.join("tokenizer");
        let tokenizer = Tokenizer::open(&folder)?;
        let known = sizes.text_encoder.vocab_size;
        let found = tokenizer.tokens();
        if found > known {
            return Err(RunnerError::Tokenizer {
                path: folder.join("vocab.json"),
                reason: format!(
                    "expected at most the {known} tokens of the text encoder, found {found}"
                ),
            });
        }
        Ok((checkpoint, sizes, tokenizer))
    }

    fn check_settings(&self) -> Result<(), RunnerError> {
        if self.upscale.is_finite() && self.upscale > 0.0 {
            return Ok(());
        }
        Err(RunnerError::Setting {
            key: "model.upscale",
            expected: "a number above 0".to_owned(),
            found: self.upscale.to_string(),
        })
    }

    fn check_tiles(&self, factor: i64) -> Result<(), RunnerError> {
        self.tiles
            .fault(factor)
            .map_or(Ok(()), |(key, expected, found)| {
                Err(RunnerError::Setting {
                    key,
                    expected,
                    found: found.to_string(),
                })
            })
    }
}

impl Model for PasdConfig {
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
        self.family().info.needs
    }

    fn check(&self, capture: Option<&CaptureConfig>) -> Result<ModelFacts, RunnerError> {
        let (checkpoint, sizes, tokenizer) = self.open()?;
        let expected = ExpectedSource::new();
        sizes.build(&expected);
        let mut facts = common::facts(&checkpoint, &expected, &self.sampler, capture, None, wants)?;
        facts.files.extend(tokenizer.files());
        Ok(facts)
    }

    fn load(&self, device: Device) -> Result<Box<dyn Pipeline>, RunnerError> {
        Ok(Box::new(PasdPipeline::load(self, device)?))
    }
}
