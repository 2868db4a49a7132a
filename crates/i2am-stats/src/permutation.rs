//! p of a correlation by permutation: how often would chance alone pair the values as well?

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::columns::{Columns, Target};
use crate::error::{StatsError, Undefined};
use crate::kendall::Slots;
use crate::method::Method;
use crate::pearson::{FEWEST, normalized};
use crate::rank_set::RankSet;
use crate::ranks::{Order, centered_ranks, pairing};
use crate::seeded::{Purpose, below, generator};

/// Up to so many points all permutations are looked at: 9! = 362,880.
pub const MOST_FOR_EXACT: usize = 9;

/// Permutations in one piece of work.
const CHUNK: usize = 250;
/// Correlations closer than this are equal: their sums round differently.
const ROUNDING: f64 = 1e-12;

/// How to test more points than [`MOST_FOR_EXACT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permutations {
    /// Random permutations.
    pub count: usize,
    /// Their seed.
    pub seed: u64,
}

/// A p value and how it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PValue {
    /// Two-sided, 0 to 1.
    pub value: f64,
    /// How.
    pub by: PBy,
}

/// How a p value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PBy {
    /// All permutations.
    Exact,
    /// Random permutations.
    Permutations,
    /// Student's t distribution.
    T,
    /// The normal distribution.
    Normal,
}

impl PBy {
    /// As written in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Permutations => "permutations",
            Self::T => "t",
            Self::Normal => "normal",
        }
    }
}

/// Two-sided p of the correlation of each target: twice the smaller share of permutations of y whose coefficient is at least, or at
/// most, the one found, and 1 at most. Of random permutations both shares count the pairing found as one more, so that p is never 0.
///
/// # Errors
/// [`StatsError::Setting`] for no permutations. For a target [`Undefined::TooFew`] below 2 points, [`Undefined::Constant`].
/// # Panics
/// If a target names a column that there is not.
/// # Source
/// Phipson, Smyth 2010; checked against `scipy.stats.permutation_test` (fixture `stats`).
pub fn permutation_tests(
    method: Method,
    columns: &Columns<'_>,
    targets: &[Target],
    permutations: Permutations,
) -> Result<Vec<Result<PValue, Undefined>>, StatsError> {
    if permutations.count == 0 {
        return Err(StatsError::Setting {
            name: "permutations",
            expected: "at least 1",
            found: 0.0,
        });
    }
    let n = columns.rows();
    if n < FEWEST {
        let few = Undefined::TooFew {
            needed: FEWEST,
            found: n,
        };
        return Ok(vec![Err(few); targets.len()]);
    }
    let mut nulls = Nulls::default();
    let places: Vec<Result<Place, Undefined>> = targets
        .iter()
        .map(|target| nulls.place(method, columns, *target))
        .collect();
    let tails = if n <= MOST_FOR_EXACT {
        nulls.all(n)
    } else {
        nulls.random(n, permutations)
    };
    let p = |place: Place| {
        let Tails { at_least, at_most } = tails[place.null][place.observed];
        let smaller = at_least.min(at_most) as f64;
        let (share, by) = if n <= MOST_FOR_EXACT {
            (smaller / factorial(n) as f64, PBy::Exact)
        } else {
            let share = (smaller + 1.0) / (permutations.count + 1) as f64;
            (share, PBy::Permutations)
        };
        PValue {
            value: (2.0 * share).min(1.0),
            by,
        }
    };
    Ok(places.into_iter().map(|place| place.map(p)).collect())
}

fn factorial(n: usize) -> u64 {
    (2..=n as u64).product()
}

/// A distribution under chance, and the scores found that are compared with it.
struct Null {
    score: Score,
    observed: Vec<f64>,
}

/// What a permutation is scored by, for columns in a fixed order; growing with the coefficient.
enum Score {
    Values { x: Vec<f64>, y: Vec<f64> },
    Ranks { x: Vec<i64>, y: Vec<i64> },
    Pairs { x: Vec<u32>, y: Slots },
}

/// Where the score of a target is.
#[derive(Clone, Copy)]
struct Place {
    null: usize,
    observed: usize,
}

/// Permutations with a score at least and at most as large as the one found.
#[derive(Clone, Copy, Default)]
struct Tails {
    at_least: u64,
    at_most: u64,
}

/// Everything that one round of permutations serves.
///
/// What chance does to ranks depends on nothing but their ties, so all targets that are tied alike share one.
#[derive(Default)]
struct Nulls {
    nulls: Vec<Null>,
    of_ranks: BTreeMap<[Vec<u32>; 2], usize>,
}

impl Nulls {
    fn place(
        &mut self,
        method: Method,
        columns: &Columns<'_>,
        target: Target,
    ) -> Result<Place, Undefined> {
        let [x, y] = [target.x, target.y].map(|index| columns.column(index));
        if method == Method::Pearson {
            let score = Score::Values {
                x: normalized(x)?,
                y: normalized(y)?,
            };
            let identity: Vec<u32> = (0..x.len() as u32).collect();
            let observed = score.of(&identity, &mut Scratch::default());
            self.nulls.push(Null {
                score,
                observed: vec![observed],
            });
            return Ok(Place {
                null: self.nulls.len() - 1,
                observed: 0,
            });
        }
        let [x, y] = [x, y].map(Order::of);
        let sizes = [x.sizes(), y.sizes()];
        if sizes.iter().any(|sizes| sizes.len() < 2) {
            return Err(Undefined::Constant);
        }
        let null = *self.of_ranks.entry(sizes.clone()).or_insert_with(|| {
            let [x, y] = &sizes;
            let score = match method {
                Method::Kendall => Score::Pairs {
                    x: x.clone(),
                    y: Slots::of(y),
                },
                _ => Score::Ranks {
                    x: centered_ranks(x),
                    y: centered_ranks(y),
                },
            };
            self.nulls.push(Null {
                score,
                observed: Vec::new(),
            });
            self.nulls.len() - 1
        });
        let Null { score, observed } = &mut self.nulls[null];
        observed.push(score.of(&pairing(&x, &y), &mut Scratch::default()));
        Ok(Place {
            null,
            observed: observed.len() - 1,
        })
    }

    fn none(&self) -> Vec<Vec<Tails>> {
        let tails = |null: &Null| vec![Tails::default(); null.observed.len()];
        self.nulls.iter().map(tails).collect()
    }

    fn count(&self, permutation: &[u32], scratch: &mut Scratch, tails: &mut [Vec<Tails>]) {
        for (Null { score, observed }, tails) in self.nulls.iter().zip(tails) {
            let score = score.of(permutation, scratch);
            for (observed, tails) in observed.iter().zip(tails) {
                tails.at_least += u64::from(score >= observed - ROUNDING);
                tails.at_most += u64::from(score <= observed + ROUNDING);
            }
        }
    }

    /// All permutations of `n`, by Heap's method.
    fn all(&self, n: usize) -> Vec<Vec<Tails>> {
        let mut tails = self.none();
        let mut scratch = Scratch::default();
        let mut permutation: Vec<u32> = (0..n as u32).collect();
        let mut counters = vec![0; n];
        self.count(&permutation, &mut scratch, &mut tails);
        let mut at = 1;
        while at < n {
            if counters[at] < at {
                permutation.swap(if at % 2 == 0 { 0 } else { counters[at] }, at);
                self.count(&permutation, &mut scratch, &mut tails);
                counters[at] += 1;
                at = 1;
            } else {
                counters[at] = 0;
                at += 1;
            }
        }
        tails
    }

    fn random(&self, n: usize, permutations: Permutations) -> Vec<Vec<Tails>> {
        let chunk = |start: usize| {
            let mut tails = self.none();
            let mut scratch = Scratch::default();
            let mut permutation = vec![0; n];
            for index in start..(start + CHUNK).min(permutations.count) {
                shuffle(&mut permutation, permutations.seed, index as u64);
                self.count(&permutation, &mut scratch, &mut tails);
            }
            tails
        };
        let starts: Vec<usize> = (0..permutations.count).step_by(CHUNK).collect();
        let chunks: Vec<Vec<Vec<Tails>>> = starts.into_par_iter().map(chunk).collect();
        let mut sum = self.none();
        for tails in &chunks {
            for (sum, tails) in sum.iter_mut().flatten().zip(tails.iter().flatten()) {
                sum.at_least += tails.at_least;
                sum.at_most += tails.at_most;
            }
        }
        sum
    }
}

/// Permutation `index` of 0, 1, 2 …, by Fisher and Yates's method.
fn shuffle(permutation: &mut [u32], seed: u64, index: u64) {
    let mut rng = generator(seed, Purpose::Permutation, index);
    for place in 0..permutation.len() {
        let other = below(&mut rng, place as u32 + 1) as usize;
        permutation[place] = permutation[other];
        permutation[other] = place as u32;
    }
}

#[derive(Default)]
struct Scratch {
    seen: RankSet,
}

impl Score {
    /// With y in the order of `permutation`.
    fn of(&self, permutation: &[u32], scratch: &mut Scratch) -> f64 {
        match self {
            Self::Values { x, y } => {
                let products = x.iter().zip(permutation).map(|(x, &at)| x * y[at as usize]);
                products.sum()
            }
            Self::Ranks { x, y } => {
                let products = x.iter().zip(permutation).map(|(x, &at)| x * y[at as usize]);
                products.sum::<i64>() as f64
            }
            Self::Pairs { x, y } => y.balance(x, permutation, &mut scratch.seen) as f64,
        }
    }
}
