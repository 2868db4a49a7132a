use statrs::distribution::Normal;

use super::*;

/// Quantiles of the normal distribution with standard deviation 1 around `mean`.
fn normal(mean: f64) -> Vec<f64> {
    let normal = Normal::new(0.0, 1.0).unwrap();
    let count = 2000;
    (0..count)
        .map(|i| mean + normal.inverse_cdf((f64::from(i) + 0.5) / f64::from(count)))
        .collect()
}

#[test]
fn agrees_with_tables_of_the_paired_t_test() {
    // Cohen's d of 0.5 at 0.05 and 80 %: 34 pairs; 0.8: 15 pairs; 0.2: 199 pairs.
    for (d, expected, within) in [(0.5, 34, 2), (0.8, 15, 1), (0.2, 199, 8)] {
        for sign in [-1.0, 1.0] {
            let found = power(&normal(sign * d), Search::default()).unwrap();
            let samples = found.samples.unwrap();
            assert!(samples.abs_diff(expected) <= within, "{d}: {samples}");
        }
    }
}

#[test]
fn nothing_is_noticed_where_nothing_is() {
    let search = Search {
        to: 200,
        ..Search::default()
    };
    let found = power(&normal(0.0), search).unwrap();
    assert_eq!(found.samples, None);
    assert_eq!(found.noticed.len(), 196);
    // Half of 0.05, the side of the mean, as its sign is that of rounding.
    assert!(
        found.noticed.iter().all(|&part| part < 0.05),
        "{:?}",
        found.noticed
    );
    let none = power(&[0.0; 30], search).unwrap();
    assert_eq!((none.samples, none.noticed[0]), (None, 0.0));
    let balanced = power(&[1.0, -1.0, 2.0, -2.0, 3.0, -3.0], search).unwrap();
    assert_eq!(balanced.samples, None);
}

#[test]
fn a_difference_without_scatter_is_noticed_at_once() {
    let found = power(&[-0.1; 12], Search::default()).unwrap();
    assert_eq!(found.samples, Some(5));
    assert!(found.noticed.iter().all(|&part| part == 1.0));
}

#[test]
fn a_weak_damage_is_out_of_range() {
    let search = Search {
        to: 30,
        ..Search::default()
    };
    assert_eq!(power(&normal(0.5), search).unwrap().samples, None);
}

#[test]
fn repeats_and_depends_on_the_seed() {
    let differences = normal(0.3);
    let by = |seed| {
        let search = Search {
            seed,
            to: 150,
            ..Search::default()
        };
        power(&differences, search).unwrap()
    };
    assert_eq!(by(1), by(1));
    assert_ne!(by(1).noticed, by(2).noticed);
}

#[test]
fn needs_enough_numbers() {
    assert_eq!(power(&[1.0; 4], Search::default()), None);
    assert_eq!(
        power(&[1.0, 1.0, 1.0, 1.0, f64::NAN], Search::default()),
        None
    );
}
