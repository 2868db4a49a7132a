//! A sample asked again with a part of the reference taken away: single passes, at the cost of one step each, or whole samplings.

mod cells;
mod pairs;
mod studied;
mod together;
mod units;

use std::ops::Range;

use i2am_attribution::AttentionRecord;
use i2am_imaging::RgbImage;
use i2am_nets::AttentionProbe;
use tch::Tensor;

use super::Generated;
use crate::RunnerError;
use crate::capture::ConditionalHalf;

pub use cells::WithoutCells;
pub use pairs::{LayerPairs, PairMaps};
pub(super) use studied::Studied;
pub use units::{Exchange, Exchanged, Unit, Unread};

/// What the networks are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// The clean latent as one pass at this step predicts it: the short form. Steps are counted from 0, the noisiest.
    Step(usize),
    /// The latent that a whole sampling ends with, from the same noise: the full form.
    Whole,
}

/// What is changed. Questions of one call are one batch.
pub enum Question<'a> {
    /// Nothing.
    Unchanged,
    /// Another reference is read.
    Reading(&'a RgbImage),
    /// Another reference is read, and attention watched or changed.
    ReadingProbed(&'a RgbImage, &'a mut dyn AttentionProbe),
    /// Attention is watched, or changed.
    Probed(&'a mut dyn AttentionProbe),
    /// As that, in these steps of a whole sampling only.
    During(Range<usize>, &'a mut dyn AttentionProbe),
}

/// A sample that was sampled once, with the latents of some of its steps at hand. Interventions of its request hold in every pass.
pub trait Study {
    /// What came of it.
    fn generated(&self) -> &Generated;

    /// The steps whose latents were kept, counted from 0, the noisiest.
    fn steps(&self) -> Vec<usize>;

    /// Which rows of the networks' batch are computed under the reference.
    fn conditional(&self) -> ConditionalHalf;

    /// The latent of the generated image, `[1, channels, h, w]`, f32 on the CPU, for each of `questions`. They are one batch, and each is
    /// answered as if it were alone, up to rounding.
    ///
    /// # Errors
    /// As [`super::Pipeline::generate`]; a reference that does not fit.
    ///
    /// # Panics
    /// If the step was not kept, or there is no question.
    fn ask(
        &mut self,
        moment: Moment,
        questions: &mut [Question<'_>],
    ) -> Result<Vec<Tensor>, RunnerError>;

    /// What a pass at `step` attends to, as a record in which other steps have nothing, and the latent of the generated image that it
    /// predicts, as [`Study::ask`]. With a `reference` that one is read, under the masks of the sample.
    ///
    /// # Errors
    /// As [`Study::ask`].
    ///
    /// # Panics
    /// If the step was not kept.
    fn record(
        &mut self,
        step: usize,
        reference: Option<&RgbImage>,
    ) -> Result<(AttentionRecord, Tensor), RunnerError>;

    /// The answer to one question.
    ///
    /// # Errors
    /// As [`Study::ask`].
    fn ask_one(&mut self, moment: Moment, question: Question<'_>) -> Result<Tensor, RunnerError> {
        let answers = self.ask(moment, &mut [question])?;
        let mut answers = answers.into_iter();
        Ok(answers.next().expect("every question has an answer"))
    }
}
