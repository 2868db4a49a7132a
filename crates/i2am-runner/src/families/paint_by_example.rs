//! Paint-by-Example (Yang et al. 2023): inpainting after one reference picture, which enters as one pooled token.

mod config;
mod inputs;

use std::path::Path;

use i2am_datasets::{Part, Sample};
use i2am_nets::image_encoder::{ImageEncoder, ImageEncoderConfig};
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{Heads, UNet, UNetConfig};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{
    AttentionProbe, CheckpointSource, Context, ExpectedSource, LoadReport, NetError, NoProbe,
    Precision, Scope, TensorSource,
};
use serde::Deserialize as _;
use serde_json::Value;
use tch::{Device, Tensor};
use toml::de::ValueDeserializer;

pub use config::{PaintByExampleConfig, Posterior, Preprocess};
use inputs::Inputs;

use super::{ConfigValue, Family, FamilyInfo, Generated, Model, ModelFacts, Pipeline, Request};
use crate::RunnerError;
use crate::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use crate::noise::NoiseSource;
use crate::pictures;
use crate::samplers::{Call, Denoiser, Sampler};
use crate::schedule::Schedule;

/// The family.
pub struct PaintByExample;

static INFO: FamilyInfo = FamilyInfo {
    name: "paint-by-example",
    summary: "inpainting after a reference picture; one image token; 15 cross-attentions recorded",
    needs: &[Part::Image, Part::Mask, Part::Reference],
};

/// Layers that are recorded: every cross-attention but the one at the lowest resolution, as in the published method.
fn wants(layer: &str) -> bool {
    !layer.starts_with("mid_block.")
}

/// Input channels of the UNet: noisy latent, latent of the masked picture, mask.
fn unet_inputs(latent_channels: i64) -> i64 {
    2 * latent_channels + 1
}

struct Sizes {
    unet: UNetConfig,
    vae: VaeConfig,
    image_encoder: ImageEncoderConfig,
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

impl Family for PaintByExample {
    fn info(&self) -> &'static FamilyInfo {
        &INFO
    }

    fn configure(
        &self,
        table: ConfigValue<'_>,
        base: &Path,
    ) -> Result<Box<dyn Model>, toml::de::Error> {
        let mut config = PaintByExampleConfig::deserialize(ValueDeserializer::from(table))?;
        config.checkpoint = base.join(&config.checkpoint);
        Ok(Box::new(config))
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
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

    fn inspect(&self, checkpoint: &Checkpoint) -> Result<LoadReport, NetError> {
        let sizes = Sizes::of(checkpoint)?;
        let expected = ExpectedSource::new();
        sizes.build(&expected);
        Ok(checkpoint.compare(&expected.shapes()))
    }
}

impl PaintByExampleConfig {
    fn open(&self) -> Result<(Checkpoint, Sizes), RunnerError> {
        let checkpoint = Checkpoint::open(&self.checkpoint)?;
        PaintByExample
            .recognise(&checkpoint)
            .map_err(|found| RunnerError::WrongFamily {
                path: self.checkpoint.clone(),
                family: INFO.name,
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

    /// Height and width of a generated picture.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] if the networks cannot work at that size.
    fn picture_size(&self, sizes: &Sizes) -> Result<(i64, i64), RunnerError> {
        let factor = sizes.vae.factor();
        // The published models were trained at 64 x 64 latents.
        let side = sizes.unet.sample_size.unwrap_or(64) * factor;
        let [height, width] = self.size.unwrap_or([side, side]);
        let multiple = factor * sizes.unet.size_multiple();
        if height <= 0 || width <= 0 || height % multiple != 0 || width % multiple != 0 {
            return Err(RunnerError::Setting {
                key: "model.size",
                expected: format!("[height, width] in multiples of {multiple}"),
                found: format!("[{height}, {width}]"),
            });
        }
        Ok((height, width))
    }
}

impl Model for PaintByExampleConfig {
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
        let report = checkpoint.compare(&expected.shapes());
        if !report.is_complete() {
            let path = self.checkpoint.clone();
            return Err(NetError::Tensors {
                path,
                report: Box::new(report),
            }
            .into());
        }
        let steps = self.sampler.build(&Schedule::default())?.timesteps().len();
        if let Some(capture) = capture {
            Recorder::new(
                capture,
                ConditionalHalf::Whole,
                wants,
                CaptureMasks::default(),
                steps,
            )?;
        }
        Ok(ModelFacts {
            parameters: expected.parameters(),
            files: checkpoint.files().map(Path::to_owned).collect(),
            size: self.picture_size(&sizes)?,
            steps,
        })
    }

    fn load(&self, device: Device) -> Result<Box<dyn Pipeline>, RunnerError> {
        Ok(Box::new(PaintByExamplePipeline::load(self, device)?))
    }
}

/// A loaded Paint-by-Example.
pub struct PaintByExamplePipeline {
    networks: Networks,
    sampler: Box<dyn Sampler>,
    precision: Precision,
    device: Device,
    guidance: f64,
    posterior: Posterior,
    preprocess: Preprocess,
    size: (i64, i64),
}

impl PaintByExamplePipeline {
    /// Loads the checkpoint of `config`.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load(config: &PaintByExampleConfig, device: Device) -> Result<Self, RunnerError> {
        let (checkpoint, sizes) = config.open()?;
        let source = CheckpointSource::new(&checkpoint, config.precision, device);
        let networks = sizes.build(&source);
        source.finish()?;
        Ok(Self {
            networks,
            sampler: config.sampler.build(&Schedule::default())?,
            precision: config.precision,
            device,
            guidance: config.guidance,
            posterior: config.posterior,
            preprocess: config.preprocess_for(checkpoint.layout()),
            size: config.picture_size(&sizes)?,
        })
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// The five channels beside the noisy latent: latent of the masked picture, and the mask with 1 to keep.
    fn fixed_channels(&self, inputs: &Inputs, noise: &NoiseSource) -> Result<Tensor, RunnerError> {
        let masked = self.to_network(&inputs.masked_image);
        let posterior = self.networks.vae.encode(&masked);
        let latent = match self.posterior {
            Posterior::Mean => posterior.mean,
            Posterior::Sample => {
                let noise = noise.draw("posterior.masked_image", &posterior.mean.size())?;
                posterior.sample(&self.to_network(&noise))
            }
        };
        let scaled = latent * self.networks.vae.config().scaling_factor;
        Ok(Tensor::cat(
            &[scaled, self.to_network(&inputs.latent_mask)],
            1,
        ))
    }

    fn to_network(&self, x: &Tensor) -> Tensor {
        x.to_device(self.device).to_kind(self.precision.kind())
    }

    fn guided(&self) -> bool {
        (self.guidance - 1.0).abs() > f64::EPSILON
    }
}

impl Pipeline for PaintByExamplePipeline {
    fn generate(&self, sample: &Sample, request: Request<'_>) -> Result<Generated, RunnerError> {
        let _guard = tch::no_grad_guard();
        let vae = self.networks.vae.config();
        let inputs = Inputs::of(
            sample,
            self.preprocess,
            self.size,
            vae.factor(),
            self.networks.image_encoder.config(),
        )?;
        let fixed = self.fixed_channels(&inputs, request.noise)?;
        let token = self
            .networks
            .image_encoder
            .forward(&self.to_network(&inputs.reference));
        let (context, conditional) = if self.guided() {
            let nothing = self
                .networks
                .image_encoder
                .unconditional()
                .expand_as(&token);
            (Tensor::cat(&[nothing, token], 0), ConditionalHalf::Second)
        } else {
            (token, ConditionalHalf::Whole)
        };
        let latent_size = (self.size.0 / vae.factor(), self.size.1 / vae.factor());
        let masks = CaptureMasks {
            inpainting: Some(inputs.hole),
            reference: None,
        };
        let recorder = request
            .capture
            .map(|capture| Recorder::new(capture, conditional, wants, masks, self.steps()))
            .transpose()?;
        let start = request.noise.draw(
            "start",
            &[1, vae.latent_channels, latent_size.0, latent_size.1],
        )?;
        let mut denoiser = Inpainting {
            unet: &self.networks.unet,
            guidance: self.guided().then_some(self.guidance),
            fixed,
            context: Context::pooled(context),
            noise: request.noise,
            recorder,
            on_step: request.on_step,
        };
        let latent = self
            .sampler
            .sample(self.to_network(&start), &mut denoiser)?;
        let recorder = denoiser.recorder.take();
        let decoded = self.networks.vae.decode(&(&latent / vae.scaling_factor));
        if decoded.isfinite().all().int64_value(&[]) == 0 {
            return Err(RunnerError::NotFinite {
                sample: sample.id.clone(),
                what: "the decoded picture",
            });
        }
        Ok(Generated {
            image: pictures::to_rgb(&decoded, self.preprocess.quantise()),
            decoded,
            latent,
            record: recorder
                .map(|recorder| recorder.finish(latent_size))
                .transpose()?,
        })
    }

    fn steps(&self) -> usize {
        self.sampler.timesteps().len()
    }
}

/// The UNet under guidance for one sample: one pass over `[unconditional, conditional]`.
struct Inpainting<'a> {
    unet: &'a UNet,
    guidance: Option<f64>,
    fixed: Tensor,
    context: Context,
    noise: &'a NoiseSource,
    recorder: Option<Recorder>,
    on_step: &'a mut dyn FnMut(usize),
}

impl Denoiser for Inpainting<'_> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        let input = Tensor::cat(&[x, &self.fixed], 1);
        let input = if self.guidance.is_some() {
            Tensor::cat(&[&input, &input], 0)
        } else {
            input
        };
        let timesteps = self
            .unet
            .timesteps(call.timestep, input.size()[0], input.device());
        let mut none = NoProbe;
        let probe: &mut dyn AttentionProbe = match &mut self.recorder {
            Some(recorder) => {
                recorder.begin(call);
                recorder
            }
            None => &mut none,
        };
        let eps = self.unet.forward(&input, &timesteps, &self.context, probe);
        if call.primary {
            (self.on_step)(call.step + 1);
        }
        Ok(match self.guidance {
            None => eps,
            Some(scale) => {
                let halves = eps.chunk(2, 0);
                &halves[0] + (&halves[1] - &halves[0]) * scale
            }
        })
    }

    fn step_noise(&mut self, step: usize, like: &Tensor) -> Result<Tensor, RunnerError> {
        let noise = self.noise.draw(&format!("step.{step}"), &like.size())?;
        Ok(noise.to_device(like.device()).to_kind(like.kind()))
    }
}
