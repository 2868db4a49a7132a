//! The recorders of all samples of a batch, as one probe.

use std::cell::OnceCell;

use i2am_nets::{AttentionProbe, Intervention, Observation};
use tch::{Kind, Tensor};

use super::Recorder;
use crate::RunnerError;
use crate::samplers::Call;

/// One recorder for each sample of a batch, in their order; none if nothing is recorded.
pub(crate) struct Recorders(Vec<Recorder>);

impl Recorders {
    /// Of as many samples as there are.
    pub(crate) fn new(recorders: Vec<Recorder>) -> Self {
        let numbered = recorders.into_iter().enumerate();
        Self(
            numbered
                .map(|(sample, one)| one.of_sample(sample))
                .collect(),
        )
    }

    /// As [`Recorder::begin`], for all.
    pub(crate) fn begin(&mut self, call: Call) -> Result<(), RunnerError> {
        self.0
            .iter_mut()
            .try_for_each(|recorder| recorder.begin(call))
    }

    /// Those of the samples.
    pub(crate) fn into_each(self) -> Vec<Recorder> {
        self.0
    }
}

impl AttentionProbe for Recorders {
    fn observe(&mut self, seen: &Observation<'_>) {
        // Computed for all rows when the first one asks.
        let carried = OnceCell::new();
        let seen = Observation {
            carried: &|| carried.get_or_init(seen.carried).shallow_clone(),
            ..*seen
        };
        for recorder in &mut self.0 {
            recorder.observe(&seen);
        }
    }

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        let own = self.0.iter_mut().map(|recorder| recorder.intervene(seen));
        let own: Vec<Option<Intervention>> = own.collect();
        match <[_; 1]>::try_from(own) {
            Ok([one]) => one,
            Err(several) => together(&several, seen),
        }
    }
}

/// What is changed for each sample, as one change of a batch that has the rows of all samples once or more: first a row of each sample,
/// then the next one of each.
pub(crate) fn together(
    own: &[Option<Intervention>],
    seen: &Observation<'_>,
) -> Option<Intervention> {
    let changes: Vec<&Intervention> = own.iter().flatten().collect();
    let first = changes.first()?;
    let halves = seen.query.size()[0] / own.len() as i64;
    // A sample without a rule, or with one that will be refused, keeps what it has: `neutral`.
    let rows = |part: fn(&Intervention) -> Option<&Tensor>, neutral: fn(&Tensor) -> Tensor| {
        let some: Vec<&Tensor> = changes.iter().filter_map(|change| part(change)).collect();
        let neutral = neutral(some.first()?);
        let axis = |axis: usize| some.iter().map(|x| x.size()[axis]).max();
        let whole = [halves, axis(1)?, axis(2)?, axis(3)?];
        let row = |change: &Option<Intervention>| {
            let own = change.as_ref().and_then(part);
            own.unwrap_or(&neutral).expand(whole, false)
        };
        let rows: Vec<Tensor> = own.iter().map(row).collect();
        Some(Tensor::stack(&rows, 1).flatten(0, 1))
    };
    let ones = |like: &Tensor| Tensor::ones([1; 4], (like.kind(), like.device()));
    Some(Intervention {
        allowed: rows(|change| change.allowed.as_ref(), ones),
        weakened: rows(|change| change.weakened.as_ref(), ones),
        mixed: rows(
            |change| change.mixed.as_ref(),
            |like| Tensor::eye(like.size()[3], (like.kind(), like.device())).unsqueeze(0),
        ),
        // Factors of heads are the same for every sample.
        factors: first.factors.as_ref().map(Tensor::shallow_clone),
    })
}

/// Both changes at once. A query that the two leave no key, reads nothing: a softmax over nothing is not a number.
pub(crate) fn both(one: Option<Intervention>, other: Option<Intervention>) -> Option<Intervention> {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return one.or(other),
    };
    let joined =
        |a: Option<Tensor>, b: Option<Tensor>, join: fn(&Tensor, &Tensor) -> Tensor| match (a, b) {
            (Some(a), Some(b)) => Some(join(&a, &b)),
            (a, b) => a.or(b),
        };
    let mut allowed = joined(one.allowed, other.allowed, Tensor::logical_and);
    let mut weakened = joined(one.weakened, other.weakened, |a, b| a * b);
    let reads = allowed.as_ref().map(|allowed| allowed.any_dim(-1, true));
    if let Some(reads) = reads.filter(|reads| reads.all().int64_value(&[]) == 0) {
        allowed = allowed.map(|allowed| allowed.logical_or(&reads.logical_not()));
        let reads = reads.to_kind(Kind::Float);
        weakened = Some(weakened.map_or_else(|| reads.shallow_clone(), |own| own * &reads));
    }
    Some(Intervention {
        allowed,
        weakened,
        mixed: joined(one.mixed, other.mixed, |a, b| b.matmul(a)),
        factors: joined(one.factors, other.factors, |a, b| a * b),
    })
}
