//! One moment of one sample: the passes that all questions share, and how a changed pass differs from them.

use anyhow::{Result, anyhow};
use i2am_attribution::AttentionRecord;
use i2am_faithfulness::{Effects, FLOOR};
use i2am_imaging::{Plane, RgbImage, torch_adaptive_average};
use i2am_runner::capture::ConditionalHalf;
use i2am_runner::families::{Moment, Question, Study};
use tch::Tensor;

/// A sample at one moment.
pub(super) struct Scene<'a> {
    study: &'a mut dyn Study,
    pub(super) moment: Moment,
    batch: usize,
    /// What is predicted with nothing changed, `[channels, positions]`.
    pub(super) own: Vec<f32>,
    /// The same under a plain gray reference: what families themselves call "without a reference" differs too much.
    pub(super) without: Vec<f32>,
    /// How much of each position of the latent is masked; 1 where everything is generated.
    pub(super) weights: Plane,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        study: &'a mut dyn Study,
        moment: Moment,
        batch: usize,
        gray: &RgbImage,
        mask: Option<&Plane>,
    ) -> Result<Self> {
        let own = study.ask_one(moment, Question::Unchanged)?;
        let without = study.ask_one(moment, Question::Reading(gray))?;
        let shape = own.size();
        let [height, width] = [shape[2], shape[3]].map(|n| n as usize);
        let weights = match mask {
            Some(mask) => torch_adaptive_average(mask, height, width),
            None => Plane::filled(height, width, 1.0),
        };
        Ok(Self {
            study,
            moment,
            batch,
            own: values(&own)?,
            without: values(&without)?,
            weights,
        })
    }

    /// What is predicted under each of `questions`, as many at a time as run together.
    pub(super) fn ask(&mut self, questions: &mut [Question<'_>]) -> Result<Vec<Vec<f32>>> {
        let mut answers = Vec::new();
        for together in questions.chunks_mut(self.batch) {
            let latents = self.study.ask(self.moment, together)?;
            for latent in latents {
                answers.push(values(&latent)?);
            }
        }
        Ok(answers)
    }

    /// What a pass at `step` attends to, of this or another `reference`, and what it predicts.
    pub(super) fn record(
        &mut self,
        step: usize,
        reference: Option<&RgbImage>,
    ) -> Result<(AttentionRecord, Vec<f32>)> {
        let (record, latent) = self.study.record(step, reference)?;
        Ok((record, values(&latent)?))
    }

    pub(super) fn conditional(&self) -> ConditionalHalf {
        self.study.conditional()
    }

    /// What removals are measured by; none if the reference changes hardly anything.
    fn effects(&self) -> Option<Effects<'_>> {
        Effects::new(&self.own, &self.without, self.weights.data(), FLOOR)
    }

    /// Squared change inside the masked region under a gray reference.
    pub(super) fn reference_effect(&self) -> Option<f64> {
        Some(self.effects()?.none())
    }

    /// The effect of each change, of which `latents` came: 0 for none, 1 for that of a gray reference.
    pub(super) fn effects_of(&self, latents: &[Vec<f32>]) -> Result<Vec<f64>> {
        let effects = self.effects();
        let effects =
            effects.ok_or_else(|| anyhow!("the reference hardly changes what is predicted"))?;
        let of_latent = |latent: &Vec<f32>| {
            let effect = effects.effect(latent);
            effect.ok_or_else(|| anyhow!("what is predicted is not finite"))
        };
        latents.iter().map(of_latent).collect()
    }

    /// By position, the mean over channels of how far `latent` is from what is predicted with nothing changed, absolute.
    pub(super) fn changed(&self, latent: &[f32]) -> Vec<f32> {
        let positions = self.weights.data().len();
        let channels = (self.own.len() / positions) as f32;
        let of_position = |position: usize| {
            let channels_of = (position..self.own.len()).step_by(positions);
            let off = channels_of.map(|i| (self.own[i] - latent[i]).abs());
            off.sum::<f32>() / channels
        };
        (0..positions).map(of_position).collect()
    }

    /// Whether each position belongs to the masked region.
    pub(super) fn inside(&self) -> impl Iterator<Item = bool> {
        self.weights.data().iter().map(|weight| *weight >= 0.5)
    }

    /// `step 4`, `whole sampling`.
    pub(super) fn moment_name(&self) -> String {
        match self.moment {
            Moment::Step(step) => format!("step {step}"),
            Moment::Whole => "whole sampling".to_owned(),
        }
    }
}

fn values(x: &Tensor) -> Result<Vec<f32>> {
    Ok(Vec::try_from(x.contiguous().view(-1))?)
}
