//! Which worker does what next.

use std::collections::{BTreeSet, VecDeque};

use super::Job;

/// The samples that no worker has taken yet.
pub(super) struct Queue {
    /// By model.
    left: Vec<VecDeque<usize>>,
    /// The most samples of a job, by model.
    sizes: Vec<usize>,
    /// Models and samples that a worker died over.
    died: BTreeSet<(usize, usize)>,
}

impl Queue {
    /// The samples `left` of every model, and how many of them one job takes.
    pub(super) fn new(left: &[Vec<usize>], sizes: Vec<usize>) -> Self {
        let left = left.iter().map(|left| left.iter().copied().collect());
        Self {
            left: left.collect(),
            sizes,
            died: BTreeSet::new(),
        }
    }

    /// Whether every sample was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.left.iter().all(VecDeque::is_empty)
    }

    /// The next job of a worker that has `loaded` a model, while the `others` have loaded these. It keeps its model while that has
    /// samples left; then it takes one that no other has, as long as there is one, since loading takes time and memory.
    pub(super) fn next(&mut self, loaded: Option<usize>, others: &[usize]) -> Option<Job> {
        let has_left = |model: &usize| !self.left[*model].is_empty();
        let open = || (0..self.left.len()).filter(has_left);
        let longest = || open().max_by_key(|&model| (self.left[model].len(), usize::MAX - model));
        let model = loaded
            .filter(has_left)
            .or_else(|| open().find(|model| !others.contains(model)))
            .or_else(longest)?;
        let (left, died) = (&mut self.left[model], &self.died);
        // What a worker died over is tried alone, so that its neighbors do not die with it again.
        let is_risky = |sample: usize| died.contains(&(model, sample));
        let first = left.pop_front()?;
        let mut samples = vec![first];
        if !is_risky(first) {
            while samples.len() < self.sizes[model]
                && left.front().is_some_and(|&sample| !is_risky(sample))
            {
                samples.extend(left.pop_front());
            }
        }
        Some(Job { model, samples })
    }

    /// From here on `model` gets at most `size` samples at a time; returns how many.
    pub(super) fn limit(&mut self, model: usize, size: usize) -> usize {
        self.sizes[model] = self.sizes[model].min(size).max(1);
        self.sizes[model]
    }

    /// Another worker takes over `samples` of `model`, whose worker died: once. Returns those that a worker died over before.
    pub(super) fn take_over(&mut self, model: usize, samples: &[usize]) -> Vec<usize> {
        let mut given_up = Vec::new();
        for &sample in samples.iter().rev() {
            if self.died.insert((model, sample)) {
                self.left[model].push_front(sample);
            } else {
                given_up.push(sample);
            }
        }
        given_up.reverse();
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(model: usize, samples: &[usize]) -> Job {
        let samples = samples.to_vec();
        Job { model, samples }
    }

    #[test]
    fn a_worker_keeps_its_model_and_then_helps_with_the_longest() {
        let left = [vec![0, 1], vec![], vec![0, 1, 2, 3, 4]];
        let mut queue = Queue::new(&left, vec![1; 3]);
        assert_eq!(queue.next(None, &[]), Some(job(0, &[0])));
        assert_eq!(queue.next(None, &[0]), Some(job(2, &[0])));
        assert_eq!(queue.next(Some(0), &[2]), Some(job(0, &[1])));
        assert_eq!(queue.next(Some(0), &[2]), Some(job(2, &[1])));
        assert_eq!(queue.next(Some(2), &[2]), Some(job(2, &[2])));
        assert!(!queue.is_empty());
        assert_eq!(queue.next(Some(2), &[2]), Some(job(2, &[3])));
        assert_eq!(queue.next(None, &[2]), Some(job(2, &[4])));
        assert!(queue.is_empty());
        assert_eq!(queue.next(Some(2), &[]), None);
    }

    #[test]
    fn samples_come_in_batches_that_can_become_smaller() {
        let mut queue = Queue::new(&[vec![0, 1, 2, 3, 4, 5]], vec![4]);
        assert_eq!(queue.next(None, &[]), Some(job(0, &[0, 1, 2, 3])));
        assert_eq!(queue.limit(0, 1), 1);
        assert_eq!(queue.limit(0, 3), 1);
        assert_eq!(queue.next(None, &[]), Some(job(0, &[4])));
    }

    #[test]
    fn a_sample_is_taken_over_once_and_alone() {
        let mut queue = Queue::new(&[vec![6, 7, 8, 9]], vec![2]);
        assert_eq!(queue.next(None, &[]), Some(job(0, &[6, 7])));
        assert!(queue.take_over(0, &[6, 7]).is_empty());
        assert_eq!(queue.next(Some(0), &[]), Some(job(0, &[6])));
        assert_eq!(queue.take_over(0, &[6]), [6]);
        assert_eq!(queue.next(Some(0), &[]), Some(job(0, &[7])));
        assert_eq!(queue.next(Some(0), &[]), Some(job(0, &[8, 9])));
        assert!(queue.is_empty());
    }
}
