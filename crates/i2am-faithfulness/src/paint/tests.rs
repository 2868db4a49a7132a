use image::Rgb;

use super::*;

const GRID: [usize; 2] = [3, 4];

/// 10 x 9 pixels (width x height), so that cells are 2 or 3 wide.
fn picture() -> RgbImage {
    RgbImage::from_fn(10, 9, |x, y| {
        Rgb([(x * 20) as u8, (y * 25) as u8, (x * y) as u8])
    })
}

fn operators(other: &RgbImage) -> [Paint<'_>; 4] {
    [
        Paint::MeanColor,
        Paint::Blur { deviation: 2.0 },
        Paint::Linear {
            noise: NOISE,
            seed: 3,
        },
        Paint::Other(other),
    ]
}

#[test]
fn only_removed_cells_change() {
    let other = RgbImage::from_pixel(10, 9, Rgb([1, 2, 3]));
    let removed = removed_pixels([9, 10], GRID, &[5, 3]).unwrap();
    // Cell 5 is rows 3 to 5 and columns 2 to 4; cell 3 is rows 0 to 2 and columns 7 to 9.
    let expected = |pixel: usize| {
        let place = (pixel / 10, pixel % 10);
        matches!(place, (3..=5, 2..=4) | (0..=2, 7..=9))
    };
    assert_eq!(removed, (0..90).map(expected).collect::<Vec<_>>());
    for operator in operators(&other) {
        let painted = paint(&picture(), GRID, &[5, 3], &operator).unwrap();
        let pixels = painted
            .pixels()
            .zip(picture().pixels().copied().collect::<Vec<_>>());
        let mut changed = 0;
        for ((now, before), &removed) in pixels.zip(&removed) {
            assert!(removed || *now == before, "{}", operator.name());
            changed += usize::from(*now != before);
        }
        assert!(changed > 9, "{}: {changed}", operator.name());
        let untouched = paint(&picture(), GRID, &[], &operator).unwrap();
        assert_eq!(untouched, picture());
        assert!(!operator.summary().is_empty());
    }
}

#[test]
fn everything_removed_has_a_stated_result() {
    let all: Vec<usize> = (0..12).collect();
    let other = RgbImage::from_pixel(10, 9, Rgb([1, 2, 3]));
    let [mean, blur, linear, same] =
        operators(&other).map(|operator| paint(&picture(), GRID, &all, &operator).unwrap());
    assert_eq!(mean, RgbImage::from_pixel(10, 9, Rgb([90, 100, 18])));
    assert_eq!(same, other);
    assert_eq!(blur.as_raw(), &blurred(&picture(), 2.0));
    for pixel in linear.pixels() {
        for (level, mean) in pixel.0.into_iter().zip([90_u8, 100, 18]) {
            // Five standard deviations of 2.55 levels, and rounding.
            assert!(level.abs_diff(mean) <= 14, "{pixel:?}");
        }
    }
    assert_ne!(linear, mean);
}

#[test]
fn noise_has_its_size_and_does_not_depend_on_what_else_is_removed() {
    let gray = RgbImage::from_pixel(64, 64, Rgb([128; 3]));
    let linear = Paint::Linear {
        noise: NOISE,
        seed: 8,
    };
    let by = |cells: &[usize]| paint(&gray, [2, 2], cells, &linear).unwrap();
    let painted = by(&[0, 1, 2]);
    let offs: Vec<f64> = painted.as_raw()[..64 * 32 * 3]
        .iter()
        .map(|&level| f64::from(level) - 128.0)
        .collect();
    let deviation = (offs.iter().map(|off| off * off).sum::<f64>() / offs.len() as f64).sqrt();
    // Rounding to levels adds a variance of 1/12.
    let expected = ((NOISE * 255.0).powi(2) + 1.0 / 12.0).sqrt();
    assert!((deviation - expected).abs() < 0.1, "{deviation}");
    assert_eq!(by(&[0]).as_raw()[..96], painted.as_raw()[..96]);
    let silent = Paint::Linear {
        noise: 0.0,
        seed: 8,
    };
    assert_eq!(paint(&gray, [2, 2], &[0, 1], &silent).unwrap(), gray);
    let reseeded = Paint::Linear {
        noise: NOISE,
        seed: 9,
    };
    assert_ne!(
        paint(&gray, [2, 2], &[0, 1, 2], &reseeded).unwrap(),
        painted
    );
}

#[test]
fn errors_say_what_is_wrong() {
    let small = RgbImage::new(9, 9);
    let error = |grid, cells: &[usize], operator| {
        paint(&picture(), grid, cells, &operator)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(GRID, &[0], Paint::Other(&small)),
        "the other reference: expected 9 x 10 pixels (height x width), found 9 x 9"
    );
    assert_eq!(
        error(GRID, &[12], Paint::MeanColor),
        "cell 12: expected a number below 12, the cells of the grid"
    );
    assert_eq!(
        error([10, 10], &[0], Paint::MeanColor),
        "a grid of 10 x 10 cells: expected at least as many pixels each way and at least one cell, found 9 x 10 pixels"
    );
    assert_eq!(
        error([0, 1], &[], Paint::MeanColor),
        "a grid of 0 x 1 cells: expected at least as many pixels each way and at least one cell, found 9 x 10 pixels"
    );
}
