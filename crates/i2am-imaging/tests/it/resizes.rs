//! Every resize against the library that it is named after (fixtures `resize`, `opencv-resize`).

use std::path::Path;

use i2am_imaging::{GrayImage, Plane, RgbImage};
use i2am_imaging::{opencv_linear_gray, opencv_linear_rgb};
use i2am_imaging::{pillow_bicubic_gray, pillow_bicubic_rgb, pillow_bilinear_gray};
use i2am_imaging::{pillow_bilinear_rgb, pillow_nearest_gray, pillow_nearest_rgb};
use i2am_imaging::{pillow_gaussian_blur, pillow_lanczos_gray, pillow_lanczos_rgb};
use i2am_imaging::{torch_adaptive_average, torch_bicubic, torch_bilinear, torch_nearest};
use i2am_testkit::{FixtureDir, Tensors, assert_close, fixtures};
use proptest::prelude::*;

/// Torch adds up in another order for some sizes.
const TORCH_TOLERANCE: f64 = 1e-6;

fn family(name: &str) -> Vec<FixtureDir> {
    fixtures(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")),
        name,
    )
}

fn resize_fixtures() -> Vec<FixtureDir> {
    family("resize")
}

/// The expected tensors whose name starts with `prefix`: full name, name of the input, height, width.
fn cases(expected: &Tensors, prefix: &str) -> Vec<(String, String, usize, usize)> {
    let cases: Vec<_> = expected
        .names()
        .filter_map(|name| {
            let (input, size) = name.strip_prefix(prefix)?.rsplit_once('.')?;
            let (height, width) = size.split_once('x')?;
            Some((
                name.to_owned(),
                input.to_owned(),
                height.parse().ok()?,
                width.parse().ok()?,
            ))
        })
        .collect();
    assert!(!cases.is_empty(), "no tensor starts with {prefix}");
    cases
}

fn check_torch(mode: &str, resize: fn(&Plane, usize, usize) -> Plane) {
    for fixture in resize_fixtures() {
        let (inputs, expected) = (fixture.tensors("inputs"), fixture.tensors("expected"));
        for (name, input, height, width) in cases(&expected, &format!("torch.{mode}.")) {
            let input = format!("plane.{input}");
            let shape = inputs.shape(&input);
            let plane =
                Plane::new(shape[0], shape[1], inputs.f32(&input)).expect("a fixture plane");
            let resized = resize(&plane, height, width);
            assert_eq!(resized.size(), [height, width]);
            assert_close(&name, resized.data(), &expected.f32(&name), TORCH_TOLERANCE);
        }
    }
}

#[test]
fn torch_bicubic_equals_torch() {
    check_torch("bicubic", torch_bicubic);
}

#[test]
fn torch_bilinear_equals_torch() {
    check_torch("bilinear", torch_bilinear);
}

#[test]
fn torch_nearest_equals_torch() {
    check_torch("nearest", torch_nearest);
}

/// `resize` takes the levels of the input, its height and width, then the size wanted.
fn check_pillow(mode_and_kind: &str, resize: impl Fn(Vec<u8>, [u32; 2], [usize; 2]) -> Vec<u8>) {
    check_levels(
        &resize_fixtures(),
        &format!("pillow.{mode_and_kind}"),
        resize,
    );
}

/// `prefix` ends with the kind of the pictures, `rgb` or `gray`.
fn check_levels(
    fixtures: &[FixtureDir],
    prefix: &str,
    resize: impl Fn(Vec<u8>, [u32; 2], [usize; 2]) -> Vec<u8>,
) {
    let kind = prefix.rsplit('.').next().unwrap_or_default();
    for fixture in fixtures {
        let (inputs, expected) = (fixture.tensors("inputs"), fixture.tensors("expected"));
        for (name, input, height, width) in cases(&expected, &format!("{prefix}.")) {
            let input = format!("{kind}.{input}");
            let shape = inputs.shape(&input);
            let from = [shape[0] as u32, shape[1] as u32];
            let resized = resize(inputs.u8(&input), from, [height, width]);
            let want = expected.u8(&name);
            assert_eq!(resized.len(), want.len(), "{name}");
            let different = resized.iter().zip(&want).position(|(a, b)| a != b);
            assert_eq!(
                different, None,
                "{name}: index of the first level that differs"
            );
        }
    }
}

fn check_pillow_rgb(mode: &str, method: fn(&RgbImage, usize, usize) -> RgbImage) {
    check_pillow(&format!("{mode}.rgb"), |levels, from, to| {
        let image = RgbImage::from_raw(from[1], from[0], levels).expect("a fixture image");
        method(&image, to[0], to[1]).into_raw()
    });
}

fn check_pillow_gray(mode: &str, method: fn(&GrayImage, usize, usize) -> GrayImage) {
    check_pillow(&format!("{mode}.gray"), |levels, from, to| {
        let image = GrayImage::from_raw(from[1], from[0], levels).expect("a fixture image");
        method(&image, to[0], to[1]).into_raw()
    });
}

#[test]
fn pillow_bicubic_equals_pillow_level_for_level() {
    check_pillow_rgb("bicubic", pillow_bicubic_rgb);
    check_pillow_gray("bicubic", pillow_bicubic_gray);
}

#[test]
fn pillow_bilinear_equals_pillow_level_for_level() {
    check_pillow_rgb("bilinear", pillow_bilinear_rgb);
    check_pillow_gray("bilinear", pillow_bilinear_gray);
}

#[test]
fn pillow_nearest_equals_pillow_level_for_level() {
    check_pillow_rgb("nearest", pillow_nearest_rgb);
    check_pillow_gray("nearest", pillow_nearest_gray);
}

/// torch 2.13.0: `adaptive_avg_pool2d(torch.arange(6.).view(1, 1, 2, 3), (1, 2))`, and to (3, 3).
#[test]
fn adaptive_average_takes_whole_values() {
    let plane = Plane::from_fn(2, 3, |row, column| (3 * row + column) as f32);
    let halves = torch_adaptive_average(&plane, 1, 2);
    assert_eq!(halves.data(), [2.0, 3.0]);
    let thirds = torch_adaptive_average(&plane, 3, 3);
    let expected = [0.0, 1.0, 2.0, 1.5, 2.5, 3.5, 3.0, 4.0, 5.0];
    assert_eq!(thirds.data(), expected);
}

#[test]
fn opencv_linear_equals_opencv_level_for_level() {
    let fixtures = family("opencv-resize");
    check_levels(&fixtures, "rgb", |levels, from, to| {
        let image = RgbImage::from_raw(from[1], from[0], levels).expect("a fixture image");
        opencv_linear_rgb(&image, to[0], to[1]).into_raw()
    });
    check_levels(&fixtures, "gray", |levels, from, to| {
        let image = GrayImage::from_raw(from[1], from[0], levels).expect("a fixture image");
        opencv_linear_gray(&image, to[0], to[1]).into_raw()
    });
}

fn planes() -> impl Strategy<Value = Plane> {
    (1_usize..12, 1_usize..12).prop_flat_map(|(height, width)| {
        let values = proptest::collection::vec(-10.0_f32..10.0, height * width);
        values.prop_map(move |values| Plane::new(height, width, values).expect("enough values"))
    })
}

proptest! {
    #[test]
    fn resizing_to_the_same_size_changes_nothing(plane in planes()) {
        for resize in [torch_bicubic, torch_bilinear, torch_nearest] {
            prop_assert_eq!(&resize(&plane, plane.height(), plane.width()), &plane);
        }
    }

    #[test]
    fn bilinear_and_nearest_stay_in_the_range(plane in planes(), height in 1_usize..40, width in 1_usize..40) {
        for resize in [torch_bilinear, torch_nearest] {
            let resized = resize(&plane, height, width);
            prop_assert!(resized.min() >= plane.min() - 1e-5 && resized.max() <= plane.max() + 1e-5);
        }
    }

    #[test]
    fn a_flat_plane_stays_flat(value in -10.0_f32..10.0, height in 1_usize..40, width in 1_usize..40) {
        let flat = Plane::filled(7, 5, value);
        for resize in [torch_bicubic, torch_bilinear, torch_nearest] {
            let resized = resize(&flat, height, width);
            let off = resized.map(|resized| (resized - value).abs()).max();
            prop_assert!(off <= 1e-5, "{}", off);
        }
    }

    #[test]
    fn a_flat_image_stays_flat(level in 0_u8.., height in 1_usize..40, width in 1_usize..40) {
        let flat = GrayImage::from_pixel(7, 5, image::Luma([level]));
        for resize in [opencv_linear_gray, pillow_bicubic_gray, pillow_bilinear_gray, pillow_nearest_gray] {
            let resized = resize(&flat, height, width);
            prop_assert!(resized.as_raw().iter().all(|&resized| resized == level));
        }
    }
}

#[test]
fn pillow_lanczos_equals_pillow() {
    let fixtures = family("pillow-filters");
    check_levels(&fixtures, "pillow.lanczos.rgb", |levels, from, to| {
        let image = RgbImage::from_raw(from[1], from[0], levels).expect("a fixture image");
        pillow_lanczos_rgb(&image, to[0], to[1]).into_raw()
    });
    check_levels(&fixtures, "pillow.lanczos.gray", |levels, from, to| {
        let image = GrayImage::from_raw(from[1], from[0], levels).expect("a fixture image");
        pillow_lanczos_gray(&image, to[0], to[1]).into_raw()
    });
}

#[test]
fn pillow_gaussian_blur_equals_pillow() {
    for fixture in family("pillow-filters") {
        let (inputs, expected) = (fixture.tensors("inputs"), fixture.tensors("expected"));
        let blurs: Vec<&str> = expected
            .names()
            .filter_map(|name| name.strip_prefix("blur."))
            .collect();
        assert!(!blurs.is_empty());
        for blur in blurs {
            let (name, radius) = blur.split_once('.').expect("input and radius");
            let input = format!("gray.{name}");
            let shape = inputs.shape(&input);
            let image = GrayImage::from_raw(shape[1] as u32, shape[0] as u32, inputs.u8(&input))
                .expect("a fixture image");
            let blurred = pillow_gaussian_blur(&image, radius.parse().expect("a radius"));
            let want = expected.u8(&format!("blur.{blur}"));
            let different = blurred.as_raw().iter().zip(&want).position(|(a, b)| a != b);
            assert_eq!(
                different, None,
                "{blur}: index of the first level that differs"
            );
        }
    }
}
