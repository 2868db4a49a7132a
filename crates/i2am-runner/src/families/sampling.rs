//! The one way from samples to pictures. A family says what it needs of it in [`Sampling`]: how inputs are prepared, one call of its
//! networks, how a latent becomes a picture. Noise, recording, progress and faults of libtorch are the same for all. Samples are sampled
//! in batches; one sample is a batch of one.

use std::collections::BTreeMap;

use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_nets::guard::guard;
use i2am_nets::vae::{self, Vae};
use i2am_nets::{AttentionProbe, Precision};
use tch::{Device, Tensor};

use super::common::is_guided;
use super::kind::{Kind as _, Settings};
use super::rows::{Join, joined};
use super::study::Studied;
use super::{Batch, FamilyInfo, Generated, Job, Pipeline, Posterior, Request, Study};
use crate::RunnerError;
use crate::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder, Recorders};
use crate::noise::NoiseSource;
use crate::samplers::{Call, Denoiser, Sampler};
use crate::schedule::Schedule;

/// How and where a loaded model computes.
pub(super) struct Frame {
    pub(super) sampler: Box<dyn Sampler>,
    /// The guidance scale, if it asks for a pass without the reference.
    pub(super) guidance: Option<f64>,
    pub(super) info: &'static FamilyInfo,
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
        let info = settings.kind().info();
        let sampler = settings.sampler()?;
        let settings = settings.shared();
        Ok(Self {
            sampler,
            guidance: is_guided(settings.guidance).then_some(settings.guidance),
            info,
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
pub(super) struct Prepared<P: Sampling + ?Sized> {
    /// `[1, channels, h, w]`, where sampling starts.
    pub(super) start: Tensor,
    pub(super) masks: CaptureMasks,
    /// What the family's networks read besides the latent.
    pub(super) inputs: P::Inputs,
    /// What the picture is finished with.
    pub(super) kept: P::Kept,
}

/// One call of the networks, for all samples of a batch.
pub(super) struct Pass<'a> {
    /// Which step it belongs to, counted from 0.
    pub(super) step: usize,
    pub(super) timestep: i64,
    /// Of each sample.
    pub(super) noise: &'a [&'a NoiseSource],
    /// Watches the pass that reads the reference.
    pub(super) probe: &'a mut dyn AttentionProbe,
}

/// What a family supplies to be sampled. Whatever has this is a [`Pipeline`].
///
/// Samples are prepared and decoded one at a time, and sampled together: of a batch of `n` samples a latent has `n` rows. The networks may
/// be given `2 n` rows, first those without the reference, then those with it.
pub(super) trait Sampling {
    /// What the networks read of the samples of a batch besides the latent.
    type Inputs: Join;
    /// What is kept of a sample for its picture.
    type Kept;

    /// How it computes.
    fn frame(&self) -> &Frame;

    /// The autoencoder.
    fn vae(&self) -> &Vae;

    /// Which rows of the networks' batch are computed under the reference.
    fn conditional(&self) -> ConditionalHalf {
        match self.frame().guidance {
            Some(_) => ConditionalHalf::Second,
            None => ConditionalHalf::Whole,
        }
    }

    /// Prepares `sample`.
    fn prepare(&self, sample: &Sample, noise: &NoiseSource) -> Result<Prepared<Self>, RunnerError>;

    /// Predicted noise for the latents `x` under guidance, of the same shape, or whatever else the sampler needs.
    fn predict(
        &self,
        x: &Tensor,
        inputs: &mut Self::Inputs,
        pass: Pass<'_>,
    ) -> Result<Tensor, RunnerError>;

    /// The clean latent of `x` that follows from what [`Sampling::predict`] says at `step`.
    fn clean(&self, x: &Tensor, predicted: &Tensor, _step: usize, timestep: i64) -> Tensor {
        let alpha = Schedule::default().alpha(timestep);
        (x - predicted * (1.0 - alpha).sqrt()) / alpha.sqrt()
    }

    /// Whether two samples can be sampled together, whose latents are of one size.
    fn fits(&self, _one: &Self::Inputs, _other: &Self::Inputs) -> bool {
        true
    }

    /// Makes the next call the first of `step`, for families that count calls.
    fn rewind(&self, _inputs: &mut Self::Inputs, _step: usize) {}

    /// The part of a latent that is the generated image.
    fn generated(&self, latent: &Tensor) -> Tensor {
        latent.shallow_clone()
    }

    /// As [`Denoiser::stepped`].
    fn stepped(&self, x: Tensor, _inputs: &Self::Inputs, _step: usize) -> Tensor {
        x
    }

    /// The decoded picture of the latent of one sample, which is not scaled any more.
    fn decode(&self, unscaled: &Tensor) -> Tensor {
        self.vae().decode(unscaled)
    }

    /// The picture to be saved.
    fn picture(&self, kept: &Self::Kept, decoded: &Tensor) -> RgbImage;
}

impl<P: Sampling> Pipeline for P {
    fn generate_batch(
        &self,
        jobs: &[Job<'_>],
        capture: Option<&CaptureConfig>,
        on_step: &mut dyn FnMut(usize),
    ) -> Batch {
        let _guard = tch::no_grad_guard();
        let mut results: BTreeMap<usize, Result<Generated, RunnerError>> = BTreeMap::new();
        let mut groups: Vec<Vec<(usize, Prepared<P>)>> = Vec::new();
        for (index, job) in jobs.iter().enumerate() {
            let prepared = match prepare(self, *job) {
                Ok(prepared) => prepared,
                Err(error) => {
                    results.insert(index, Err(error));
                    continue;
                }
            };
            // Latents of one size only make a batch.
            let fits = |group: &&mut Vec<(usize, Prepared<P>)>| {
                let first = &group[0].1;
                first.start.size() == prepared.start.size()
                    && self.fits(&first.inputs, &prepared.inputs)
            };
            match groups.iter_mut().find(fits) {
                Some(group) => group.push((index, prepared)),
                None => groups.push(vec![(index, prepared)]),
            }
        }
        let mut split = None;
        for group in groups {
            let (indices, prepared): (Vec<usize>, Vec<Prepared<P>>) = group.into_iter().unzip();
            let own: Vec<Job<'_>> = indices.iter().map(|&index| jobs[index]).collect();
            match generate(self, &own, prepared, capture, on_step) {
                Ok(made) => results.extend(indices.into_iter().zip(made)),
                Err(error) if own.len() == 1 => {
                    results.insert(indices[0], Err(error));
                }
                // Whichever sample it was, the others can do without it.
                Err(error) => {
                    for (index, job) in indices.into_iter().zip(own) {
                        let alone = self.generate_batch(&[job], capture, on_step);
                        results.extend(alone.results.into_iter().map(|made| (index, made)));
                    }
                    split = Some(error);
                }
            }
        }
        Batch {
            results: results.into_values().collect(),
            split,
        }
    }

    fn study(
        &self,
        sample: &Sample,
        request: Request<'_>,
        steps: &[usize],
        work: &mut dyn FnMut(&mut dyn Study) -> Result<(), RunnerError>,
    ) -> Result<(), RunnerError> {
        let Request {
            noise,
            capture,
            on_step,
        } = request;
        let job = Job { sample, noise };
        guard(|| work(&mut Studied::new(self, job, capture, on_step, steps)?))?
    }

    fn steps(&self) -> usize {
        self.frame().sampler.timesteps().len()
    }
}

/// As [`Sampling::prepare`]; faults of libtorch are errors.
fn prepare<P: Sampling>(pipeline: &P, job: Job<'_>) -> Result<Prepared<P>, RunnerError> {
    guard(|| pipeline.prepare(job.sample, job.noise))?
}

/// Generates the samples of `jobs`.
///
/// # Errors
/// What ends the whole batch; an error of a picture is that of its sample.
fn generate<P: Sampling>(
    pipeline: &P,
    jobs: &[Job<'_>],
    prepared: Vec<Prepared<P>>,
    capture: Option<&CaptureConfig>,
    on_step: &mut dyn FnMut(usize),
) -> Result<Vec<Result<Generated, RunnerError>>, RunnerError> {
    let sampled = guard(|| sampled(pipeline, jobs, prepared, capture, on_step, &[]))??;
    let finish = |(job, latent): (&Job<'_>, Undecoded<P>)| {
        let finish = || latent.finish(pipeline, job.sample);
        guard(finish).map_err(RunnerError::from).flatten()
    };
    Ok(jobs.iter().zip(sampled.latents).map(finish).collect())
}

/// Samples the `jobs`, whose latents are of one size, and keeps the latents that enter `steps`.
pub(super) fn sampled<P: Sampling>(
    pipeline: &P,
    jobs: &[Job<'_>],
    prepared: Vec<Prepared<P>>,
    capture: Option<&CaptureConfig>,
    on_step: &mut dyn FnMut(usize),
    steps: &[usize],
) -> Result<Sampled<P>, RunnerError> {
    let _guard = tch::no_grad_guard();
    let refs: Vec<&Prepared<P>> = prepared.iter().collect();
    let start = joined(&refs, |one| &one.start);
    let inputs = joined(&refs, |one| &one.inputs);
    drop(refs);
    let mut recorders = Vec::new();
    let mut kept = Vec::new();
    for prepared in prepared {
        kept.push(prepared.kept);
        if let Some(capture) = capture {
            let info = pipeline.frame().info;
            let wants = |layer: &str| info.records(layer);
            recorders.push(recorder(pipeline, capture, prepared.masks, wants)?);
        }
    }
    let noise: Vec<&NoiseSource> = jobs.iter().map(|job| job.noise).collect();
    let mut driver = Driver {
        pipeline,
        jobs,
        inputs,
        noise: &noise,
        recorders: Recorders::new(recorders),
        on_step,
        entered: steps.iter().map(|&step| (step, None)).collect(),
    };
    let latents = pipeline.frame().sampler.sample(start, &mut driver)?;
    let Driver {
        inputs,
        recorders,
        entered,
        ..
    } = driver;
    let mut recorders = recorders.into_each().into_iter();
    let latents = kept.into_iter().enumerate().map(|(row, kept)| Undecoded {
        latent: latents.narrow(0, row as i64, 1),
        kept,
        recorder: recorders.next(),
    });
    Ok(Sampled {
        latents: latents.collect(),
        inputs,
        entered: entered
            .into_iter()
            .filter_map(|(step, x)| Some((step, x?)))
            .collect(),
    })
}

/// What records the layers of a sample that `wants` wants, and changes its passes.
pub(super) fn recorder<P: Sampling>(
    pipeline: &P,
    capture: &CaptureConfig,
    masks: CaptureMasks,
    wants: impl Fn(&str) -> bool + 'static,
) -> Result<Recorder, RunnerError> {
    let (half, steps) = (pipeline.conditional(), pipeline.steps());
    Recorder::new(capture, half, wants, masks, steps)
}

/// A batch that has been sampled.
pub(super) struct Sampled<P: Sampling> {
    /// Of each sample.
    pub(super) latents: Vec<Undecoded<P>>,
    pub(super) inputs: P::Inputs,
    /// The timestep and the latent that entered a step.
    pub(super) entered: BTreeMap<usize, (i64, Tensor)>,
}

/// What sampling leaves of one sample.
pub(super) struct Undecoded<P: Sampling> {
    latent: Tensor,
    kept: P::Kept,
    recorder: Option<Recorder>,
}

impl<P: Sampling> Undecoded<P> {
    /// Decodes it.
    pub(super) fn finish(self, pipeline: &P, sample: &Sample) -> Result<Generated, RunnerError> {
        let scale = pipeline.vae().config().scaling_factor;
        let generated = pipeline.generated(&self.latent);
        let decoded = pipeline.decode(&(&generated / scale));
        check_finite(&decoded, &[&sample.id], || "the decoded image".to_owned())?;
        let size = generated.size();
        let finish = |recorder: Recorder| recorder.finish((size[2], size[3]));
        Ok(Generated {
            image: pipeline.picture(&self.kept, &decoded),
            decoded,
            latent: self.latent,
            record: self.recorder.map(finish).transpose()?,
        })
    }
}

/// The networks under a sampler, for a batch.
struct Driver<'a, P: Sampling> {
    pipeline: &'a P,
    jobs: &'a [Job<'a>],
    inputs: P::Inputs,
    noise: &'a [&'a NoiseSource],
    recorders: Recorders,
    on_step: &'a mut dyn FnMut(usize),
    /// Steps whose timestep and entering latent are wanted.
    entered: BTreeMap<usize, Option<(i64, Tensor)>>,
}

impl<P: Sampling> Driver<'_, P> {
    fn check_finite(&self, x: &Tensor, what: impl Fn() -> String) -> Result<(), RunnerError> {
        let ids: Vec<&str> = self.jobs.iter().map(|job| job.sample.id.as_str()).collect();
        check_finite(x, &ids, what)
    }
}

impl<P: Sampling> Denoiser for Driver<'_, P> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        self.recorders.begin(call)?;
        let steps = self.pipeline.steps();
        let place = |what: &str| {
            let step = call.step + 1;
            format!(
                "{what} of step {step} of {steps} (timestep {})",
                call.timestep
            )
        };
        self.check_finite(x, || place("the latent"))?;
        if let Some(entered) = self.entered.get_mut(&call.step).filter(|_| call.primary) {
            *entered = Some((call.timestep, x.copy()));
        }
        let pass = Pass {
            step: call.step,
            timestep: call.timestep,
            noise: self.noise,
            probe: &mut self.recorders,
        };
        let predicted = self.pipeline.predict(x, &mut self.inputs, pass)?;
        self.check_finite(&predicted, || place("the predicted noise"))?;
        if call.primary {
            (self.on_step)(call.step + 1);
        }
        Ok(predicted)
    }

    fn step_noise(&mut self, step: usize, like: &Tensor) -> Result<Tensor, RunnerError> {
        step_noise(self.noise, step, like)
    }

    fn stepped(&mut self, step: usize, x: Tensor) -> Tensor {
        self.pipeline.stepped(x, &self.inputs, step)
    }
}

/// Noise for the update after `step`, a row for each sample.
pub(super) fn step_noise(
    noise: &[&NoiseSource],
    step: usize,
    like: &Tensor,
) -> Result<Tensor, RunnerError> {
    let size = like.size();
    let one = [&[1], &size[1..]].concat();
    let purpose = format!("step.{step}");
    let draw = |noise: &&NoiseSource| noise.draw(&purpose, &one);
    let drawn: Vec<Tensor> = noise.iter().map(draw).collect::<Result<_, _>>()?;
    let drawn = Tensor::join(&drawn.iter().collect::<Vec<_>>());
    Ok(drawn.to_device(like.device()).to_kind(like.kind()))
}

/// Refuses values from which nothing but more of their kind would follow, in the name of the first of `samples` that has some; each has a
/// row.
pub(super) fn check_finite(
    tensor: &Tensor,
    samples: &[&str],
    what: impl Fn() -> String,
) -> Result<(), RunnerError> {
    let finite = tensor.isfinite();
    if finite.all().int64_value(&[]) != 0 {
        return Ok(());
    }
    let is_finite = |row: usize| finite.get(row as i64).all().int64_value(&[]) != 0;
    let row = (0..samples.len()).find(|&row| !is_finite(row));
    Err(RunnerError::NotFinite {
        sample: samples[row.unwrap_or_default()].to_owned(),
        what: what(),
    })
}
