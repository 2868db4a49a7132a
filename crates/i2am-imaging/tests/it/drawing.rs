//! Shapes against Pillow (fixture `draw`), dilation and erosion against `OpenCV` (fixture `morphology`).

use std::path::Path;

use i2am_imaging::{GrayImage, opencv_dilate, opencv_erode};
use i2am_imaging::{pillow_ellipse, pillow_polygon, pillow_rectangle, pillow_wide_line};
use i2am_testkit::{FixtureDir, fixtures};
use proptest::prelude::*;

const HEIGHT: u32 = 48;
const WIDTH: u32 = 64;

fn family(name: &str) -> Vec<FixtureDir> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    fixtures(folder, name)
}

/// Draws every row of numbers of `kind` and compares with Pillow's pixels.
fn check_shape(kind: &str, draw: impl Fn(&mut GrayImage, &[f64])) {
    for fixture in family("draw") {
        let (inputs, expected) = (fixture.tensors("inputs"), fixture.tensors("expected"));
        let numbers: Vec<f64> = inputs.i64(kind).iter().map(|&n| n as f64 / 100.0).collect();
        let packed = expected.u8(kind);
        let per_shape = inputs.shape(kind)[1];
        let bytes = (HEIGHT * WIDTH / 8) as usize;
        assert_eq!(numbers.len() / per_shape, packed.len() / bytes);
        for (numbers, packed) in numbers.chunks(per_shape).zip(packed.chunks(bytes)) {
            let mut image = GrayImage::new(WIDTH, HEIGHT);
            draw(&mut image, numbers);
            let set = |place: usize| packed[place / 8] >> (7 - place % 8) & 1 == 1;
            let wrong = image
                .iter()
                .enumerate()
                .filter(|&(place, &level)| (level > 0) != set(place));
            let wrong: Vec<_> = wrong.map(|(place, _)| (place % 64, place / 64)).collect();
            assert!(wrong.is_empty(), "{kind} {numbers:?}: {wrong:?}");
        }
    }
}

fn corners(numbers: &[f64]) -> [f64; 4] {
    numbers.try_into().expect("four numbers a box")
}

#[test]
fn rectangles_equal_pillow() {
    check_shape("rectangle", |image, numbers| {
        pillow_rectangle(image, corners(numbers), 255);
    });
}

#[test]
fn ellipses_equal_pillow() {
    check_shape("ellipse", |image, numbers| {
        pillow_ellipse(image, corners(numbers), 255);
    });
}

#[test]
fn wide_lines_equal_pillow() {
    check_shape("wide_line", |image, numbers| {
        let [x0, y0, x1, y1] = corners(&numbers[..4]);
        pillow_wide_line(image, [x0, y0], [x1, y1], numbers[4] as u32, 255);
    });
}

#[test]
fn polygons_equal_pillow() {
    check_shape("polygon", |image, numbers| {
        let points: Vec<[f64; 2]> = numbers.chunks(2).map(|xy| [xy[0], xy[1]]).collect();
        pillow_polygon(image, &points, 255);
    });
}

#[test]
fn shapes_without_extent_are_a_pixel_or_nothing() {
    let mut image = GrayImage::new(8, 8);
    pillow_wide_line(&mut image, [3.0, 3.0], [3.9, 3.9], 5, 255);
    pillow_ellipse(&mut image, [6.0, 6.0, 6.0, 6.0], 255);
    pillow_ellipse(&mut image, [5.0, 1.0, 4.0, 2.0], 255);
    pillow_polygon(&mut image, &[], 255);
    let set: Vec<_> = image
        .enumerate_pixels()
        .filter(|(.., pixel)| pixel.0[0] > 0)
        .map(|(x, y, _)| (x, y))
        .collect();
    assert_eq!(set, [(3, 3), (6, 6)]);
}

#[test]
fn dilation_and_erosion_equal_opencv() {
    for fixture in family("morphology") {
        let (inputs, expected) = (fixture.tensors("inputs"), fixture.tensors("expected"));
        let mut checked = 0;
        for name in expected.names() {
            let parts: Vec<&str> = name.split('.').collect();
            let (side, iterations) = parts[2].split_once('x').expect("side x iterations");
            let [side, iterations] = [side, iterations].map(|n| n.parse().expect("a number"));
            let shape = inputs.shape(parts[1]);
            let mask = GrayImage::from_raw(shape[1] as u32, shape[0] as u32, inputs.u8(parts[1]));
            let method = match parts[0] {
                "dilate" => opencv_dilate,
                _ => opencv_erode,
            };
            let got = method(&mask.expect("a fixture mask"), side, iterations);
            assert!(got.into_raw() == expected.u8(name), "{name}");
            checked += 1;
        }
        assert!(checked > 0, "{}", fixture.name());
    }
}

fn masks() -> impl Strategy<Value = GrayImage> {
    (1_u32..20, 1_u32..20).prop_flat_map(|(height, width)| {
        let levels = proptest::collection::vec(any::<u8>(), (height * width) as usize);
        levels.prop_map(move |levels| {
            GrayImage::from_raw(width, height, levels).expect("enough levels")
        })
    })
}

proptest! {
    /// Erosion is dilation of the negative.
    #[test]
    fn dilation_and_erosion_are_dual(mask in masks(), side in 1_usize..7, iterations in 1_usize..4) {
        let negative = |mask: &GrayImage| {
            let mut negative = mask.clone();
            negative.iter_mut().for_each(|level| *level = 255 - *level);
            negative
        };
        let dilated = opencv_dilate(&negative(&mask), side, iterations);
        prop_assert_eq!(negative(&dilated), opencv_erode(&mask, side, iterations));
    }

    /// Nothing is drawn outside, and nothing panics, wherever the corners are.
    #[test]
    fn any_corners_can_be_drawn(numbers in proptest::collection::vec(-3000.0_f64..3000.0, 8), width in 2_u32..400) {
        let mut image = GrayImage::new(9, 7);
        let points: Vec<[f64; 2]> = numbers.chunks(2).map(|xy| [xy[0], xy[1]]).collect();
        pillow_polygon(&mut image, &points, 255);
        pillow_wide_line(&mut image, points[0], points[1], width, 255);
        pillow_ellipse(&mut image, [numbers[0], numbers[1], numbers[2], numbers[3]], 255);
        pillow_rectangle(&mut image, [numbers[0], numbers[1], numbers[2], numbers[3]], 255);
    }
}
