use crate::asymptotic::asymptotic_test;
use crate::bootstrap::{Bootstrap, Interval, Seeded, bootstrap_intervals, jackknife_intervals};
use crate::columns::{Columns, Target};
use crate::error::{StatsError, Undefined};
use crate::method::Method;
use crate::partial::{partial, partial_test};
use crate::permutation::{PValue, Permutations, permutation_tests};

/// With fewer points nothing can be claimed: of four, even a perfect order has p = 0.08.
pub const FEWEST_FOR_A_CLAIM: usize = 5;

/// Of more points intervals are the jackknife's and p comes from a distribution: resamples and permutations would take long, and say the
/// same.
pub const MOST_TO_RESAMPLE: usize = 5000;

/// How correlations are found.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// By which methods.
    pub methods: Vec<Method>,
    /// Resamples of the intervals.
    pub resamples: usize,
    /// Random permutations of the tests.
    pub permutations: usize,
    /// Chance that an interval covers the true value, 0 to 1.
    pub level: f64,
    /// Of resamples and permutations.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            methods: Method::ALL.to_vec(),
            resamples: 10_000,
            permutations: 100_000,
            level: 0.95,
            seed: 0,
        }
    }
}

/// How two columns go together, by one method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    /// The method.
    pub method: Method,
    /// The coefficient, or why there is none.
    pub value: Result<f64, Undefined>,
    /// p that there is none; by permutation up to [`MOST_TO_RESAMPLE`] points, with covariates or more points by the t or normal
    /// distribution.
    pub p: Result<PValue, Undefined>,
    /// BCa interval, of more than [`MOST_TO_RESAMPLE`] points the jackknife's, or why there is none.
    pub interval: Result<Interval, Undefined>,
    /// Points.
    pub n: usize,
}

impl Correlation {
    /// Whether there are enough points to claim anything.
    pub fn allows_a_claim(&self) -> bool {
        self.n >= FEWEST_FOR_A_CLAIM
    }
}

/// The correlation of each target by each method, with the columns `covariates` held constant: for each target one entry per method.
///
/// # Errors
/// [`StatsError::Setting`]. What has no value is part of the answer.
/// # Panics
/// If a target or covariate names a column that there is not.
pub fn correlate(
    columns: &Columns<'_>,
    targets: &[Target],
    covariates: &[usize],
    settings: &Settings,
) -> Result<Vec<Vec<Correlation>>, StatsError> {
    let mut answers = vec![Vec::new(); targets.len()];
    for &method in &settings.methods {
        let values: Vec<_> = targets
            .iter()
            .map(|&target| value(method, columns, target, covariates))
            .collect::<Result<_, _>>()?;
        let intervals = intervals(method, columns, targets, covariates, settings)?;
        let tests = if covariates.is_empty() {
            tests(method, columns, targets, settings)?
        } else {
            let (n, k) = (columns.rows(), covariates.len());
            let test = |value: &Result<f64, _>| partial_test(method, (*value)?, n, k);
            values.iter().map(test).collect()
        };
        for (answer, ((value, p), interval)) in answers
            .iter_mut()
            .zip(values.into_iter().zip(tests).zip(intervals))
        {
            answer.push(Correlation {
                method,
                value,
                p,
                interval: value.and(interval),
                n: columns.rows(),
            });
        }
    }
    Ok(answers)
}

fn intervals(
    method: Method,
    columns: &Columns<'_>,
    targets: &[Target],
    covariates: &[usize],
    settings: &Settings,
) -> Result<Vec<Result<Interval, Undefined>>, StatsError> {
    if columns.rows() > MOST_TO_RESAMPLE {
        return jackknife_intervals(method, columns, targets, covariates, settings.level);
    }
    let draws = Seeded {
        seed: settings.seed,
    };
    let bootstrap = Bootstrap {
        resamples: settings.resamples,
        level: settings.level,
    };
    bootstrap_intervals(method, columns, targets, covariates, &draws, bootstrap)
}

fn tests(
    method: Method,
    columns: &Columns<'_>,
    targets: &[Target],
    settings: &Settings,
) -> Result<Vec<Result<PValue, Undefined>>, StatsError> {
    if columns.rows() > MOST_TO_RESAMPLE {
        let test = |&Target { x, y }: &Target| {
            defined(asymptotic_test(
                method,
                columns.column(x),
                columns.column(y),
            ))
        };
        return targets.iter().map(test).collect();
    }
    let permutations = Permutations {
        count: settings.permutations,
        seed: settings.seed,
    };
    permutation_tests(method, columns, targets, permutations)
}

/// What has no value is an answer; anything else is an error.
fn defined<T>(found: Result<T, StatsError>) -> Result<Result<T, Undefined>, StatsError> {
    match found {
        Ok(value) => Ok(Ok(value)),
        Err(StatsError::Undefined(reason)) => Ok(Err(reason)),
        Err(error) => Err(error),
    }
}

fn value(
    method: Method,
    columns: &Columns<'_>,
    target: Target,
    covariates: &[usize],
) -> Result<Result<f64, Undefined>, StatsError> {
    let coefficient =
        |a: usize, b: usize| defined(method.coefficient(columns.column(a), columns.column(b)));
    let plain = coefficient(target.x, target.y)?;
    if covariates.is_empty() || plain.is_err() {
        return Ok(plain);
    }
    let (needed, found) = (covariates.len() + 3, columns.rows());
    if found < needed {
        return Ok(Err(Undefined::TooFew { needed, found }));
    }
    let used: Vec<usize> = [target.x, target.y]
        .into_iter()
        .chain(covariates.iter().copied())
        .collect();
    let mut matrix = vec![1.0; used.len() * used.len()];
    for row in 0..used.len() {
        for column in 0..row {
            let Ok(value) = coefficient(used[row], used[column])? else {
                return Ok(Err(Undefined::Covariate));
            };
            matrix[row * used.len() + column] = value;
            matrix[column * used.len() + row] = value;
        }
    }
    Ok(partial(matrix))
}
