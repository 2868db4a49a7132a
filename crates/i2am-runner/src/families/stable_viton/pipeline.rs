use i2am_datasets::Sample;
use i2am_nets::vae;
use i2am_nets::{AttentionProbe, CheckpointSource, Context, NoProbe, Precision};
use tch::{Device, Tensor};

use super::{ClothPosterior, StableVitonConfig, StableVitonInputs, StableVitonNetworks, Start};
use crate::RunnerError;
use crate::capture::{CaptureMasks, ConditionalHalf, Recorder};
use crate::families::common::{assert_finite, is_guided, noised, step_noise, wants};
use crate::families::{Generated, Pipeline, Posterior, Request};
use crate::noise::NoiseSource;
use crate::pictures::{self, Quantise};
use crate::samplers::{Call, Denoiser, Sampler};
use crate::schedule::Schedule;

/// A loaded `StableVITON`.
pub struct StableVitonPipeline {
    networks: StableVitonNetworks,
    sampler: Box<dyn Sampler>,
    precision: Precision,
    device: Device,
    guidance: f64,
    posterior: Posterior,
    cloth_posterior: ClothPosterior,
    start: Start,
    repaint: bool,
    size: (i64, i64),
}

impl StableVitonPipeline {
    /// Loads the checkpoint of `config`.
    ///
    /// # Errors
    /// As [`crate::families::Model::load`].
    pub fn load(config: &StableVitonConfig, device: Device) -> Result<Self, RunnerError> {
        let (checkpoint, sizes) = config.open()?;
        let size = config.picture_size(&sizes)?;
        let source = CheckpointSource::new(&checkpoint, config.precision, device);
        let networks = sizes.build(&source);
        source.finish()?;
        Self::of_networks(networks, config, size, device)
    }

    /// The pipeline of networks that come from elsewhere than a checkpoint: training, or a trial at full size.
    ///
    /// `networks` are on `device` in the precision of `config`, of which the checkpoint is not looked at.
    ///
    /// # Errors
    /// A sampler that cannot work.
    pub fn of_networks(
        networks: StableVitonNetworks,
        config: &StableVitonConfig,
        size: (i64, i64),
        device: Device,
    ) -> Result<Self, RunnerError> {
        Ok(Self {
            networks,
            sampler: config.sampler.build(&Schedule::default())?,
            precision: config.precision,
            device,
            guidance: config.guidance,
            posterior: config.posterior,
            cloth_posterior: config.cloth_posterior,
            start: config.start,
            repaint: config.repaint,
            size,
        })
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &StableVitonNetworks {
        &self.networks
    }

    fn to_network(&self, x: &Tensor) -> Tensor {
        x.to_device(self.device).to_kind(self.precision.kind())
    }

    fn encode(&self, picture: &Tensor) -> vae::Posterior {
        self.networks.vae.encode(&self.to_network(picture))
    }

    /// The scaled latent of a posterior; its noise is called `posterior.NAME`.
    fn latent(
        &self,
        posterior: &vae::Posterior,
        name: &str,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let latent = match self.posterior {
            Posterior::Mean => posterior.mean.shallow_clone(),
            Posterior::Sample => {
                let noise = noise.draw(&format!("posterior.{name}"), &posterior.mean.size())?;
                posterior.sample(&self.to_network(&noise))
            }
        };
        Ok(latent * self.networks.vae.config().scaling_factor)
    }

    fn start(
        &self,
        inputs: &StableVitonInputs,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let vae = self.networks.vae.config();
        let (height, width) = self.latent_size();
        let drawn = noise.draw("start", &[1, vae.latent_channels, height, width])?;
        let drawn = self.to_network(&drawn);
        Ok(match self.start {
            Start::Noise => drawn,
            Start::Person => {
                let person = self.latent(&self.encode(&inputs.person), "image", noise)?;
                noised(&person, &drawn)
            }
        })
    }

    /// The channels beside the noisy latent: the agnostic picture's latent, the mask, the body map's latent.
    fn fixed_channels(
        &self,
        inputs: &StableVitonInputs,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let agnostic = self.latent(&self.encode(&inputs.agnostic), "agnostic", noise)?;
        let densepose = self.latent(&self.encode(&inputs.densepose), "densepose", noise)?;
        let keep = self.to_network(&inputs.latent_keep(self.networks.vae.config().factor()));
        Ok(Tensor::cat(&[agnostic, keep, densepose], 1))
    }

    fn cloth(&self, inputs: &StableVitonInputs, noise: &NoiseSource) -> Result<Cloth, RunnerError> {
        let posterior = self.encode(&inputs.cloth);
        Ok(match (self.posterior, self.cloth_posterior) {
            (Posterior::Sample, ClothPosterior::EveryCall) => Cloth::Drawn(posterior),
            _ => Cloth::Fixed(self.latent(&posterior, "cloth", noise)?),
        })
    }

    fn latent_size(&self) -> (i64, i64) {
        let factor = self.networks.vae.config().factor();
        (self.size.0 / factor, self.size.1 / factor)
    }

    fn picture(&self, inputs: &StableVitonInputs, decoded: &Tensor) -> i2am_imaging::RgbImage {
        let painted = pictures::to_rgb(decoded, Quantise::Truncate);
        if self.repaint {
            let person = pictures::to_rgb(&inputs.person, Quantise::Truncate);
            pictures::put_back(&person, &painted, &inputs.keep)
        } else {
            painted
        }
    }
}

impl Pipeline for StableVitonPipeline {
    fn generate(&self, sample: &Sample, request: Request<'_>) -> Result<Generated, RunnerError> {
        let _guard = tch::no_grad_guard();
        let inputs = StableVitonInputs::of(sample, self.size)?;
        let start = self.start(&inputs, request.noise)?;
        let encoder = &self.networks.image_encoder;
        let token = encoder.forward(&self.to_network(&inputs.clip(encoder.config().image_size)));
        let unconditional = is_guided(self.guidance).then(|| {
            let nothing = encoder.unconditional().expand_as(&token);
            (self.guidance, Context::pooled(nothing))
        });
        let masks = CaptureMasks {
            inpainting: Some(-&inputs.keep + 1.0),
            reference: inputs.cloth_mask.as_ref().map(Tensor::shallow_clone),
        };
        // The pass without the reference is a call of its own that the recorder does not see.
        let recorder = request
            .capture
            .map(|capture| {
                Recorder::new(capture, ConditionalHalf::Whole, wants, masks, self.steps())
            })
            .transpose()?;
        let mut denoiser = TryOn {
            pipeline: self,
            fixed: self.fixed_channels(&inputs, request.noise)?,
            cloth: self.cloth(&inputs, request.noise)?,
            context: Context::pooled(token),
            unconditional,
            calls: 0,
            noise: request.noise,
            recorder,
            on_step: request.on_step,
        };
        let latent = self.sampler.sample(start, &mut denoiser)?;
        let recorder = denoiser.recorder.take();
        let vae = &self.networks.vae;
        let decoded = vae.decode(&(&latent / vae.config().scaling_factor));
        assert_finite(&sample.id, &decoded)?;
        Ok(Generated {
            image: self.picture(&inputs, &decoded),
            decoded,
            latent,
            record: recorder
                .map(|recorder| recorder.finish(self.latent_size()))
                .transpose()?,
        })
    }

    fn steps(&self) -> usize {
        self.sampler.timesteps().len()
    }
}

/// The garment as the control model sees it.
enum Cloth {
    /// One scaled latent for the whole sample.
    Fixed(Tensor),
    /// A distribution of which every call takes a draw.
    Drawn(vae::Posterior),
}

/// The networks for one sample.
struct TryOn<'a> {
    pipeline: &'a StableVitonPipeline,
    fixed: Tensor,
    cloth: Cloth,
    context: Context,
    /// Guidance scale and the context that stands for no reference.
    unconditional: Option<(f64, Context)>,
    /// Calls so far. PLMS makes one more than there are steps.
    calls: usize,
    noise: &'a NoiseSource,
    recorder: Option<Recorder>,
    on_step: &'a mut dyn FnMut(usize),
}

impl TryOn<'_> {
    /// The garment's latent for a pass; a draw is called `posterior.cloth.CALL` and, in the pass without the reference,
    /// `posterior.cloth.CALL.unconditional`.
    fn hint(&self, pass: &str) -> Result<Tensor, RunnerError> {
        match &self.cloth {
            Cloth::Fixed(latent) => Ok(latent.shallow_clone()),
            Cloth::Drawn(posterior) => {
                let name = format!("cloth.{}{pass}", self.calls);
                self.pipeline.latent(posterior, &name, self.noise)
            }
        }
    }
}

impl Denoiser for TryOn<'_> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        let input = Tensor::cat(&[x, &self.fixed], 1);
        let networks = &self.pipeline.networks;
        let hint = self.hint("")?;
        let mut none = NoProbe;
        let probe: &mut dyn AttentionProbe = match &mut self.recorder {
            Some(recorder) => {
                recorder.begin(call)?;
                recorder
            }
            None => &mut none,
        };
        let eps = networks.predict(&input, &hint, call.timestep, &self.context, probe);
        let eps = match &self.unconditional {
            None => eps,
            Some((scale, context)) => {
                let hint = self.hint(".unconditional")?;
                let t = call.timestep;
                let without = match &mut self.recorder {
                    None => networks.predict(&input, &hint, t, context, &mut NoProbe),
                    Some(recorder) => {
                        let mut probe = recorder.unrecorded();
                        networks.predict(&input, &hint, t, context, &mut probe)
                    }
                };
                &without + (eps - &without) * *scale
            }
        };
        self.calls += 1;
        if call.primary {
            (self.on_step)(call.step + 1);
        }
        Ok(eps)
    }

    fn step_noise(&mut self, step: usize, like: &Tensor) -> Result<Tensor, RunnerError> {
        step_noise(self.noise, step, like)
    }
}
