use super::*;

fn plane(values: &[f32]) -> Plane {
    Plane::new(1, values.len(), values.to_vec()).unwrap()
}

fn score(attribution: &[f32], mask: &[f32]) -> Result<Imacs, ImacsError> {
    imacs(&plane(attribution), &plane(mask), &ImacsConfig::default())
}

#[track_caller]
fn assert_score(attribution: &[f32], mask: &[f32], [value, inside, outside]: [f64; 3]) {
    let score = score(attribution, mask).unwrap();
    for (got, want) in [
        (score.value, value),
        (score.inside, inside),
        (score.outside, outside),
    ] {
        assert!((got - want).abs() < 1e-7, "{score:?}");
    }
}

#[test]
fn a_map_that_is_the_mask_scores_1() {
    assert_score(&[1.0, 1.0, 0.0], &[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]);
}

#[test]
fn a_map_that_is_the_rest_scores_the_penalty() {
    assert_score(&[0.0, 0.0, 1.0], &[1.0, 1.0, 0.0], [-3.0, 0.0, 1.0]);
}

#[test]
fn a_uniform_map_scores_its_value_times_1_less_the_penalty() {
    assert_score(&[0.25; 4], &[1.0, 0.0, 0.0, 0.0], [-0.5, 0.25, 0.25]);
}

#[test]
fn fractional_masks_count_in_parts() {
    // Inside (0.8 + 0.25 * 0.4) / 1.25, outside (0.75 * 0.4 + 0.1) / 1.75.
    assert_score(
        &[0.8, 0.4, 0.1],
        &[1.0, 0.25, 0.0],
        [0.72 - 3.0 * 0.4 / 1.75, 0.72, 0.4 / 1.75],
    );
}

#[test]
fn the_penalty_is_a_setting() {
    let config = ImacsConfig { penalty: 0.5 };
    let score = imacs(&plane(&[1.0, 0.5]), &plane(&[1.0, 0.0]), &config).unwrap();
    assert_eq!((score.value, score.penalty), (0.75, 0.5));
}

#[test]
fn an_empty_mask_has_no_score() {
    let error = score(&[0.5, 0.5], &[0.0, 0.0]).unwrap_err();
    assert_eq!(error, ImacsError::EmptyMask);
    assert_eq!(error.to_string(), "empty mask: nothing to attend to");
}

#[test]
fn a_full_mask_leaves_nothing_outside() {
    assert_score(&[0.5, 0.25], &[1.0, 1.0], [0.375, 0.375, 0.0]);
}

#[test]
fn sizes_must_agree() {
    let tall = Plane::zeros(2, 1);
    let error = imacs(&plane(&[0.0, 0.0]), &tall, &ImacsConfig::default()).unwrap_err();
    let expected = "attribution and mask differ in size: expected 1x2, found 2x1";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn values_out_of_range_are_named() {
    for (attribution, mask, expected) in [
        (
            [0.0, 1.1],
            [1.0, 0.0],
            "attribution: expected values in [0, 1], found 1.1 at row 0, column 1",
        ),
        (
            [0.0, 1.0],
            [255.0, 0.0],
            "mask: expected values in [0, 1], found 255 at row 0, column 0",
        ),
        (
            [f32::NAN, 1.0],
            [1.0, 0.0],
            "attribution: expected values in [0, 1], found NaN at row 0, column 0",
        ),
    ] {
        let error = score(&attribution, &mask).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    for penalty in [-1.0, f64::INFINITY, f64::NAN] {
        let error = imacs(&plane(&[0.0]), &plane(&[1.0]), &ImacsConfig { penalty }).unwrap_err();
        assert!(matches!(error, ImacsError::Penalty { .. }), "{error}");
    }
}
