//! How many samples does it take to notice that a map was damaged?

use i2am_stats::{Resampling, Seeded};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::finite;

/// Fewest differences that an answer is given for; fewer resample to next to nothing.
pub const FEWEST_DIFFERENCES: usize = 5;

/// How the number of samples is searched for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// The smallest number of samples tried, at least 2.
    pub from: usize,
    /// The largest.
    pub to: usize,
    /// How often samples are drawn again.
    pub resamples: usize,
    /// Level of the two-sided test.
    pub level: f64,
    /// Part of the resamples in which the damage must be noticed.
    pub power: f64,
    /// Of the draws.
    pub seed: u64,
}

impl Default for Search {
    /// 5 to 1,000 samples, 2,000 resamples, level 0.05, power 0.8, seed 0.
    fn default() -> Self {
        Self {
            from: 5,
            to: 1000,
            resamples: 2000,
            level: 0.05,
            power: 0.8,
            seed: 0,
        }
    }
}

/// How many samples a score needs to notice a damage.
#[derive(Debug, Clone, PartialEq)]
pub struct Power {
    /// The smallest number of samples from which on the damage is noticed with the power asked for, up to the end of the range; `None` if
    /// it is not noticed within the range.
    pub samples: Option<usize>,
    /// Part of the resamples in which the damage is noticed, for each number of samples in the range, from its start.
    pub noticed: Vec<f64>,
    /// The range and the other settings.
    pub search: Search,
}

/// The detection power of a score, from `differences`, for every sample the score of the damaged map less that of the map as it was.
///
/// For every number of samples in the range, that many differences are drawn with replacement, many times, and tested by a two-sided
/// paired t-test. The damage is noticed if the test rejects and the mean has the sign of the mean of all `differences`. Draws are
/// nested: a resample of more samples goes on where that of fewer ends.
///
/// # Units and range
/// Samples. The start of the range means that number or fewer.
///
/// `None` with fewer than [`FEWEST_DIFFERENCES`] differences, or if one is not finite.
/// # Panics
/// If the range of `search` is empty or begins below 2, if it asks for no resample, or if `level` or `power` is not between 0 and 1.
/// # Source
/// For normal differences the power of the t-test by the noncentral t distribution of scipy (fixture `faithfulness`).
pub fn power(differences: &[f64], search: Search) -> Option<Power> {
    let Search { from, to, .. } = search;
    assert!(
        2 <= from && from <= to && search.resamples > 0,
        "a range from 2 samples on and at least one resample: found {from} to {to}, {} resamples",
        search.resamples
    );
    assert!(
        [search.level, search.power]
            .iter()
            .all(|&part| part > 0.0 && part < 1.0),
        "a level and a power between 0 and 1: found {} and {}",
        search.level,
        search.power
    );
    if differences.len() < FEWEST_DIFFERENCES || !finite(differences) {
        return None;
    }
    let noticed = noticed(differences, search);
    let last_below = noticed.iter().rposition(|&part| part < search.power);
    let first = from + last_below.map_or(0, |at| at + 1);
    Some(Power {
        samples: (first <= to).then_some(first),
        noticed,
        search,
    })
}

/// Part of the resamples in which the damage is noticed, for each number of samples.
fn noticed(differences: &[f64], search: Search) -> Vec<f64> {
    let Search { from, to, .. } = search;
    let critical: Vec<f64> = (from..=to)
        .map(|n| {
            StudentsT::new(0.0, 1.0, (n - 1) as f64)
                .expect("there are degrees of freedom")
                .inverse_cdf(1.0 - search.level / 2.0)
        })
        .collect();
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    let mut counts = vec![0_usize; critical.len()];
    let draws = Draws::new(differences.len(), search);
    let mut rows = Vec::new();
    for resample in 0..search.resamples {
        draws.fill(resample, &mut rows);
        let mut sums = Sums::new(mean);
        for (taken, &row) in (1..).zip(&rows) {
            sums.add(differences[row as usize]);
            if taken >= from && sums.is_noticed(critical[taken - from]) {
                counts[taken - from] += 1;
            }
        }
    }
    let part = |&count: &usize| count as f64 / search.resamples as f64;
    counts.iter().map(part).collect()
}

/// Which samples every resample takes: as many as the range ends with, in blocks of as many as there are samples.
struct Draws {
    seeded: Seeded,
    samples: usize,
    blocks: usize,
    taken: usize,
}

impl Draws {
    fn new(samples: usize, search: Search) -> Self {
        Self {
            seeded: Seeded { seed: search.seed },
            samples,
            blocks: search.to.div_ceil(samples),
            taken: search.to,
        }
    }

    fn fill(&self, resample: usize, rows: &mut Vec<u32>) {
        rows.resize(self.blocks * self.samples, 0);
        for (block, rows) in rows.chunks_mut(self.samples).enumerate() {
            self.seeded.draw(resample * self.blocks + block, rows);
        }
        rows.truncate(self.taken);
    }
}

/// A running t-test that the mean is 0.
struct Sums {
    /// The mean of all differences, which is taken off before summing so that no digits are lost.
    center: f64,
    count: f64,
    sum: f64,
    squares: f64,
    least: f64,
    most: f64,
}

impl Sums {
    fn new(center: f64) -> Self {
        Self {
            center,
            count: 0.0,
            sum: 0.0,
            squares: 0.0,
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
        }
    }

    fn add(&mut self, difference: f64) {
        let off = difference - self.center;
        self.count += 1.0;
        self.sum += off;
        self.squares += off * off;
        self.least = self.least.min(difference);
        self.most = self.most.max(difference);
    }

    /// Whether the mean has the sign of the center and a t beyond `critical`.
    fn is_noticed(&self, critical: f64) -> bool {
        let mean = self.center + self.sum / self.count;
        if self.least >= self.most {
            // No scatter at all: t is infinite unless there is no difference.
            return self.least * self.center > 0.0;
        }
        let variance = (self.squares - self.sum * self.sum / self.count) / (self.count - 1.0);
        mean * self.center.signum() > critical * (variance.max(0.0) / self.count).sqrt()
            && self.center != 0.0
    }
}

#[cfg(test)]
mod tests;
