//! The probes of questions that are asked as one batch, each as if it were alone.

use i2am_nets::{AttentionProbe, Intervention, Observation};
use tch::Tensor;

use super::Question;
use crate::capture::{Recorder, both, together};

/// A probe for all questions of a batch. Each sees the rows of its own pass only.
pub(super) struct Together<'a, 'q> {
    questions: &'a mut [Question<'q>],
    /// The step of a whole sampling.
    step: Option<usize>,
    /// Changes the passes of all questions alike.
    rules: Option<&'a mut Recorder>,
}

impl<'a, 'q> Together<'a, 'q> {
    pub(super) fn new(
        questions: &'a mut [Question<'q>],
        step: Option<usize>,
        rules: Option<&'a mut Recorder>,
    ) -> Self {
        Self {
            questions,
            step,
            rules,
        }
    }

    /// What the probe of each question answers, seeing its own rows.
    fn each<T>(
        &mut self,
        seen: &Observation<'_>,
        ask: impl Fn(&mut dyn AttentionProbe, &Observation<'_>) -> Option<T>,
    ) -> Vec<Option<T>> {
        let (count, step) = (self.questions.len(), self.step);
        let of_question = |(index, question): (usize, &mut Question<'_>)| {
            let probe: &mut dyn AttentionProbe = match question {
                Question::Unchanged | Question::Reading(_) => return None,
                Question::Probed(probe) | Question::ReadingProbed(_, probe) => &mut **probe,
                Question::During(steps, probe) => {
                    if step.is_some_and(|step| !steps.contains(&step)) {
                        return None;
                    }
                    &mut **probe
                }
            };
            let own = |x: &Tensor| own_rows(x, index, count);
            let (query, key) = (own(seen.query), own(seen.key));
            let carried = || own(&(seen.carried)());
            let log_sums = || (seen.log_sums)().map(|sums| own(&sums));
            let own = Observation {
                query: &query,
                key: &key,
                carried: &carried,
                log_sums: &log_sums,
                ..*seen
            };
            ask(probe, &own)
        };
        let questions = self.questions.iter_mut().enumerate();
        questions.map(of_question).collect()
    }
}

/// The rows of sample `index` of `count`: in a batch of several halves, one of each.
fn own_rows(x: &Tensor, index: usize, count: usize) -> Tensor {
    let count = count as i64;
    let halves = x.size()[0] / count;
    x.unflatten(0, [halves, count]).select(1, index as i64)
}

impl AttentionProbe for Together<'_, '_> {
    fn observe(&mut self, seen: &Observation<'_>) {
        self.each(seen, |probe, own| -> Option<()> {
            probe.observe(own);
            None
        });
    }

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        let own = self.each(seen, |probe, own| probe.intervene(own));
        let rules = self.rules.as_mut();
        both(
            together(&own, seen),
            rules.and_then(|rules| rules.intervene(seen)),
        )
    }

    fn intervene_without(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        let own = self.each(seen, |probe, own| probe.intervene_without(own));
        let rules = self.rules.as_mut();
        let rules = rules.and_then(|rules| rules.intervene_without(seen));
        both(together(&own, seen), rules)
    }
}
