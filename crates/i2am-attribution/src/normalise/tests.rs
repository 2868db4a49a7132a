use super::*;
use crate::ConventionName;

const R2G: Direction = Direction::ReferenceToGenerated;
const G2R: Direction = Direction::GeneratedToReference;

fn ramp() -> Plane {
    Plane::from_fn(2, 3, |row, column| 0.02 * (3 * row + column) as f32)
}

fn released() -> Convention {
    Convention::preset(ConventionName::ReleasedCode)
}

fn paper() -> Convention {
    Convention::preset(ConventionName::Paper)
}

#[test]
fn the_released_code_inverts_maps_over_the_generated_picture_only() {
    let without_floor = Convention {
        floor: None,
        ..released()
    };
    let inverted = normalise(&ramp(), &without_floor, R2G, 2, 3, None);
    let direct = normalise(&ramp(), &without_floor, G2R, 2, 3, None);
    assert_eq!(direct, normalise(&ramp(), &paper(), R2G, 2, 3, None));
    for (a, b) in inverted.data().iter().zip(direct.data()) {
        assert!((a + b - 1.0).abs() < 1e-6);
    }
    assert_eq!((direct.min(), inverted.max()), (0.0, 1.0));
}

#[test]
fn the_floor_zeroes_values_at_the_cut_and_keeps_those_above() {
    let map = Plane::new(1, 5, vec![0.0, 0.3, 0.4, 0.400_001, 1.0]).unwrap();
    let direct = to_attribution(&map, &released(), G2R);
    assert_eq!(direct.data()[..3], [0.0; 3]);
    assert!((direct.get(0, 3) - 0.400_001).abs() < 1e-6);
    assert_eq!(direct.data()[4..], [1.0]);

    let map = Plane::new(1, 4, vec![1.0, 0.6, 0.599_999, 0.0]).unwrap();
    let inverted = to_attribution(&map, &released(), R2G);
    assert_eq!(inverted.data()[..2], [0.0; 2]);
    assert!((inverted.get(0, 2) - 0.400_001).abs() < 1e-6);
    assert_eq!(inverted.data()[3..], [1.0]);
}

#[test]
fn the_reference_mask_only_touches_maps_over_the_reference() {
    let mask = Plane::from_fn(4, 6, |_, column| f32::from(column >= 2));
    let masked = |convention: &Convention, direction| {
        normalise(&ramp(), convention, direction, 2, 3, Some(&mask))
    };
    let plain =
        |convention: &Convention, direction| normalise(&ramp(), convention, direction, 2, 3, None);
    assert_eq!(masked(&released(), R2G), plain(&released(), R2G));
    assert_eq!(masked(&paper(), G2R), plain(&paper(), G2R));
    let attribution = masked(&released(), G2R);
    assert_ne!(attribution, plain(&released(), G2R));
    assert_eq!((attribution.get(0, 0), attribution.get(1, 0)), (0.0, 0.0));
    assert!(attribution.data().contains(&1.0));
}

#[test]
fn a_constant_map_is_zero_before_polarity() {
    let map = Plane::filled(3, 3, 0.7);
    assert_eq!(
        normalise(&map, &paper(), R2G, 5, 4, None),
        Plane::zeros(5, 4)
    );
    assert_eq!(
        normalise(&map, &released(), R2G, 5, 4, None),
        Plane::filled(5, 4, 1.0)
    );
}
