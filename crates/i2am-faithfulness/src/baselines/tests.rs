use std::collections::BTreeSet;

use image::Rgb;

use super::*;

fn bare(grid: [usize; 2]) -> BaselineInput<'static> {
    BaselineInput {
        grid,
        seed: 4,
        other: None,
        mask: None,
        reference: None,
        positions: None,
    }
}

#[test]
fn all_have_names_and_maps_of_the_grid() {
    let other = Plane::filled(4, 6, 2.0);
    let (mask, positions) = (Plane::filled(40, 30, 1.0), Plane::filled(8, 8, 1.0));
    let reference = RgbImage::from_fn(30, 40, |x, y| Rgb([(x * y % 256) as u8; 3]));
    let input = BaselineInput {
        other: Some(&other),
        mask: Some(&mask),
        reference: Some(&reference),
        positions: Some(&positions),
        ..bare([4, 6])
    };
    let mut names = BTreeSet::new();
    for baseline in Baseline::ALL {
        let map = baseline.map(&input).unwrap();
        assert_eq!(map.size(), [4, 6], "{}", baseline.name());
        assert!(map.min() >= 0.0 && map.max() > 0.0, "{}", baseline.name());
        assert_eq!(baseline.map(&input), Some(map));
        assert!(names.insert(baseline.name()) && !baseline.summary().is_empty());
    }
}

#[test]
fn what_is_absent_leaves_maps_out() {
    let made: Vec<&str> = Baseline::ALL
        .into_iter()
        .filter(|baseline| baseline.map(&bare([3, 3])).is_some())
        .map(Baseline::name)
        .collect();
    assert_eq!(
        made,
        ["uniform", "random_1", "random_2", "random_3", "center"]
    );
    let other = Plane::zeros(3, 4);
    let input = BaselineInput {
        other: Some(&other),
        ..bare([3, 3])
    };
    assert_eq!(Baseline::OtherSample.map(&input), None);
}

#[test]
fn random_maps_differ_by_draw_and_seed() {
    let first = Baseline::RandomFirst.map(&bare([8, 8])).unwrap();
    let others = [
        Baseline::RandomSecond.map(&bare([8, 8])),
        Baseline::RandomThird.map(&bare([8, 8])),
        Baseline::RandomFirst.map(&BaselineInput {
            seed: 5,
            ..bare([8, 8])
        }),
    ];
    for other in others {
        assert_ne!(other.unwrap(), first);
    }
    assert!((first.mean() - 0.5).abs() < 0.15, "{}", first.mean());
}

#[test]
fn the_center_is_largest() {
    let map = Baseline::Center.map(&bare([5, 9])).unwrap();
    assert_eq!(map.get(2, 4), 1.0);
    // One standard deviation is a quarter of the height: 0.4 of it is 1.6 deviations off.
    assert!((map.get(0, 4) - (-0.5_f32 * 1.6 * 1.6).exp()).abs() < 1e-6);
    assert_eq!(map.get(0, 0), map.get(4, 8));
}

#[test]
fn the_same_place_is_largest() {
    let mut positions = Plane::zeros(16, 8);
    positions.data_mut()[12 * 8 + 2] = 1.0;
    let input = BaselineInput {
        positions: Some(&positions),
        ..bare([8, 8])
    };
    let map = Baseline::SamePlace.map(&input).unwrap();
    let largest = map.data().iter().position(|&value| value == map.max());
    // Row 12 of 16 is the upper half of row 6 of 8.
    assert_eq!(largest, Some(6 * 8 + 2));
    let mut sorted = map.data().to_vec();
    sorted.sort_by(f32::total_cmp);
    assert!(sorted[0] > 0.0);
}

#[test]
fn edges_are_where_brightness_changes() {
    let reference = RgbImage::from_fn(16, 16, |x, _| Rgb([if x < 8 { 0 } else { 255 }; 3]));
    let input = BaselineInput {
        reference: Some(&reference),
        ..bare([4, 4])
    };
    let map = Baseline::Edges.map(&input).unwrap();
    // Columns 7 and 8 have a gradient of 4: one column of four in the second and third cells.
    for r in 0..4 {
        for (c, expected) in [0.0, 1.0, 1.0, 0.0].into_iter().enumerate() {
            assert!((map.get(r, c) - expected).abs() < 1e-5, "{map:?}");
        }
    }
}

#[test]
fn the_mask_is_averaged() {
    let mask = Plane::from_fn(4, 4, |r, c| if r < 2 && c < 3 { 1.0 } else { 0.0 });
    let input = BaselineInput {
        mask: Some(&mask),
        ..bare([2, 2])
    };
    let map = Baseline::ReferenceMask.map(&input).unwrap();
    assert_eq!(map.data(), [1.0, 0.5, 0.0, 0.0]);
}
