//! What must hold for any data: coverage, independence of threads, refusals, properties.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::f64::consts::PI;

use i2am_stats::{
    Bootstrap, By, Columns, MOST_TO_RESAMPLE, Method, PBy, Permutations, Seeded, Settings,
    StatsError, Target, Undefined, bootstrap_intervals, correlate, jackknife_intervals, meng,
    permutation_tests, random_effects, steiger,
};
use proptest::prelude::*;

const TARGET: [Target; 1] = [Target { x: 0, y: 1 }];

/// Numbers that look normal, the same every time: twelve uniform ones (splitmix64) less six.
struct Normal(u64);

impl Normal {
    fn next(&mut self) -> f64 {
        let mut uniform = || {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) as f64 / 2_f64.powi(64)
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    }

    /// `n` points whose correlation is `r` in the long run.
    fn points(&mut self, n: usize, r: f64) -> [Vec<f64>; 2] {
        let x: Vec<f64> = (0..n).map(|_| self.next()).collect();
        let y = x
            .iter()
            .map(|x| r * x + (1.0 - r * r).sqrt() * self.next())
            .collect();
        [x, y]
    }
}

/// Share of 1,000 experiments whose interval covers the correlation that the points were made with.
fn coverage(level: f64) -> f64 {
    const EXPERIMENTS: u64 = 1000;
    const R: f64 = 0.5;
    let covers = |experiment: u64| {
        let [x, y] = Normal(experiment << 32).points(60, R);
        let columns = Columns::new(vec![&x, &y]).unwrap();
        let draws = Seeded { seed: experiment };
        let bootstrap = Bootstrap {
            resamples: 999,
            level,
        };
        let found = bootstrap_intervals(Method::Pearson, &columns, &TARGET, &[], &draws, bootstrap);
        let interval = found.unwrap()[0].unwrap();
        interval.low <= R && R <= interval.high
    };
    (0..EXPERIMENTS)
        .filter(|&experiment| covers(experiment))
        .count() as f64
        / EXPERIMENTS as f64
}

/// The band is the level, less 2 % for what BCa loses at 60 points, and three standard errors (0.007 at 0.95, 0.013 at 0.8) either way.
#[test]
fn intervals_cover_as_often_as_they_say() {
    let at_95 = coverage(0.95);
    assert!((0.91..=0.972).contains(&at_95), "{at_95}");
    let at_80 = coverage(0.8);
    assert!((0.742..=0.839).contains(&at_80), "{at_80}");
}

/// The same for the interval of large tables, of 200 points each: the band is three standard errors, and 1 % for the few points.
#[test]
fn intervals_of_large_tables_cover_as_often_as_they_say() {
    const EXPERIMENTS: u64 = 1000;
    const R: f64 = 0.5;
    // What the ranks of normal columns have in the long run: Pearson 1907, Greiner 1909.
    let truth = |method| match method {
        Method::Pearson => R,
        Method::Spearman => 6.0 / PI * (R / 2.0).asin(),
        Method::Kendall => 2.0 / PI * R.asin(),
    };
    for method in Method::ALL {
        let covers = |experiment: u64| {
            let [x, y] = Normal(experiment << 32).points(200, R);
            let columns = Columns::new(vec![&x, &y]).unwrap();
            let found = jackknife_intervals(method, &columns, &TARGET, &[], 0.95);
            let interval = found.unwrap()[0].unwrap();
            (interval.low..=interval.high).contains(&truth(method))
        };
        let covered = (0..EXPERIMENTS).filter(|&experiment| covers(experiment));
        let covered = covered.count() as f64 / EXPERIMENTS as f64;
        assert!((0.919..=0.971).contains(&covered), "{method}: {covered}");
    }
}

/// Where one takes over from the other, both say the same. Chance moves the ends of one of 4,000 resamples by 1.1 % of its width; for a
/// skewed column BCa shifts both ends, here by 4 %, and less the more points there are.
#[test]
fn both_intervals_agree_where_one_takes_over() {
    let mut normal = Normal(21);
    let [x, y] = normal.points(2000, 0.4);
    let z: Vec<f64> = x.iter().map(|x| 0.5 * x + normal.next()).collect();
    // Not normal at all.
    let skewed: Vec<f64> = y.iter().map(|y| (0.5 * y).exp()).collect();
    let tied: Vec<f64> = x.iter().map(|x| (2.0 * x).round()).collect();
    let columns = Columns::new(vec![&x, &y, &z, &skewed, &tied]).unwrap();
    let targets = [(0, 1), (0, 3), (4, 1)].map(|(x, y)| Target { x, y });
    let bootstrap = Bootstrap {
        resamples: 4000,
        level: 0.95,
    };
    for method in Method::ALL {
        for covariates in [&[][..], &[2]] {
            let draws = Seeded { seed: 4 };
            let resampled =
                bootstrap_intervals(method, &columns, &targets, covariates, &draws, bootstrap);
            let jackknife = jackknife_intervals(method, &columns, &targets, covariates, 0.95);
            for (resampled, jackknife) in resampled.unwrap().iter().zip(jackknife.unwrap()) {
                let [a, b] = [resampled.unwrap(), jackknife.unwrap()];
                let width = a.high - a.low;
                let apart = (a.low - b.low).abs().max((a.high - b.high).abs());
                assert!(apart < 0.06 * width, "{method} {covariates:?}: {a:?} {b:?}");
            }
        }
    }
}

#[test]
fn more_points_than_are_resampled_have_the_faster_interval_and_p() {
    let settings = Settings {
        resamples: 10,
        permutations: 10,
        ..Settings::default()
    };
    let found = |n: usize| {
        let [x, y] = Normal(8).points(n, 0.3);
        let columns = Columns::new(vec![&x, &y]).unwrap();
        correlate(&columns, &TARGET, &[], &settings).unwrap()[0].clone()
    };
    for (method, by) in found(MOST_TO_RESAMPLE + 1)
        .iter()
        .zip([PBy::T, PBy::T, PBy::Normal])
    {
        assert_eq!(method.p.unwrap().by, by);
        assert_eq!(method.interval.unwrap().by, By::Jackknife);
    }
    for method in found(MOST_TO_RESAMPLE) {
        assert_eq!(method.p.unwrap().by, PBy::Permutations);
        let by = method.interval.unwrap().by;
        assert_eq!(by, By::Resamples { defined: 10 });
    }
}

#[test]
fn threads_do_not_matter() {
    let [x, y] = Normal(3).points(200, 0.3);
    let columns = Columns::new(vec![&x, &y]).unwrap();
    let settings = Settings {
        resamples: 501,
        permutations: 777,
        ..Settings::default()
    };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| correlate(&columns, &TARGET, &[], &settings).unwrap())
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(5));
    assert!(
        one[0]
            .iter()
            .all(|found| found.p.unwrap().by == PBy::Permutations)
    );
    let seed = Settings {
        seed: 1,
        ..settings
    };
    assert_ne!(one, correlate(&columns, &TARGET, &[], &seed).unwrap());
}

/// Tau of ten untied points has a known distribution: as many permutations have k inversions as the Mahonian numbers say.
#[test]
fn random_permutations_find_the_exact_p() {
    let x: Vec<f64> = (0..10).map(f64::from).collect();
    let y = [1.0, 0.0, 2.0, 4.0, 3.0, 5.0, 8.0, 6.0, 9.0, 7.0];
    let columns = Columns::new(vec![&x, &y]).unwrap();
    let permutations = Permutations {
        count: 100_000,
        seed: 11,
    };
    let found = permutation_tests(Method::Kendall, &columns, &TARGET, permutations).unwrap();
    let p = found[0].unwrap();
    assert_eq!(p.by, PBy::Permutations);
    // y has 5 inversions.
    let at_most_five: f64 = [1.0, 9.0, 44.0, 155.0, 440.0, 1068.0].iter().sum();
    let exact = 2.0 * at_most_five / 3_628_800.0;
    // Five standard deviations of the share of a tail, doubled.
    let reach = 2.0 * 5.0 * (exact / 2.0 / 100_000.0).sqrt();
    assert!((p.value - exact).abs() < reach, "{} for {exact}", p.value);
}

#[test]
fn what_has_no_value_has_a_reason() {
    for method in Method::ALL {
        let value = |x: &[f64], y: &[f64]| method.coefficient(x, y);
        let few = Undefined::TooFew {
            needed: 2,
            found: 1,
        };
        assert_eq!(value(&[1.0], &[2.0]), Err(few.into()));
        let constant = StatsError::Undefined(Undefined::Constant);
        assert_eq!(
            value(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]),
            Err(constant.clone())
        );
        assert_eq!(value(&[1.0, 2.0], &[0.0, -0.0]), Err(constant));
        let length = StatsError::Length {
            column: 1,
            expected: 2,
            found: 1,
        };
        assert_eq!(value(&[1.0, 2.0], &[1.0]), Err(length));
        for bad in [f64::NAN, f64::INFINITY] {
            let error = value(&[1.0, 2.0], &[3.0, bad]).unwrap_err();
            assert!(
                matches!(
                    error,
                    StatsError::NotFinite {
                        column: 1,
                        row: 1,
                        ..
                    }
                ),
                "{error}"
            );
        }
    }
    assert_eq!(
        steiger(0.5, 0.4, 0.3, 3),
        Err(Undefined::TooFew {
            needed: 4,
            found: 3
        }
        .into())
    );
    assert_eq!(meng(1.0, 0.4, 0.4, 9), Err(Undefined::Perfect.into()));
    // One and the same column on both sides.
    assert_eq!(
        steiger(0.4, 0.4, 1.0, 9),
        Err(Undefined::Inconsistent.into())
    );
    let none = random_effects(Method::Pearson, &[], 0, 0.95);
    assert_eq!(
        none,
        Err(Undefined::TooFew {
            needed: 2,
            found: 0
        }
        .into())
    );
}

#[test]
fn four_points_have_a_number_and_allow_no_claim() {
    let x = [1.0, 2.0, 3.0, 4.0];
    let y = [1.0, 3.0, 2.0, 4.0];
    let columns = Columns::new(vec![&x, &y]).unwrap();
    for found in &correlate(&columns, &TARGET, &[], &Settings::default()).unwrap()[0] {
        assert!(found.value.unwrap() > 0.6);
        assert!(!found.allows_a_claim());
        assert!(found.p.unwrap().value > 0.05);
        assert_eq!(
            found.interval,
            Err(Undefined::TooFew {
                needed: 5,
                found: 4
            })
        );
    }
}

#[test]
fn a_covariate_that_explains_everything_leaves_nothing() {
    let [z, noise] = Normal(9).points(50, 0.0);
    let mut more = Normal(10);
    let by_z =
        |own: &[f64]| -> Vec<f64> { z.iter().zip(own).map(|(z, own)| 3.0 * z + own).collect() };
    let x = by_z(&noise);
    let y = by_z(&(0..50).map(|_| more.next()).collect::<Vec<f64>>());
    let columns = Columns::new(vec![&x, &y, &z]).unwrap();
    let settings = Settings {
        resamples: 500,
        permutations: 500,
        ..Settings::default()
    };
    let plain = correlate(&columns, &TARGET, &[], &settings).unwrap();
    let held = correlate(&columns, &TARGET, &[2], &settings).unwrap();
    for (plain, held) in plain[0].iter().zip(&held[0]) {
        assert!(
            held.value.unwrap() < plain.value.unwrap() / 2.0,
            "{plain:?} {held:?}"
        );
        if held.method == Method::Kendall {
            // Tau has no regression behind it: holding constant what makes a correlation lessens it, and no more.
            continue;
        }
        let interval = held.interval.unwrap();
        assert!(interval.low < 0.0 && interval.high > 0.0, "{held:?}");
        assert!(held.p.unwrap().value > 0.01, "{held:?}");
    }
    let same = correlate(&columns, &TARGET, &[0], &settings).unwrap();
    assert_eq!(same[0][0].value, Err(Undefined::Determined));
}

/// Two columns of few different values, so that ties are common.
fn tied() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    (2_usize..40).prop_flat_map(|n| {
        let column = || prop::collection::vec((-4_i32..4).prop_map(f64::from), n);
        (column(), column())
    })
}

/// Tau-b by looking at every pair.
fn tau_of_pairs(x: &[f64], y: &[f64]) -> f64 {
    let (mut balance, mut untied_x, mut untied_y) = (0.0, 0.0, 0.0);
    for i in 0..x.len() {
        for j in 0..i {
            let [a, b] =
                [x[i] - x[j], y[i] - y[j]].map(|d| if d == 0.0 { 0.0 } else { d.signum() });
            balance += a * b;
            untied_x += a * a;
            untied_y += b * b;
        }
    }
    balance / f64::sqrt(untied_x * untied_y)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn coefficients_are_symmetric_bounded_and_turn_with_a_side((x, y) in tied()) {
        for method in Method::ALL {
            let Ok(value) = method.coefficient(&x, &y) else { continue };
            prop_assert!((-1.0..=1.0).contains(&value));
            let turned: Vec<f64> = y.iter().map(|y| -2.0 * y + 7.0).collect();
            prop_assert!((method.coefficient(&x, &turned).unwrap() + value).abs() < 1e-12);
            prop_assert!((method.coefficient(&y, &x).unwrap() - value).abs() < 1e-12);
            prop_assert!((method.coefficient(&x, &x).unwrap() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn ranks_see_only_the_order((x, y) in tied()) {
        let bent: Vec<f64> = x.iter().map(|x| x.exp()).collect();
        for method in [Method::Spearman, Method::Kendall] {
            let values = [&x, &bent].map(|x| method.coefficient(x, &y).ok());
            prop_assert_eq!(values[0], values[1]);
        }
    }

    #[test]
    fn tau_counts_every_pair((x, y) in tied()) {
        if let Ok(value) = Method::Kendall.coefficient(&x, &y) {
            prop_assert!((value - tau_of_pairs(&x, &y)).abs() < 1e-12);
        }
    }

    #[test]
    fn intervals_are_ordered_and_bounded((x, y) in tied(), seed in 0_u64..100) {
        let columns = Columns::new(vec![&x, &y]).unwrap();
        let bootstrap = Bootstrap { resamples: 60, level: 0.9 };
        for method in Method::ALL {
            let draws = Seeded { seed };
            let found = bootstrap_intervals(method, &columns, &TARGET, &[], &draws, bootstrap);
            if let Ok(interval) = found.unwrap()[0] {
                prop_assert!(-1.0 <= interval.low && interval.low <= interval.high && interval.high <= 1.0);
            }
        }
    }
}
