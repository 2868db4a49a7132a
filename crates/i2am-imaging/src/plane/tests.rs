use super::*;

fn plane(height: usize, width: usize, data: &[f32]) -> Plane {
    Plane::new(height, width, data.to_vec()).expect("as many values as height times width")
}

#[test]
fn values_are_row_major() {
    let plane = plane(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(plane.size(), [2, 3]);
    assert_eq!(plane.row(1), [4.0, 5.0, 6.0]);
    assert!((plane.get(0, 2) - 3.0).abs() < f32::EPSILON);
    assert_eq!(plane, Plane::from_fn(2, 3, |r, c| (3 * r + c + 1) as f32));
}

#[test]
fn a_wrong_number_of_values_is_told() {
    let error = Plane::new(2, 3, vec![0.0; 5]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a plane of 2 x 3: expected 6 values, at least one, found 5"
    );
    assert!(Plane::new(0, 3, vec![]).is_err());
    assert!(gray_to_plane(&GrayImage::new(0, 0)).is_err());
}

#[test]
fn reductions() {
    let plane = plane(2, 2, &[-1.0, 0.5, 2.0, 0.5]);
    assert_eq!((plane.min(), plane.max()), (-1.0, 2.0));
    assert!((plane.sum() - 2.0).abs() < 1e-12 && (plane.mean() - 0.5).abs() < 1e-12);
}

#[test]
fn sums_do_not_lose_small_values() {
    let mut values = vec![1e-3; 100_001];
    values[0] = 1e6;
    let sum = plane(1, values.len(), &values).sum();
    assert!((sum - 1_000_100.0).abs() < 1e-2, "{sum}");
}

#[test]
fn one_nan_is_not_hidden() {
    for place in 0..3 {
        let mut values = [1.0, 2.0, 3.0];
        values[place] = f32::NAN;
        let plane = plane(1, 3, &values);
        assert!(plane.min().is_nan() && plane.max().is_nan() && plane.mean().is_nan());
    }
}

#[test]
fn minmax_spans_zero_to_one_and_a_flat_plane_is_zero() {
    let spanned = plane(1, 3, &[2.0, 4.0, 3.0]).minmax(1e-8);
    assert_eq!(spanned.data(), [0.0, 1.0, 0.5]);
    assert_eq!(Plane::filled(2, 2, 7.0).minmax(1e-8), Plane::zeros(2, 2));
}

#[test]
fn arithmetic_checks_the_sizes() {
    let mut sum = plane(1, 2, &[1.0, -2.0]);
    sum.add_assign(&plane(1, 2, &[0.5, 1.0])).unwrap();
    assert_eq!(sum.data(), [1.5, -1.0]);
    assert_eq!(sum.clamp_min(0.0).scale(2.0).data(), [3.0, 0.0]);
    assert_eq!(sum.zip(&sum, |a, b| a * b).unwrap().data(), [2.25, 1.0]);
    let error = sum.add_assign(&Plane::zeros(2, 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "two planes of one size: expected 1 x 2, found 2 x 1"
    );
}

#[test]
fn gray_levels_survive_the_way_through_a_plane() {
    let image = GrayImage::from_fn(16, 16, |x, y| Luma([(16 * y + x) as u8]));
    assert_eq!(plane_to_gray(&gray_to_plane(&image).unwrap()), image);
}

#[test]
fn values_outside_are_clamped_in_an_image() {
    let image = plane_to_gray(&plane(1, 4, &[-0.5, 1.5, f32::NAN, 0.5]));
    assert_eq!(image.as_raw(), &[0, 255, 0, 128]);
}
