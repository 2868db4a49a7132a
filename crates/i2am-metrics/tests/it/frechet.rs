//! What must hold for the Fréchet distance of any features.

use i2am_metrics::{Features, Statistics, frechet_distance};
use proptest::prelude::*;

/// Of the size of the distance's terms: roots of eigenvalues that are rounding errors.
const ROUNDING: f64 = 1e-6;

/// `count` rows of `width` channels between -1 and 1.
fn features(count: usize, width: usize) -> impl Strategy<Value = Features> {
    prop::collection::vec(-1.0_f32..1.0, count * width)
        .prop_map(move |values| Features { width, values })
}

fn distance(a: &Features, b: &Features) -> f64 {
    frechet_distance(&Statistics::of(a), &Statistics::of(b))
}

/// With channels of zeros: the distances are the same, but there are fewer rows than channels.
fn widened(features: &Features) -> Features {
    let more = vec![0.0; 16];
    let rows = features.values.chunks(features.width);
    Features {
        width: features.width + more.len(),
        values: rows.flat_map(|row| [row, &more].concat()).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn it_is_symmetric_and_never_negative(a in features(12, 5), b in features(9, 5), c in features(4, 5), d in features(3, 5)) {
        for (x, y) in [(&a, &b), (&a, &c), (&c, &d)] {
            let (there, back) = (distance(x, y), distance(y, x));
            prop_assert!((there - back).abs() <= ROUNDING, "{there} {back}");
            prop_assert!(there.is_sign_positive());
        }
    }

    #[test]
    fn a_set_is_at_no_distance_from_itself(many in features(12, 5), few in features(4, 5)) {
        for set in [&many, &few] {
            let found = distance(set, set);
            prop_assert!(found.is_sign_positive() && found <= ROUNDING, "{found}");
        }
    }

    /// Quarters, so that the shifted features are exact.
    #[test]
    fn a_shift_is_at_its_squared_length(levels in prop::collection::vec(-8_i8..8, 10 * 4), shift in prop::array::uniform4(-8_i8..8), count in 2_usize..10) {
        let quarters = |level: i8| f32::from(level) / 4.0;
        let of = |value: &dyn Fn(usize) -> i8| Features {
            width: 4,
            values: (0..count * 4).map(|index| quarters(value(index))).collect(),
        };
        let set = of(&|index| levels[index]);
        let shifted = of(&|index| levels[index] + shift[index % 4]);
        let expected: f64 = shift.map(|level| f64::from(quarters(level)).powi(2)).iter().sum();
        let found = distance(&set, &shifted);
        prop_assert!((found - expected).abs() <= ROUNDING, "{found} {expected}");
    }

    #[test]
    fn few_rows_and_many_agree(a in features(12, 5), b in features(9, 5)) {
        let (narrow, wide) = (distance(&a, &b), distance(&widened(&a), &widened(&b)));
        prop_assert!((narrow - wide).abs() <= ROUNDING, "{narrow} {wide}");
    }
}
