//! What must hold for any map and any effects.

use i2am_faithfulness::{
    Curve, Order, between, claims, groups, pointing, relevance_mass, relevance_rank, removals, saco,
};
use i2am_imaging::Plane;
use proptest::prelude::*;

fn pairs() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((0.0..1.0, -0.5..1.5), 2..15)
}

fn map() -> impl Strategy<Value = Plane> {
    (1_usize..8, 1_usize..8).prop_flat_map(|(height, width)| {
        // Few levels, so that there are ties.
        prop::collection::vec(0_u8..12, height * width).prop_map(move |levels| {
            let values = levels.into_iter().map(f32::from).collect();
            Plane::new(height, width, values).expect("a value for every place")
        })
    })
}

proptest! {
    #[test]
    fn saco_turns_with_the_effects_and_ignores_scale(pairs in pairs(), scale in 0.1..10.0, shift in -5.0..5.0) {
        let (claims, effects): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let value = saco(&claims, &effects).unwrap();
        prop_assert!((-1.0..=1.0).contains(&value));
        let turned: Vec<f64> = effects.iter().map(|effect| -effect).collect();
        prop_assert!((saco(&claims, &turned).unwrap() + value).abs() < 1e-9);
        let moved: Vec<f64> = claims.iter().map(|claim| claim * scale + shift).collect();
        prop_assert!((saco(&moved, &effects).unwrap() - value).abs() < 1e-9);
        prop_assert!((saco(&claims, &claims).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn groups_are_an_ordered_partition(map in map(), count in 1_usize..9, seed: u64) {
        let found = groups(&map, count, seed);
        prop_assert_eq!(found.len(), count);
        let sizes: Vec<usize> = found.iter().map(Vec::len).collect();
        prop_assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes[0] - sizes[count - 1] <= 1);
        let order = found.concat();
        let is_ordered = |pair: &[usize]| map.data()[pair[0]] >= map.data()[pair[1]];
        prop_assert!(order.windows(2).all(is_ordered));
        let all: Vec<usize> = (0..map.data().len()).collect();
        for order in [Order::MostFirst, Order::LeastFirst] {
            let steps = removals(&found, order);
            prop_assert_eq!(steps.len(), count + 1);
            prop_assert_eq!(steps.last(), Some(&all));
        }
        let total: f64 = claims(&map, &found).iter().sum();
        prop_assert!((total - map.sum()).abs() < 1e-9);
    }

    #[test]
    fn location_scores_stay_in_range_and_are_even_for_a_uniform_map(truth in map(), share in 0.01..1.0) {
        let uniform = Plane::filled(truth.height(), truth.width(), 2.0);
        for score in [pointing, relevance_mass, relevance_rank] {
            if let Some(found) = score(&truth, &truth, share) {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&found.value));
                prop_assert!(found.value >= found.expected - 1e-12);
                let even = score(&uniform, &truth, share).unwrap();
                prop_assert!((even.value - even.expected).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn areas_are_means_and_turn_with_the_orders(
        (a, b) in (1_usize..12).prop_flat_map(|n| {
            let values = || prop::collection::vec(0.0..1.0, n + 1);
            (values(), values())
        })
    ) {
        let [a, b] = [a, b].map(|values| Curve::new(values).unwrap());
        prop_assert!((0.0..=1.0).contains(&a.auc()));
        prop_assert!((between(&a, &b) + between(&b, &a)).abs() < 1e-12);
        if let Some(half) = a.half() {
            prop_assert!((0.0..=a.steps() as f64).contains(&half));
        }
    }
}
