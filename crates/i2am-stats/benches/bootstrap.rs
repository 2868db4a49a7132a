//! What intervals and tests cost: one score against six metrics over 2,000 points.
//!
//!     cargo bench -p i2am-stats --bench bootstrap

use criterion::{Criterion, criterion_group, criterion_main};
use i2am_stats::{
    Bootstrap, Columns, Method, Permutations, Seeded, Target, bootstrap_intervals,
    permutation_tests,
};

const POINTS: u32 = 2000;

/// A score and six metrics that go with it more and more.
fn table() -> Vec<Vec<f64>> {
    let wave = |row: u32, speed: f64| (f64::from(row) * speed).sin();
    let metric = |column: u32| {
        let value =
            |row| wave(row, 0.7391) * f64::from(column) + 3.0 * wave(row, 1.1 + f64::from(column));
        (0..POINTS).map(value).collect()
    };
    let score = (0..POINTS).map(|row| wave(row, 0.7391)).collect();
    [score].into_iter().chain((0..6).map(metric)).collect()
}

fn intervals(criterion: &mut Criterion) {
    let table = table();
    let columns = Columns::new(table.iter().map(Vec::as_slice).collect()).expect("finite columns");
    let targets: Vec<Target> = (1..7).map(|y| Target { x: 0, y }).collect();
    let mut group = criterion.benchmark_group("six metrics, 2,000 points");
    group.sample_size(10);
    for method in Method::ALL {
        group.bench_function(format!("{method}: 10,000 resamples"), |bencher| {
            let bootstrap = Bootstrap {
                resamples: 10_000,
                level: 0.95,
            };
            bencher.iter(|| {
                bootstrap_intervals(
                    method,
                    &columns,
                    &targets,
                    &[],
                    &Seeded { seed: 1 },
                    bootstrap,
                )
            });
        });
        group.bench_function(format!("{method}: 10,000 permutations"), |bencher| {
            let permutations = Permutations {
                count: 10_000,
                seed: 1,
            };
            bencher.iter(|| permutation_tests(method, &columns, &targets, permutations));
        });
    }
    group.finish();
}

criterion_group!(benches, intervals);
criterion_main!(benches);
