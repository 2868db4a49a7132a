//! Whether masks mean what their makers see in them: a run on other masks would end well, and with good metrics.

use anyhow::{Result, anyhow};
use i2am_datasets::{DatasetError, MaskRemark, Part};
use rayon::prelude::*;

use crate::plan::Plan;
use crate::progress;

/// How many samples are looked at side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As many as there are threads.
    Threads,
    /// One after the other. Threads would leave memory in another order each time, and products of matrices depend on where their
    /// operands lie, so that two starts of one run would differ in the last bits.
    OneByOne,
}

/// Reads the masks of every sample, warns of those that are strange, and refuses those of which nothing would count. Gives the warnings.
/// `parts` are those that a model reads of a sample.
///
/// # Errors
/// The first mask of which nothing would count, and how many such there are.
pub(super) fn check(
    plan: &Plan,
    parts: impl Fn(usize) -> Vec<Part> + Sync,
    pace: Pace,
) -> Result<Vec<String>> {
    let indices: Vec<usize> = plan.indices().collect();
    let bar = progress::bar("masks", indices.len() as u64);
    let look = |&index: &usize| {
        let found = plan.dataset.check_masks(index, &parts(index));
        bar.inc(1);
        found
    };
    let found: Vec<Result<Vec<MaskRemark>, DatasetError>> = match pace {
        Pace::Threads => indices.par_iter().map(look).collect(),
        Pace::OneByOne => indices.iter().map(look).collect(),
    };
    bar.finish_and_clear();
    let (mut groups, mut refused) = (Vec::<Group>::new(), Vec::new());
    for (&index, found) in indices.iter().zip(found) {
        match found {
            Ok(remarks) => {
                for remark in remarks {
                    let is_like = |group: &&mut Group| group.is_like(&remark);
                    match groups.iter_mut().find(is_like) {
                        Some(group) => group.count += 1,
                        None => groups.push(Group {
                            first: index,
                            count: 1,
                            remark,
                        }),
                    }
                }
            }
            Err(error) if error.is_of_mask() => refused.push(error),
            // A damaged file costs its sample; the code that reads samples says so.
            Err(_) => {}
        }
    }
    let samples = indices.len();
    let text = |group: Group| {
        let MaskRemark { part, text, .. } = group.remark;
        let path = plan.dataset.path(group.first, part).unwrap_or_default();
        let (count, id) = (group.count, &plan.dataset.ids()[group.first]);
        let path = path.display();
        format!("part `{part}`: {count} of {samples} samples, first {id}: {path}: {text}")
    };
    let warnings: Vec<String> = groups.into_iter().map(text).collect();
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    let such = refused.len();
    match refused.into_iter().next() {
        None => Ok(warnings),
        Some(first) if such == 1 => Err(first.into()),
        Some(first) => Err(anyhow!(
            "{first} ({such} of {samples} samples have such masks)"
        )),
    }
}

/// The samples with one kind of remark on one part.
struct Group {
    first: usize,
    count: usize,
    remark: MaskRemark,
}

impl Group {
    fn is_like(&self, other: &MaskRemark) -> bool {
        self.remark.part == other.part && self.remark.doubt.is_like(&other.doubt)
    }
}
