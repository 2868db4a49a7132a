use i2am_attribution::AttentionRecord;
use i2am_nets::layout::Layout;
use i2am_nets::unet::UNet;
use i2am_nets::{AttentionProbe, CheckpointSource, Context, NoProbe, Precision};
use tch::{Device, Tensor};

use super::{Networks, Posterior, Settings};
use crate::RunnerError;
use crate::capture::{CaptureMasks, ConditionalHalf, Recorder};
use crate::families::Request;
use crate::families::common::{assert_finite, is_guided, step_noise, wants};
use crate::noise::NoiseSource;
use crate::samplers::{Call, Denoiser, Sampler};
use crate::schedule::Schedule;

/// Loaded networks and how to sample with them.
pub(in crate::families) struct Inpainter {
    networks: Networks,
    layout: Layout,
    sampler: Box<dyn Sampler>,
    precision: Precision,
    device: Device,
    guidance: f64,
    posterior: Posterior,
    size: (i64, i64),
}

/// What a sample is painted after. All on the CPU in f32 but for `surroundings` and `start`, which are as the networks give them.
pub(in crate::families) struct Conditions {
    /// `[1, channels, h, w]`, scaled latent of the picture around the hole.
    pub(in crate::families) surroundings: Tensor,
    /// `[1, 1, h, w]`, 1 to keep, 0 to repaint.
    pub(in crate::families) latent_mask: Tensor,
    /// `[1, 3, S, S]`, normalised as CLIP's input.
    pub(in crate::families) reference: Tensor,
    /// `[1, 1, H, W]`, 1 in the hole.
    pub(in crate::families) hole: Tensor,
    /// `[1, channels, h, w]`, where sampling starts.
    pub(in crate::families) start: Tensor,
}

/// What came of sampling.
pub(in crate::families) struct Painted {
    /// The decoded picture, `[1, 3, H, W]`, about `[-1, 1]`.
    pub(in crate::families) decoded: Tensor,
    /// The final latent, scaled.
    pub(in crate::families) latent: Tensor,
    pub(in crate::families) record: Option<AttentionRecord>,
}

impl Inpainter {
    /// Loads the checkpoint of `settings`.
    ///
    /// # Errors
    /// As [`crate::families::Model::load`].
    pub(in crate::families) fn load(
        settings: &Settings<'_>,
        device: Device,
    ) -> Result<Self, RunnerError> {
        let (checkpoint, sizes) = settings.open()?;
        let source = CheckpointSource::new(&checkpoint, settings.precision, device);
        let networks = sizes.build(&source);
        source.finish()?;
        Ok(Self {
            networks,
            layout: checkpoint.layout(),
            sampler: settings.sampler.build(&Schedule::default())?,
            precision: settings.precision,
            device,
            guidance: settings.guidance,
            posterior: settings.posterior,
            size: settings.picture_size(&sizes)?,
        })
    }

    pub(in crate::families) fn networks(&self) -> &Networks {
        &self.networks
    }

    /// How the checkpoint is laid out.
    pub(in crate::families) fn layout(&self) -> Layout {
        self.layout
    }

    /// Height and width of the pictures that the networks see.
    pub(in crate::families) fn size(&self) -> (i64, i64) {
        self.size
    }

    /// Sampling steps per sample.
    pub(in crate::families) fn steps(&self) -> usize {
        self.sampler.timesteps().len()
    }

    /// The scaled latent of `picture`, `[1, 3, H, W]` in `[-1, 1]`; the posterior's noise is called `posterior.NAME`.
    pub(in crate::families) fn encode(
        &self,
        picture: &Tensor,
        name: &str,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let posterior = self.networks.vae.encode(&self.to_network(picture));
        let latent = match self.posterior {
            Posterior::Mean => posterior.mean,
            Posterior::Sample => {
                let noise = noise.draw(&format!("posterior.{name}"), &posterior.mean.size())?;
                posterior.sample(&self.to_network(&noise))
            }
        };
        Ok(latent * self.networks.vae.config().scaling_factor)
    }

    /// Noise of the size of a latent, called `start`.
    pub(in crate::families) fn start_noise(
        &self,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let (height, width) = self.latent_size();
        let channels = self.networks.vae.config().latent_channels;
        let start = noise.draw("start", &[1, channels, height, width])?;
        Ok(self.to_network(&start))
    }

    /// Samples and decodes.
    ///
    /// # Errors
    /// Capture settings that cannot work, noise that is missing, a decoded picture of `sample` that is not finite.
    pub(in crate::families) fn paint(
        &self,
        sample: &str,
        conditions: Conditions,
        request: Request<'_>,
    ) -> Result<Painted, RunnerError> {
        let Request {
            noise,
            capture,
            on_step,
        } = request;
        let encoder = &self.networks.image_encoder;
        let token = encoder.forward(&self.to_network(&conditions.reference));
        let (context, conditional) = if is_guided(self.guidance) {
            let nothing = encoder.unconditional().expand_as(&token);
            (Tensor::cat(&[nothing, token], 0), ConditionalHalf::Second)
        } else {
            (token, ConditionalHalf::Whole)
        };
        let masks = CaptureMasks {
            inpainting: Some(conditions.hole),
            reference: None,
        };
        let recorder = capture
            .map(|capture| Recorder::new(capture, conditional, wants, masks, self.steps()))
            .transpose()?;
        let mask = self.to_network(&conditions.latent_mask);
        let mut denoiser = UnderGuidance {
            unet: &self.networks.unet,
            guidance: is_guided(self.guidance).then_some(self.guidance),
            fixed: Tensor::cat(&[conditions.surroundings, mask], 1),
            context: Context::pooled(context),
            noise,
            recorder,
            on_step,
        };
        let latent = self.sampler.sample(conditions.start, &mut denoiser)?;
        let recorder = denoiser.recorder.take();
        let vae = &self.networks.vae;
        let decoded = vae.decode(&(&latent / vae.config().scaling_factor));
        assert_finite(sample, &decoded)?;
        Ok(Painted {
            decoded,
            latent,
            record: recorder
                .map(|recorder| recorder.finish(self.latent_size()))
                .transpose()?,
        })
    }

    fn latent_size(&self) -> (i64, i64) {
        let factor = self.networks.vae.config().factor();
        (self.size.0 / factor, self.size.1 / factor)
    }

    fn to_network(&self, x: &Tensor) -> Tensor {
        x.to_device(self.device).to_kind(self.precision.kind())
    }
}

/// The UNet under guidance for one sample: one pass over `[unconditional, conditional]`.
struct UnderGuidance<'a> {
    unet: &'a UNet,
    guidance: Option<f64>,
    /// The channels beside the noisy latent: latent of the surroundings, and the mask.
    fixed: Tensor,
    context: Context,
    noise: &'a NoiseSource,
    recorder: Option<Recorder>,
    on_step: &'a mut dyn FnMut(usize),
}

impl Denoiser for UnderGuidance<'_> {
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
                recorder.begin(call)?;
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
        step_noise(self.noise, step, like)
    }
}
