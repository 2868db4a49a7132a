//! The one way from a sample to a picture. A family says what it needs of it in [`Sampling`]: how inputs are prepared, one call of its
//! networks, how a latent becomes a picture. Noise, recording, progress and faults of libtorch are the same for all.

use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_nets::guard::guard;
use i2am_nets::vae::{self, Vae};
use i2am_nets::{AttentionProbe, Intervention, Observation, Precision};
use tch::{Device, Tensor};

use super::common::is_guided;
use super::kind::{Kind as _, Settings};
use super::{Generated, Pipeline, Posterior, Request};
use crate::RunnerError;
use crate::capture::{CaptureMasks, ConditionalHalf, Recorder, Unrecorded};
use crate::noise::NoiseSource;
use crate::samplers::{Call, Denoiser, Sampler};
use crate::schedule::Schedule;

/// How and where a loaded model computes.
pub(super) struct Frame {
    pub(super) sampler: Box<dyn Sampler>,
    /// The guidance scale, if it asks for a pass without the reference.
    pub(super) guidance: Option<f64>,
    /// Which layers are recorded.
    records: fn(&str) -> bool,
    precision: Precision,
    device: Device,
    posterior: Posterior,
}

impl Frame {
    /// As the settings say.
    ///
    /// # Errors
    /// A sampler that cannot work.
    pub(super) fn new<S: Settings>(settings: &S, device: Device) -> Result<Self, RunnerError> {
        let records = settings.kind().info().records;
        let settings = settings.shared();
        Ok(Self {
            sampler: settings.sampler.build(&Schedule::default())?,
            guidance: is_guided(settings.guidance).then_some(settings.guidance),
            records,
            precision: settings.precision,
            device,
            posterior: settings.posterior,
        })
    }

    /// `x` as the networks take it.
    pub(super) fn to_network(&self, x: &Tensor) -> Tensor {
        x.to_device(self.device).to_kind(self.precision.kind())
    }

    /// Noise called `purpose`, as the networks take it.
    pub(super) fn draw(
        &self,
        noise: &NoiseSource,
        purpose: &str,
        shape: &[i64],
    ) -> Result<Tensor, RunnerError> {
        Ok(self.to_network(&noise.draw(purpose, shape)?))
    }

    /// Noise of the size of the latent of an image of `(height, width)`, called `start`.
    pub(super) fn start_noise(
        &self,
        vae: &Vae,
        (height, width): (i64, i64),
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let (channels, factor) = (vae.config().latent_channels, vae.config().factor());
        self.draw(
            noise,
            "start",
            &[1, channels, height / factor, width / factor],
        )
    }

    /// The scaled latent of a `posterior` of `vae`; its noise is called `posterior.NAME`.
    pub(super) fn latent(
        &self,
        vae: &Vae,
        posterior: &vae::Posterior,
        name: &str,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let latent = match self.posterior {
            Posterior::Mean => posterior.mean.shallow_clone(),
            Posterior::Sample => {
                let purpose = format!("posterior.{name}");
                posterior.sample(&self.draw(noise, &purpose, &posterior.mean.size())?)
            }
        };
        Ok(latent * vae.config().scaling_factor)
    }
}

/// A sample, ready to be sampled.
pub(super) struct Prepared<I> {
    /// `[1, channels, h, w]`, where sampling starts.
    pub(super) start: Tensor,
    pub(super) masks: CaptureMasks,
    /// Which rows of the networks' batch are computed under the reference.
    pub(super) conditional: ConditionalHalf,
    /// What the family's networks read besides the latent.
    pub(super) inputs: I,
}

/// One call of the networks.
pub(super) struct Pass<'a> {
    pub(super) timestep: i64,
    pub(super) noise: &'a NoiseSource,
    /// Watches the pass that reads the reference.
    pub(super) probe: &'a mut Watch,
}

/// What a family supplies to be sampled. Whatever has this is a [`Pipeline`].
pub(super) trait Sampling {
    /// What the networks read of a sample besides the latent.
    type Inputs;

    /// How it computes.
    fn frame(&self) -> &Frame;

    /// The autoencoder.
    fn vae(&self) -> &Vae;

    /// Prepares `sample`.
    fn prepare(
        &self,
        sample: &Sample,
        noise: &NoiseSource,
    ) -> Result<Prepared<Self::Inputs>, RunnerError>;

    /// Predicted noise for the latent `x` under guidance, of the same shape.
    fn predict(
        &self,
        x: &Tensor,
        inputs: &mut Self::Inputs,
        pass: Pass<'_>,
    ) -> Result<Tensor, RunnerError>;

    /// The decoded picture of a latent that is not scaled any more.
    fn decode(&self, unscaled: &Tensor) -> Tensor {
        self.vae().decode(unscaled)
    }

    /// The picture to be saved.
    fn picture(&self, inputs: &Self::Inputs, decoded: &Tensor) -> RgbImage;
}

impl<P: Sampling> Pipeline for P {
    fn generate(&self, sample: &Sample, request: Request<'_>) -> Result<Generated, RunnerError> {
        guard(|| generate(self, sample, request))?
    }

    fn steps(&self) -> usize {
        self.frame().sampler.timesteps().len()
    }
}

fn generate<P: Sampling>(
    pipeline: &P,
    sample: &Sample,
    request: Request<'_>,
) -> Result<Generated, RunnerError> {
    let _guard = tch::no_grad_guard();
    let Request {
        noise,
        capture,
        on_step,
    } = request;
    let Prepared {
        start,
        masks,
        conditional,
        inputs,
    } = pipeline.prepare(sample, noise)?;
    let size = start.size();
    let records = pipeline.frame().records;
    let recorder = capture.map(|capture| {
        let steps = pipeline.steps();
        Recorder::new(capture, conditional, records, masks, steps)
    });
    let mut driver = Driver {
        pipeline,
        inputs,
        noise,
        watch: Watch(recorder.transpose()?),
        on_step,
    };
    let latent = pipeline.frame().sampler.sample(start, &mut driver)?;
    let Driver { inputs, watch, .. } = driver;
    let scale = pipeline.vae().config().scaling_factor;
    let decoded = pipeline.decode(&(&latent / scale));
    if decoded.isfinite().all().int64_value(&[]) == 0 {
        return Err(RunnerError::NotFinite {
            sample: sample.id.clone(),
            what: "the decoded picture",
        });
    }
    let finish = |recorder: Recorder| recorder.finish((size[2], size[3]));
    Ok(Generated {
        image: pipeline.picture(&inputs, &decoded),
        decoded,
        latent,
        record: watch.0.map(finish).transpose()?,
    })
}

/// The networks under a sampler, for one sample.
struct Driver<'a, P: Sampling> {
    pipeline: &'a P,
    inputs: P::Inputs,
    noise: &'a NoiseSource,
    watch: Watch,
    on_step: &'a mut dyn FnMut(usize),
}

impl<P: Sampling> Denoiser for Driver<'_, P> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        if let Watch(Some(recorder)) = &mut self.watch {
            recorder.begin(call)?;
        }
        let pass = Pass {
            timestep: call.timestep,
            noise: self.noise,
            probe: &mut self.watch,
        };
        let predicted = self.pipeline.predict(x, &mut self.inputs, pass)?;
        if call.primary {
            (self.on_step)(call.step + 1);
        }
        Ok(predicted)
    }

    fn step_noise(&mut self, step: usize, like: &Tensor) -> Result<Tensor, RunnerError> {
        let noise = self.noise.draw(&format!("step.{step}"), &like.size())?;
        Ok(noise.to_device(like.device()).to_kind(like.kind()))
    }
}

/// The recorder of a sample, if there is one.
pub(super) struct Watch(Option<Recorder>);

impl Watch {
    /// For a pass without the reference that belongs to the same call.
    pub(super) fn unrecorded(&mut self) -> impl AttentionProbe {
        Unrecorded(self)
    }
}

impl AttentionProbe for Watch {
    fn observe(&mut self, seen: &Observation<'_>) {
        if let Some(recorder) = &mut self.0 {
            recorder.observe(seen);
        }
    }

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        self.0.as_mut()?.intervene(seen)
    }
}
