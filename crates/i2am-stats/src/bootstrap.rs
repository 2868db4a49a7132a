//! Bootstrap intervals: what would the correlation have been on other points of the same kind?

mod bca;
mod kernel;
mod lanes;
mod large;
mod left_out;

use rayon::prelude::*;

pub use bca::{By, Interval, bca};
use kernel::{Kernel, Scratch};
use lanes::{LANES, Lanes};
pub use large::jackknife_intervals;
use left_out::left_out;

use crate::columns::{Columns, Target, is_constant};
use crate::error::{StatsError, Undefined};
use crate::method::Method;
use crate::partial::partial;
use crate::pooled::check_level;
use crate::seeded::{Purpose, below, generator};

/// Fewest points that an interval is given for; fewer resample to next to nothing.
const FEWEST: usize = 5;

/// How many resamples, and for which interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Resamples.
    pub resamples: usize,
    /// Chance that the interval covers the true value, 0 to 1.
    pub level: f64,
}

/// Which points each resample takes.
pub trait Resampling: Sync {
    /// Fills `rows` with the points of resample `index`: as many as there are, each a number below `rows.len()`.
    fn draw(&self, index: usize, rows: &mut [u32]);
}

/// Points drawn at random with replacement; every resample has its own stream, so that threads cannot matter.
#[derive(Debug, Clone, Copy)]
pub struct Seeded {
    /// The seed.
    pub seed: u64,
}

impl Resampling for Seeded {
    fn draw(&self, index: usize, rows: &mut [u32]) {
        let mut rng = generator(self.seed, Purpose::Bootstrap, index as u64);
        let count = rows.len() as u32;
        for row in rows {
            *row = below(&mut rng, count);
        }
    }
}

/// The BCa interval of the correlation of each target, with the columns `covariates` held constant; resamples are shared by all of
/// them.
///
/// A resample is a weight for each point. Columns are sorted once, and each resample walks the sorted points with its weights, so
/// that no resample is sorted: O(n) for Pearson and Spearman, O(n log n) without sorting for Kendall. Sixteen go side by side. The
/// correlations without one point, which the acceleration is made of, come from the sums over all points.
///
/// # Errors
/// [`StatsError::Setting`]. For a target [`Undefined::TooFew`] below 5 points, and as [`bca`] and [`partial`].
/// # Panics
/// If a target or covariate names a column that there is not.
/// # Source
/// Efron 1987; checked against scipy.stats.bootstrap on the same resamples (fixture `stats`).
pub fn bootstrap_intervals(
    method: Method,
    columns: &Columns<'_>,
    targets: &[Target],
    covariates: &[usize],
    draws: &dyn Resampling,
    bootstrap: Bootstrap,
) -> Result<Vec<Result<Interval, Undefined>>, StatsError> {
    let found = check(columns, bootstrap.level)?;
    if bootstrap.resamples == 0 {
        return Err(StatsError::Setting {
            name: "resamples",
            expected: "at least 1",
            found: 0.0,
        });
    }
    if let Err(few) = found {
        return Ok(vec![Err(few); targets.len()]);
    }
    let work = Work::new(method, columns, targets, covariates);
    let estimates = work.estimates();
    let resampled = work.all(bootstrap.resamples, |index, rows, weights, lane| {
        draws.draw(index, rows);
        for &row in rows.iter() {
            weights[row as usize][lane] += 1;
        }
    });
    let left_out = work.left_out(columns);
    let interval = |target: usize| {
        let estimate = estimates[target];
        if estimate.is_nan() {
            return Err(work.why_undefined(columns, target));
        }
        let (resampled, left_out) = (&resampled[target], &left_out[target]);
        bca(estimate, resampled, left_out, bootstrap.level)
    };
    Ok((0..targets.len()).into_par_iter().map(interval).collect())
}

/// Whether there are enough points for an interval at `level`.
fn check(columns: &Columns<'_>, level: f64) -> Result<Result<(), Undefined>, StatsError> {
    check_level(level)?;
    let (needed, found) = (FEWEST, columns.rows());
    let few = Undefined::TooFew { needed, found };
    Ok((found >= needed).then_some(()).ok_or(few))
}

/// Everything that does not depend on a resample.
struct Work {
    method: Method,
    kernel: Kernel,
    rows: usize,
    /// For each target the columns x, y and the covariates, as a matrix of places in the kernel's answer.
    matrices: Vec<Vec<Option<usize>>>,
    targets: Vec<Target>,
}

impl Work {
    fn new(
        method: Method,
        columns: &Columns<'_>,
        targets: &[Target],
        covariates: &[usize],
    ) -> Self {
        let mut pairs: Vec<[usize; 2]> = Vec::new();
        let mut place = |a: usize, b: usize| {
            let pair = [a.min(b), a.max(b)];
            let known = pairs.iter().position(|&known| known == pair);
            known.unwrap_or_else(|| {
                pairs.push(pair);
                pairs.len() - 1
            })
        };
        let mut matrix = |target: &Target| {
            let used: Vec<usize> = [target.x, target.y]
                .into_iter()
                .chain(covariates.iter().copied())
                .collect();
            let mut places = Vec::new();
            for (row, &a) in used.iter().enumerate() {
                for (column, &b) in used.iter().enumerate() {
                    places.push((row != column).then(|| place(a, b)));
                }
            }
            places
        };
        let matrices = targets.iter().map(&mut matrix).collect();
        Self {
            method,
            matrices,
            kernel: Kernel::new(method, columns, pairs),
            rows: columns.rows(),
            targets: targets.to_vec(),
        }
    }

    /// The correlation of every target under `count` weightings, NaN where there is none. `fill` sets one lane of the weights, which
    /// are 0 before, and may use a list of as many rows as there are.
    fn all(
        &self,
        count: usize,
        fill: impl Fn(usize, &mut [u32], &mut [[i32; LANES]], usize) + Sync,
    ) -> Vec<Vec<f64>> {
        let batch = |scratch: &mut Scratch, start: usize| {
            let used = LANES.min(count - start);
            scratch.reset(self.rows);
            for lane in 0..used {
                fill(start + lane, &mut scratch.rows, &mut scratch.weights, lane);
            }
            let correlations = self.kernel.correlations(scratch);
            let target = |matrix: &Vec<Option<usize>>| -> Lanes {
                std::array::from_fn(|lane| combine(matrix, |place| correlations[place][lane]))
            };
            let lanes: Vec<Lanes> = self.matrices.iter().map(target).collect();
            (used, lanes)
        };
        let starts: Vec<usize> = (0..count).step_by(LANES).collect();
        let batches: Vec<(usize, Vec<Lanes>)> = starts
            .into_par_iter()
            .map_init(Scratch::default, |scratch, start| batch(scratch, start))
            .collect();
        let of_target = |target: usize| {
            let lanes = batches
                .iter()
                .flat_map(|(used, lanes)| &lanes[target][..*used]);
            lanes.copied().collect()
        };
        (0..self.matrices.len()).map(of_target).collect()
    }

    /// The correlation of every target over all points, NaN where there is none.
    fn estimates(&self) -> Vec<f64> {
        let all = self.all(1, |_, _, weights, lane| {
            for weight in weights {
                weight[lane] = 1;
            }
        });
        all.into_iter().map(|values| values[0]).collect()
    }

    /// The correlation of every target without each of the points, NaN where there is none.
    fn left_out(&self, columns: &Columns<'_>) -> Vec<Vec<f64>> {
        let correlations = left_out(self.method, columns, self.kernel.pairs());
        let of_target = |matrix: &Vec<Option<usize>>| {
            let without = |row: usize| combine(matrix, |place| correlations[place][row]);
            (0..self.rows).into_par_iter().map(without).collect()
        };
        self.matrices.iter().map(of_target).collect()
    }

    fn why_undefined(&self, columns: &Columns<'_>, target: usize) -> Undefined {
        let Target { x, y } = self.targets[target];
        let constant = [x, y]
            .iter()
            .any(|&index| is_constant(columns.column(index)));
        if constant {
            Undefined::Constant
        } else {
            Undefined::Covariate
        }
    }
}

/// The correlation of the first two columns of `matrix` with the others held constant, where `correlation` is the one at a place.
fn combine(matrix: &[Option<usize>], correlation: impl Fn(usize) -> f64) -> f64 {
    if let [_, Some(place), _, _] = *matrix {
        return correlation(place);
    }
    let entry = |place: &Option<usize>| place.map_or(1.0, &correlation);
    let entries: Vec<f64> = matrix.iter().map(entry).collect();
    if entries.iter().any(|entry| entry.is_nan()) {
        return f64::NAN;
    }
    partial(entries).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests;
