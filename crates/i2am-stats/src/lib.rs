//! Correlations of scores with metrics, and how far each can be trusted. Plain numbers in, plain numbers out: no files, no names.
//!
//! [`correlate`] answers the usual question, how two columns go together, by every method asked for: the coefficient, a p by
//! permutation and a BCa bootstrap interval, plain or with covariates held constant. Of more than [`MOST_TO_RESAMPLE`] points p comes
//! from a distribution and the interval from the jackknife. What it is made of is public as well:
//!
//! | what | where |
//! |---|---|
//! | coefficients | [`Method`]: [`pearson`], [`spearman`], [`kendall`] |
//! | p of a coefficient | [`permutation_tests`], exact up to [`MOST_FOR_EXACT`] points; [`asymptotic_test`] |
//! | interval of a coefficient | [`bootstrap_intervals`], [`bca`]; [`jackknife_intervals`] |
//! | p over a family of tests | [`holm`] |
//! | two correlations with one metric, from the same points | [`steiger`], [`meng`] |
//! | with covariates held constant | [`partial`] |
//! | one correlation out of several groups | [`random_effects`] |
//!
//! # Numbers do not depend on the machine
//!
//! Every resample and permutation has its own stream of one seeded generator, sums run in index order and rayon only maps, so
//! results are the same for any number of threads.
//!
//! # What has no value
//!
//! A column that is constant, too few points and the like are [`StatsError::Undefined`]: a reason to leave a cell empty. NaN and
//! infinity are refused before anything is computed, [`StatsError::NotFinite`].

mod analysis;
mod asymptotic;
mod bootstrap;
mod columns;
mod dependent;
mod distributions;
mod error;
mod holm;
mod kendall;
mod method;
mod partial;
mod pearson;
mod permutation;
mod pooled;
mod quantile;
mod rank_set;
mod ranks;
mod seeded;
mod spearman;

pub use analysis::{Correlation, FEWEST_FOR_A_CLAIM, MOST_TO_RESAMPLE, Settings, correlate};
pub use asymptotic::asymptotic_test;
pub use bootstrap::{
    Bootstrap, By, Interval, Resampling, Seeded, bca, bootstrap_intervals, jackknife_intervals,
};
pub use columns::{Columns, Target};
pub use dependent::{Comparison, meng, steiger};
pub use error::{StatsError, Undefined};
pub use holm::holm;
pub use kendall::kendall;
pub use method::Method;
pub use partial::{partial, partial_test};
pub use pearson::pearson;
pub use permutation::{MOST_FOR_EXACT, PBy, PValue, Permutations, permutation_tests};
pub use pooled::{Pooled, Study, random_effects};
pub use quantile::quantile;
pub use spearman::spearman;
