use std::collections::BTreeMap;

use image::{GrayImage, Pixel};
use proptest::prelude::*;

use super::canvas::Size;
use super::parse_map::PALETTE;
use super::{HIDDEN, Joint, SynthFurther, SynthSample, VERSION, draw, render, render_further};

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
            3,
            "29a9652373b8ce3bc305af6b4be230a42d5575e302b6ed712b352a88f1005ace"
        )
    );
}

fn further(index: u64) -> SynthFurther {
    render_further(5, index, index, SMALL.height, SMALL.width)
}

#[test]
fn further_pixels_are_those_of_this_version_on_every_machine() {
    let drawn = (0..8).flat_map(|index| {
        let further = render_further(5, index, index + 1, SMALL.height, SMALL.width);
        let pictures = [
            further.parse.into_raw(),
            further.agnostic_parse.into_raw(),
            further.warped.into_raw(),
            further.warped_mask.into_raw(),
        ];
        pictures.into_iter().flatten()
    });
    assert_eq!(
        i2am_files::sha256_hex(drawn.collect::<Vec<u8>>()),
        "4486334948add6e5dbe8a369c3ac8e517f5a4df7313aaba0dc4ef7865029e318"
    );
}

/// Where the parse map says upper clothes is where the garment is seen; hands are what is left of the arms.
#[test]
fn the_parse_map_agrees_with_the_drawing() {
    for index in 0..60 {
        let (sample, further) = (small(index), further(index));
        let clothes = further.parse.iter().map(|&label| label == 5);
        assert!(
            clothes.eq(sample.worn_mask.iter().map(|&level| level == 255)),
            "upper clothes of {index}"
        );
        assert!(
            further
                .parse
                .iter()
                .all(|&label| usize::from(label) < PALETTE.len())
        );
        for ((x, y, label), hole) in further
            .agnostic_parse
            .enumerate_pixels()
            .zip(sample.agnostic_mask.iter())
        {
            let expected = match hole {
                255 => 0,
                _ => further.parse.get_pixel(x, y).0[0],
            };
            assert_eq!(label.0[0], expected, "{index} at {x}, {y}");
        }
        let left: Vec<u8> = further.agnostic_parse.iter().copied().collect();
        assert!(left.contains(&13) && !left.contains(&5), "head, no clothes");
    }
}

#[test]
fn joints_lie_where_the_body_is() {
    for index in 0..60 {
        let (sample, further) = (small(index), further(index));
        let pose = &further.pose;
        let label = |joint: Joint| {
            let [x, y] = pose.at(joint);
            further.parse.get_pixel(x as u32, y as u32).0[0]
        };
        assert!([13, 2].contains(&label(Joint::Nose)), "nose of {index}");
        for joint in [Joint::LeftShoulder, Joint::RightShoulder] {
            let [x, y] = pose.at(joint);
            assert_eq!(sample.agnostic_mask.get_pixel(x as u32, y as u32).0, [255]);
        }
        assert!(
            pose.at(Joint::RightShoulder)[0] < pose.at(Joint::LeftShoulder)[0],
            "the person's right is on the picture's left"
        );
        assert!(pose.at(Joint::Neck)[1] < pose.at(Joint::RightHip)[1]);
    }
}

/// Warped is the worn garment without folds and occlusion: it covers what is seen, and has its colors.
#[test]
fn the_warped_garment_covers_what_is_worn() {
    for index in 0..60 {
        let (sample, further) = (small(index), further(index));
        let mut off = Vec::new();
        for (x, y, worn) in sample.worn_mask.enumerate_pixels() {
            if worn.0[0] == 255 {
                assert_eq!(
                    further.warped_mask.get_pixel(x, y).0,
                    [255],
                    "{index} at {x}, {y}"
                );
                let (a, b) = (
                    sample.person.get_pixel(x, y).0,
                    further.warped.get_pixel(x, y).0,
                );
                off.extend(a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(b))));
            }
        }
        let mean = off.iter().sum::<f64>() / off.len() as f64;
        assert!(mean < 30.0, "colors of {index} differ by {mean} on average");
    }
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

/// Only a garment that is said to have a print has one, and it is seen on the garment: a part of it, in most samples.
#[test]
fn prints_are_seen_where_the_garment_is() {
    let (mut with, mut seen) = (0, 0);
    for index in 0..60 {
        let (sample, further) = (small(index), further(index));
        let pixels = set(&further.printed_mask);
        let mut pairs = further.printed_mask.iter().zip(sample.worn_mask.iter());
        assert!(pairs.all(|(printed, worn)| printed <= worn), "{index}");
        if sample.garment_name.contains(" with ") {
            with += 1;
            seen += i32::from(pixels > 0);
            assert!(pixels < set(&sample.worn_mask) / 2, "{index}: {pixels}");
        } else {
            assert_eq!(pixels, 0, "{index}: {}", sample.garment_name);
        }
    }
    assert!(with > 30 && 10 * seen > 9 * with, "{seen} of {with}");
}

/// How far two pixels are apart, mean over channels in levels.
fn apart(a: [u8; 3], b: [u8; 3]) -> f64 {
    let sum: u32 = a
        .iter()
        .zip(b)
        .map(|(&a, b)| u32::from(a.abs_diff(b)))
        .sum();
    f64::from(sum) / 3.0
}

/// The warped garment is flat and unshaded: at every pixel it must have the color that the shop picture has at the place from where the
/// pixel is said to come. Places of another pixel of the same garment must fit worse.
#[test]
fn the_garment_has_the_same_color_at_the_place_it_comes_from() {
    let (mut matched, mut shuffled, mut count) = (0.0, 0.0, 0);
    for index in 0..40 {
        let (sample, further) = (small(index), further(index));
        let known: Vec<(u32, u32, [u8; 3])> = sample
            .garment
            .enumerate_pixels()
            .filter_map(|(x, y, _)| {
                let [row, column] = further.correspondence.place(y as usize, x as usize)?;
                let there = (
                    (column * SMALL.width as f64) as u32,
                    (row * SMALL.height as f64) as u32,
                );
                assert_eq!(sample.worn_mask.get_pixel(x, y).0, [255], "worn");
                assert_eq!(
                    sample.garment_mask.get_pixel(there.0, there.1).0,
                    [255],
                    "{index}: the place shows the garment"
                );
                Some((x, y, sample.garment.get_pixel(there.0, there.1).0))
            })
            .collect();
        let worn = set(&sample.worn_mask);
        assert!(
            10 * known.len() > 8 * worn,
            "{index}: {} of {worn}",
            known.len()
        );
        for (place, &(x, y, color)) in known.iter().enumerate() {
            let drawn = further.warped.get_pixel(x, y).0;
            let other = known[(place + known.len() / 2) % known.len()].2;
            matched += apart(drawn, color);
            shuffled += apart(drawn, other);
            count += 1;
        }
    }
    let [matched, shuffled] = [matched, shuffled].map(|sum| sum / f64::from(count));
    assert!(
        matched < 0.5 * shuffled,
        "{matched:.1} levels apart, of another pixel {shuffled:.1}"
    );
}
