//! What must hold for every map and mask.

use i2am_imacs::{ImacsConfig, imacs};
use i2am_imaging::Plane;
use proptest::prelude::*;

type Pair = (Plane, Plane);

/// A map in `[0, 1]` and a fractional mask that is not empty.
fn pairs() -> impl Strategy<Value = Pair> {
    (1..6_usize, 1..6_usize).prop_flat_map(|(height, width)| {
        let values = || prop::collection::vec(0.0..=1.0_f32, height * width);
        (values(), values())
            .prop_filter("the mask selects something", |(_, mask)| {
                mask.iter().sum::<f32>() > 0.0
            })
            .prop_map(move |(map, mask)| (plane(height, width, map), plane(height, width, mask)))
    })
}

fn plane(height: usize, width: usize, values: Vec<f32>) -> Plane {
    Plane::new(height, width, values).expect("as many values as the size says")
}

fn value(map: &Plane, mask: &Plane, penalty: f64) -> f64 {
    let score = imacs(map, mask, &ImacsConfig { penalty });
    score.expect("map and mask are valid").value
}

fn mirrored(plane: &Plane) -> Plane {
    let [height, width] = plane.size();
    Plane::from_fn(height, width, |row, column| {
        plane.get(row, width - 1 - column)
    })
}

fn upside_down(plane: &Plane) -> Plane {
    let [height, width] = plane.size();
    Plane::from_fn(height, width, |row, column| {
        plane.get(height - 1 - row, column)
    })
}

proptest! {
    // A failure prints its input; files of past failures would be written into the tree.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn scores_lie_between_minus_the_penalty_and_1((map, mask) in pairs(), penalty in 0.0..10.0_f64) {
        let value = value(&map, &mask, penalty);
        prop_assert!((-penalty..=1.0).contains(&value), "{}", value);
    }

    #[test]
    fn flipping_both_changes_nothing((map, mask) in pairs()) {
        let straight = value(&map, &mask, 3.0);
        for flip in [mirrored, upside_down] {
            let flipped = value(&flip(&map), &flip(&mask), 3.0);
            prop_assert!((straight - flipped).abs() < 1e-12);
        }
    }

    #[test]
    fn a_uniform_map_scores_minus_twice_its_value((_, mask) in pairs(), level in 0.0..=1.0_f32) {
        prop_assume!(mask.min() < 1.0);
        let map = mask.map(|_| level);
        let expected = -2.0 * f64::from(level);
        prop_assert!((value(&map, &mask, 3.0) - expected).abs() < 1e-9);
    }

    #[test]
    fn a_map_that_is_a_binary_mask_scores_1((map, _) in pairs()) {
        let mask = map.map(|value| f32::from(value > 0.5));
        prop_assume!(mask.max() > 0.0);
        prop_assert!((value(&mask, &mask, 3.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn more_attribution_outside_never_helps((map, mask) in pairs(), raise in 0.0..=1.0_f32) {
        let raised = map
            .zip(&mask, |value, inside| if inside == 0.0 { value.max(raise) } else { value })
            .expect("both have one size");
        prop_assert!(value(&raised, &mask, 3.0) <= value(&map, &mask, 3.0) + 1e-12);
    }
}
