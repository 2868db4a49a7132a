use i2am_datasets::Sample;
use i2am_imaging::{RgbImage, pillow_bicubic_rgb};
use i2am_nets::{AttentionProbe, CheckpointSource, Context, NoProbe};
use tch::{Device, Tensor};

use super::{
    ColourFix, LowResolution, PasdConfig, PasdNetworks, PasdStart, start_latent, wants,
    wavelet_colours,
};
use crate::RunnerError;
use crate::capture::{CaptureMasks, ConditionalHalf, Recorder};
use crate::families::common::{assert_finite, is_guided, step_noise};
use crate::families::{Generated, Pipeline, Posterior, Request};
use crate::noise::NoiseSource;
use crate::pictures::{self, Quantise};
use crate::samplers::{Call, Denoiser, Sampler};
use crate::schedule::Schedule;

/// A loaded PASD.
pub struct PasdPipeline {
    networks: PasdNetworks,
    /// Rows `[negative, positive]`, or the positive one alone.
    context: Context,
    sampler: Box<dyn Sampler>,
    config: PasdConfig,
    device: Device,
}

impl PasdPipeline {
    /// Loads the checkpoint of `config`, and encodes its texts.
    ///
    /// # Errors
    /// As [`crate::families::Model::load`].
    pub fn load(config: &PasdConfig, device: Device) -> Result<Self, RunnerError> {
        let (checkpoint, sizes, tokenizer) = config.open()?;
        let source = CheckpointSource::new(&checkpoint, config.precision, device);
        let networks = sizes.build(&source);
        source.finish()?;
        let positive = format!("{}{}", config.prompt, config.added_prompt);
        let texts: &[&str] = if is_guided(config.guidance) {
            &[&config.negative_prompt, &positive]
        } else {
            &[&positive]
        };
        let length = sizes.text_encoder.max_position_embeddings as usize;
        let tokens = tokenizer.batch(texts, length)?;
        Self::of_networks(networks, config, &tokens, device)
    }

    /// The pipeline of networks that come from elsewhere than a checkpoint: a trial at full size.
    ///
    /// `networks` are on `device` in the precision of `config`, of which the checkpoint is not looked at; `tokens` `[2, length]` of
    /// the negative and the positive text, or `[1, length]` of the positive one if `config` has no guidance.
    ///
    /// # Errors
    /// A sampler that cannot work.
    pub fn of_networks(
        networks: PasdNetworks,
        config: &PasdConfig,
        tokens: &Tensor,
        device: Device,
    ) -> Result<Self, RunnerError> {
        let _guard = tch::no_grad_guard();
        let states = networks.text_encoder.forward(&tokens.to_device(device));
        Ok(Self {
            networks,
            context: Context::pooled(states),
            sampler: config.sampler.build(&Schedule::default())?,
            config: config.clone(),
            device,
        })
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &PasdNetworks {
        &self.networks
    }

    /// What the text attentions read, rows as in the batch.
    pub fn context(&self) -> &Context {
        &self.context
    }

    fn to_network(&self, x: &Tensor) -> Tensor {
        x.to_device(self.device)
            .to_kind(self.config.precision.kind())
    }

    fn start(&self, low: &LowResolution, noise: &NoiseSource) -> Result<Tensor, RunnerError> {
        let vae = &self.networks.vae;
        let size = low.unit.size();
        let factor = vae.config().factor();
        let shape = [
            1,
            vae.config().latent_channels,
            size[2] / factor,
            size[3] / factor,
        ];
        let draw = |name: &str| Ok::<_, RunnerError>(self.to_network(&noise.draw(name, &shape)?));
        let first = draw("start")?;
        if self.config.start == PasdStart::Noise {
            return Ok(first);
        }
        let signed = self.to_network(&(&low.unit * 2.0 - 1.0));
        let posterior = vae.encode_tiled(&signed, &self.config.tiles);
        let latent = match self.config.posterior {
            Posterior::Mean => posterior.mean,
            Posterior::Sample => posterior.sample(&draw("posterior.low-resolution")?),
        };
        let latent = latent * vae.config().scaling_factor;
        let second = draw("start.second")?;
        Ok(start_latent(
            &latent,
            [&first, &second],
            self.sampler.timesteps(),
            self.config.second_noise,
        ))
    }

    fn picture(&self, low: &LowResolution, decoded: &Tensor) -> RgbImage {
        let decoded = decoded.to_device(Device::Cpu).to_kind(tch::Kind::Float);
        let unit = ((decoded + 1.0) / 2.0).clamp(0.0, 1.0);
        let unit = match self.config.colour_fix {
            ColourFix::Wavelet => wavelet_colours(&unit, &low.unit),
            ColourFix::None => unit,
        };
        let picture = pictures::unit_to_rgb(&unit, Quantise::Round);
        let (height, width) = low.requested;
        if picture.dimensions() == (width, height) {
            picture
        } else {
            pillow_bicubic_rgb(&picture, height as usize, width as usize)
        }
    }
}

impl Pipeline for PasdPipeline {
    fn generate(&self, sample: &Sample, request: Request<'_>) -> Result<Generated, RunnerError> {
        let _guard = tch::no_grad_guard();
        let vae = &self.networks.vae;
        let low = LowResolution::of(sample, &self.config, vae.config().factor())?;
        let start = self.start(&low, request.noise)?;
        let size = start.size();
        let conditional = if is_guided(self.config.guidance) {
            ConditionalHalf::Second
        } else {
            ConditionalHalf::Whole
        };
        let recorder = request
            .capture
            .map(|capture| {
                let masks = CaptureMasks::default();
                Recorder::new(capture, conditional, wants, masks, self.steps())
            })
            .transpose()?;
        let embedding = self.networks.denoiser.control().conditioning();
        let mut denoiser = Upscaling {
            pipeline: self,
            hint: embedding.forward(&self.to_network(&low.unit)),
            noise: request.noise,
            recorder,
            on_step: request.on_step,
        };
        let latent = self.sampler.sample(start, &mut denoiser)?;
        let recorder = denoiser.recorder.take();
        let unscaled = &latent / vae.config().scaling_factor;
        let decoded = vae.decode_tiled(&unscaled, &self.config.tiles);
        assert_finite(&sample.id, &decoded)?;
        Ok(Generated {
            image: self.picture(&low, &decoded),
            decoded,
            latent,
            record: recorder
                .map(|recorder| recorder.finish((size[2], size[3])))
                .transpose()?,
        })
    }

    fn steps(&self) -> usize {
        self.sampler.timesteps().len()
    }
}

/// The networks for one sample.
struct Upscaling<'a> {
    pipeline: &'a PasdPipeline,
    hint: Tensor,
    noise: &'a NoiseSource,
    recorder: Option<Recorder>,
    on_step: &'a mut dyn FnMut(usize),
}

impl Denoiser for Upscaling<'_> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        let mut none = NoProbe;
        let probe: &mut dyn AttentionProbe = match &mut self.recorder {
            Some(recorder) => {
                recorder.begin(call)?;
                recorder
            }
            None => &mut none,
        };
        let PasdPipeline {
            networks,
            context,
            config,
            ..
        } = self.pipeline;
        let eps = networks.denoiser.guided(
            x,
            &self.hint,
            call.timestep,
            context,
            config.conditioning_scale,
            config.guidance,
            probe,
        );
        if call.primary {
            (self.on_step)(call.step + 1);
        }
        Ok(eps)
    }

    fn step_noise(&mut self, step: usize, like: &Tensor) -> Result<Tensor, RunnerError> {
        step_noise(self.noise, step, like)
    }
}
