use std::collections::BTreeMap;

use image::{GrayImage, Pixel};
use proptest::prelude::*;

use super::canvas::Size;
use super::{HIDDEN, SynthSample, VERSION, draw, render};

const SMALL: Size = Size {
    height: 128,
    width: 96,
};

fn small(index: u64) -> SynthSample {
    render(5, index, SMALL.height, SMALL.width)
}

fn set(mask: &GrayImage) -> usize {
    mask.pixels().filter(|p| p.0[0] == 255).count()
}

/// Every part of a sample by name.
fn parts(sample: &SynthSample) -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([
        ("person", sample.person.as_raw().clone()),
        ("garment", sample.garment.as_raw().clone()),
        ("garment mask", sample.garment_mask.as_raw().clone()),
        ("agnostic", sample.agnostic.as_raw().clone()),
        ("agnostic mask", sample.agnostic_mask.as_raw().clone()),
        ("densepose", sample.densepose.as_raw().clone()),
        ("worn mask", sample.worn_mask.as_raw().clone()),
    ])
}

#[test]
fn no_two_samples_share_a_picture() {
    let mut seen = BTreeMap::new();
    for index in 0..400 {
        for (part, pixels) in parts(&small(index)) {
            if let Some(earlier) = seen.insert((part, pixels), index) {
                panic!("{part} of samples {earlier} and {index} are equal");
            }
        }
    }
}

/// The pixels are part of published numbers: whoever changes them raises `VERSION` and writes the new hash here.
#[test]
fn pixels_are_those_of_this_version_on_every_machine() {
    let drawn: Vec<u8> = (0..8)
        .flat_map(|index| parts(&small(index)).into_values().flatten())
        .collect();
    assert_eq!(
        (VERSION, i2am_files::sha256_hex(drawn).as_str()),
        (
            1,
            "29a9652373b8ce3bc305af6b4be230a42d5575e302b6ed712b352a88f1005ace"
        )
    );
}

#[test]
fn another_seed_draws_other_samples() {
    let (one, other) = (parts(&render(1, 0, 128, 96)), parts(&render(2, 0, 128, 96)));
    for (part, pixels) in one {
        assert!(pixels != other[part], "{part} is the same for both seeds");
    }
}

#[test]
fn the_picture_outside_the_hole_does_not_tell_what_was_worn() {
    for index in 0..150 {
        let worn = draw(5, index, index, SMALL);
        let other = draw(5, index, index + 1000, SMALL);
        // Not `assert_eq!` on pictures: a failure would print every pixel.
        assert!(worn.agnostic_mask == other.agnostic_mask, "hole of {index}");
        assert!(worn.densepose == other.densepose, "body map of {index}");
        assert!(worn.person != other.person, "person of {index}");
        let pixels = worn.agnostic.enumerate_pixels();
        let told = pixels.filter(|&(x, y, pixel)| pixel != other.agnostic.get_pixel(x, y));
        let told: Vec<_> = told.map(|(x, y, _)| (x, y)).collect();
        assert!(
            told.is_empty(),
            "agnostic picture of {index} differs at {told:?}"
        );
    }
}

#[test]
fn the_hole_holds_the_garment_and_is_neither_nothing_nor_everything() {
    for index in 0..150 {
        let sample = small(index);
        let total = SMALL.height * SMALL.width;
        let hole = set(&sample.agnostic_mask);
        assert!(
            hole > total / 10 && hole < total / 2,
            "hole of {index}: {hole} pixels"
        );
        let worn = set(&sample.worn_mask);
        assert!(worn > total / 25, "garment of {index}: {worn} pixels");
        let spilt = sample.worn_mask.pixels().zip(sample.agnostic_mask.pixels());
        let spilt = spilt.filter(|(worn, hole)| worn.0[0] > hole.0[0]).count();
        assert_eq!(spilt, 0, "garment of {index} outside the hole");
    }
}

#[test]
fn agnostic_is_the_person_with_a_grey_hole() {
    let sample = small(3);
    for ((x, y, mask), agnostic) in sample
        .agnostic_mask
        .enumerate_pixels()
        .zip(sample.agnostic.pixels())
    {
        let expected = match mask.0[0] {
            255 => HIDDEN,
            0 => sample.person.get_pixel(x, y).0,
            other => panic!("mask value {other}"),
        };
        assert_eq!(agnostic.0, expected);
    }
}

#[test]
fn the_garment_lies_within_its_picture_on_white() {
    for index in 0..150 {
        let sample = small(index);
        let (width, height) = sample.garment.dimensions();
        for (x, y, pixel) in sample.garment.enumerate_pixels() {
            if x == 0 || y == 0 || x + 1 == width || y + 1 == height {
                assert_eq!(
                    pixel.channels(),
                    [255; 3],
                    "edge of garment {index} at {x}, {y}"
                );
            }
        }
        let covered = set(&sample.garment_mask) as f64 / f64::from(width * height);
        assert!(
            (0.15..0.6).contains(&covered),
            "garment {index} covers {covered}"
        );
    }
}

#[test]
fn sizes_show_the_same_drawing() {
    let (low, high) = (render(5, 9, 128, 96), render(5, 9, 512, 384));
    // The mean over 4x4 blocks of the large drawing is the small one, up to anti-aliasing.
    let mut error = 0.0;
    for (x, y, pixel) in low.person.enumerate_pixels() {
        for channel in 0..3 {
            let block: u32 = (0..16)
                .map(|i| u32::from(high.person.get_pixel(4 * x + i % 4, 4 * y + i / 4).0[channel]))
                .sum();
            error += (f64::from(pixel.0[channel]) - f64::from(block) / 16.0).abs();
        }
    }
    let mean = error / (3.0 * 128.0 * 96.0);
    assert!(mean < 2.0, "mean difference {mean} of 255");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_size_can_be_drawn(seed: u64, index: u64, height in 1_usize..90, width in 1_usize..90) {
        let sample = render(seed, index, height, width);
        let size = (width as u32, height as u32);
        prop_assert_eq!(sample.person.dimensions(), size);
        prop_assert_eq!(sample.densepose.dimensions(), size);
        let spilt = sample.worn_mask.iter().zip(sample.agnostic_mask.iter()).filter(|(worn, hole)| worn > hole);
        prop_assert_eq!(spilt.count(), 0, "garment outside the hole");
    }
}
