//! How a sample is asked again: its inputs and latents, kept.

use std::collections::BTreeMap;

use i2am_attribution::AttentionRecord;
use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_nets::AttentionProbe;
use tch::{Device, Kind, Tensor};

use super::together::Together;
use super::{Moment, Question, Study};
use crate::RunnerError;
use crate::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use crate::families::rows::Join as _;
use crate::families::sampling::{
    Pass, Sampled, Sampling, check_finite, recorder, sampled, step_noise,
};
use crate::families::{Generated, Job};
use crate::noise::NoiseSource;
use crate::samplers::{Call, Denoiser};

/// A sample that has been sampled, with what asking again needs.
pub(in crate::families) struct Studied<'a, P: Sampling> {
    generated: Generated,
    pipeline: &'a P,
    job: Job<'a>,
    start: Tensor,
    inputs: P::Inputs,
    masks: CaptureMasks,
    /// Groups of steps of the record, and the rules that hold in every pass.
    capture: CaptureConfig,
    /// Changes passes as the rules say and records nothing; none without a rule.
    rules: Option<Recorder>,
    /// The timestep and the latent that entered a step.
    entered: BTreeMap<usize, (i64, Tensor)>,
}

impl<'a, P: Sampling> Studied<'a, P> {
    /// Samples the sample of `job`, and keeps the latents that enter `steps`.
    ///
    /// # Errors
    /// As [`crate::families::Pipeline::generate`].
    pub(in crate::families) fn new(
        pipeline: &'a P,
        job: Job<'a>,
        capture: Option<&CaptureConfig>,
        on_step: &mut dyn FnMut(usize),
        steps: &[usize],
    ) -> Result<Self, RunnerError> {
        let _guard = tch::no_grad_guard();
        let prepared = pipeline.prepare(job.sample, job.noise)?;
        let start = prepared.start.copy();
        let masks = prepared.masks.shared();
        let prepared = vec![prepared];
        let Sampled {
            mut latents,
            inputs,
            entered,
        } = sampled(pipeline, &[job], prepared, capture, on_step, steps)?;
        let latent = latents.pop().expect("a batch of one has one latent");
        let capture = CaptureConfig {
            time_groups: capture.map_or(1, |capture| capture.time_groups),
            intervene: capture.map_or_else(Default::default, |capture| capture.intervene.clone()),
            ..CaptureConfig::default()
        };
        let rules = (!capture.intervene.is_empty())
            .then(|| recorder(pipeline, &capture, masks.shared(), |_| false));
        Ok(Self {
            generated: latent.finish(pipeline, job.sample)?,
            pipeline,
            job,
            start,
            inputs,
            masks,
            rules: rules.transpose()?,
            capture,
            entered,
        })
    }

    /// What the networks read with another reference.
    fn reading(&self, reference: &RgbImage) -> Result<P::Inputs, RunnerError> {
        let sample = Sample {
            reference: reference.clone(),
            ..self.job.sample.clone()
        };
        Ok(self.pipeline.prepare(&sample, self.job.noise)?.inputs)
    }

    /// `step`, as a sampler asks for it.
    fn call(&self, step: usize) -> Call {
        Call {
            step,
            timestep: self.entered[&step].0,
            primary: true,
        }
    }

    /// The prediction of one pass at `step`, a row for each of `count` questions that `probe` asks.
    fn passed(
        &self,
        step: usize,
        mut inputs: P::Inputs,
        (count, probe): (usize, &mut dyn AttentionProbe),
    ) -> Result<Tensor, RunnerError> {
        let noise = vec![self.job.noise; count];
        let (timestep, x) = &self.entered[&step];
        let x = repeated(x, count);
        self.pipeline.rewind(&mut inputs, step);
        let pass = Pass {
            step,
            timestep: *timestep,
            noise: &noise,
            probe,
        };
        let predicted = self.pipeline.predict(&x, &mut inputs, pass)?;
        Ok(self.pipeline.clean(&x, &predicted, step, *timestep))
    }

    /// The part of `latent` that is the generated image, f32 on the CPU.
    fn checked(&self, latent: &Tensor, moment: Moment) -> Result<Tensor, RunnerError> {
        let latent = self.pipeline.generated(latent);
        let latent = latent.to_device(Device::Cpu).to_kind(Kind::Float);
        check_finite(&latent, &[&self.job.sample.id], || match moment {
            Moment::Step(_) => "the predicted latent".to_owned(),
            Moment::Whole => "the latent".to_owned(),
        })?;
        Ok(latent)
    }

    /// The end of a whole sampling, a row for each question.
    fn sampled(
        &self,
        rules: Option<&mut Recorder>,
        mut inputs: P::Inputs,
        questions: &mut [Question<'_>],
    ) -> Result<Tensor, RunnerError> {
        self.pipeline.rewind(&mut inputs, 0);
        let start = repeated(&self.start, questions.len());
        let mut again = Again {
            pipeline: self.pipeline,
            inputs,
            noise: vec![self.job.noise; questions.len()],
            questions,
            rules,
        };
        self.pipeline.frame().sampler.sample(start, &mut again)
    }
}

impl<P: Sampling> Study for Studied<'_, P> {
    fn generated(&self) -> &Generated {
        &self.generated
    }

    fn steps(&self) -> Vec<usize> {
        self.entered.keys().copied().collect()
    }

    fn conditional(&self) -> ConditionalHalf {
        self.pipeline.conditional()
    }

    fn ask(
        &mut self,
        moment: Moment,
        questions: &mut [Question<'_>],
    ) -> Result<Vec<Tensor>, RunnerError> {
        let _guard = tch::no_grad_guard();
        let inputs = {
            let read = questions.iter().map(|question| match question {
                Question::Reading(reference) | Question::ReadingProbed(reference, _) => {
                    Some(self.reading(reference)).transpose()
                }
                _ => Ok(None),
            });
            let read: Vec<Option<P::Inputs>> = read.collect::<Result<_, _>>()?;
            let all = read.iter().map(|own| own.as_ref().unwrap_or(&self.inputs));
            P::Inputs::join(&all.collect::<Vec<_>>())
        };
        let mut rules = self.rules.take();
        let latent = match moment {
            Moment::Step(step) => begin(rules.as_mut(), self.call(step)).and_then(|()| {
                let count = questions.len();
                let mut probe = Together::new(questions, None, rules.as_mut());
                self.passed(step, inputs, (count, &mut probe))
            }),
            Moment::Whole => self.sampled(rules.as_mut(), inputs, questions),
        };
        self.rules = rules;
        let latent = latent?;
        let latent = self.checked(&latent, moment)?;
        let rows = 0..questions.len() as i64;
        Ok(rows.map(|row| latent.narrow(0, row, 1)).collect())
    }

    fn record(
        &mut self,
        step: usize,
        reference: Option<&RgbImage>,
    ) -> Result<(AttentionRecord, Tensor), RunnerError> {
        let _guard = tch::no_grad_guard();
        let info = self.pipeline.frame().info;
        let wants = |layer: &str| info.records(layer);
        let mut recorder = recorder(self.pipeline, &self.capture, self.masks.shared(), wants)?;
        recorder.begin(self.call(step))?;
        let inputs = match reference {
            Some(reference) => self.reading(reference)?,
            None => P::Inputs::join(&[&self.inputs]),
        };
        let latent = self.passed(step, inputs, (1, &mut recorder))?;
        let latent = self.checked(&latent, Moment::Step(step))?;
        let size = latent.size();
        Ok((recorder.finish((size[2], size[3]))?, latent))
    }
}

/// `x` of one sample as that of `count` samples.
fn repeated(x: &Tensor, count: usize) -> Tensor {
    x.repeat([count as i64, 1, 1, 1])
}

/// Tells rules, if there are any, which call is next.
fn begin(rules: Option<&mut Recorder>, call: Call) -> Result<(), RunnerError> {
    rules.map_or(Ok(()), |rules| rules.begin(call))
}

/// The networks under a sampler, for the questions to one sample.
struct Again<'a, 'q, P: Sampling> {
    pipeline: &'a P,
    inputs: P::Inputs,
    noise: Vec<&'a NoiseSource>,
    questions: &'a mut [Question<'q>],
    rules: Option<&'a mut Recorder>,
}

impl<P: Sampling> Denoiser for Again<'_, '_, P> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        begin(self.rules.as_deref_mut(), call)?;
        let rules = self.rules.as_deref_mut();
        let pass = Pass {
            step: call.step,
            timestep: call.timestep,
            noise: &self.noise,
            probe: &mut Together::new(self.questions, Some(call.step), rules),
        };
        self.pipeline.predict(x, &mut self.inputs, pass)
    }

    fn step_noise(&mut self, step: usize, like: &Tensor) -> Result<Tensor, RunnerError> {
        step_noise(&self.noise, step, like)
    }

    fn stepped(&mut self, step: usize, x: Tensor) -> Tensor {
        self.pipeline.stepped(x, &self.inputs, step)
    }
}
