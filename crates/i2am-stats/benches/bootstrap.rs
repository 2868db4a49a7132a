//! What intervals and tests cost: one score against six metrics over 2,000 points.
//!
//!     cargo bench -p i2am-stats --bench bootstrap -- [REPETITIONS]
//!
//! Prints the fastest of some repetitions of each, on as many threads as rayon takes. No benchmark harness: the usual one asks crates
//! that polars shares for other features, and everything would be compiled twice.

#![expect(
    clippy::print_stdout,
    reason = "a table for a reader is what this program is for"
)]

use std::time::{Duration, Instant};

use i2am_stats::{
    Bootstrap, Columns, Method, Permutations, Seeded, StatsError, Target, bootstrap_intervals,
    permutation_tests,
};

const POINTS: u32 = 2000;
const METRICS: u32 = 6;
const RESAMPLES: usize = 10_000;
const REPETITIONS: usize = 5;

/// A score and metrics that go with it more and more.
fn table() -> Vec<Vec<f64>> {
    let wave = |row: u32, speed: f64| (f64::from(row) * speed).sin();
    let metric = |column: u32| {
        let column = f64::from(column);
        let value = |row| wave(row, 0.7391) * column + 3.0 * wave(row, 1.1 + column);
        (0..POINTS).map(value).collect()
    };
    let score = (0..POINTS).map(|row| wave(row, 0.7391)).collect();
    [score]
        .into_iter()
        .chain((0..METRICS).map(metric))
        .collect()
}

/// The fastest run of `work`.
fn fastest<T>(
    repetitions: usize,
    work: impl Fn() -> Result<T, StatsError>,
) -> Result<Duration, StatsError> {
    let mut fastest = Duration::MAX;
    for _ in 0..repetitions {
        let started = Instant::now();
        std::hint::black_box(work()?);
        fastest = fastest.min(started.elapsed());
    }
    Ok(fastest)
}

fn main() -> Result<(), StatsError> {
    // Cargo adds `--bench`.
    let repetitions = std::env::args()
        .find_map(|word| word.parse().ok())
        .unwrap_or(REPETITIONS);
    let table = table();
    let columns = Columns::new(table.iter().map(Vec::as_slice).collect())?;
    let targets: Vec<Target> = (1..=METRICS as usize).map(|y| Target { x: 0, y }).collect();
    let bootstrap = Bootstrap {
        resamples: RESAMPLES,
        level: 0.95,
    };
    let permutations = Permutations {
        count: RESAMPLES,
        seed: 1,
    };
    println!(
        "{METRICS} metrics, {POINTS} points, {RESAMPLES} resamples or permutations, {} threads",
        rayon::current_num_threads()
    );
    for method in Method::ALL {
        let intervals = fastest(repetitions, || {
            let draws = Seeded { seed: 1 };
            bootstrap_intervals(method, &columns, &targets, &[], &draws, bootstrap)
        })?;
        let tests = fastest(repetitions, || {
            permutation_tests(method, &columns, &targets, permutations)
        })?;
        println!("{method:<8}  intervals {intervals:>8.1?}  tests {tests:>8.1?}");
    }
    Ok(())
}
