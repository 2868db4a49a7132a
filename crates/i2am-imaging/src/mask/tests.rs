use image::{DynamicImage, ImageFormat, Luma, LumaA, Rgb, Rgba};
use tempfile::TempDir;

use super::*;

const SIDE: u32 = 20;

/// Whether a pixel lies in the square that these masks show: 8 x 8 of 20 x 20.
fn inside(x: u32, y: u32) -> bool {
    (6..14).contains(&x) && (6..14).contains(&y)
}

fn gray(level: impl Fn(u32, u32) -> u8) -> DynamicImage {
    DynamicImage::ImageLuma8(image::ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
        Luma([level(x, y)])
    }))
}

fn read(picture: &DynamicImage, reading: MaskReading) -> Result<StoredMask, ImagingError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("mask.png");
    picture.save_with_format(&path, ImageFormat::Png).unwrap();
    read_mask(path, reading)
}

const BINARY: MaskReading = MaskReading {
    levels: MaskLevels::Binary,
    channel: MaskChannel::Gray,
    polarity: MaskPolarity::Direct,
};
const ALPHA: MaskReading = MaskReading {
    levels: MaskLevels::Full,
    channel: MaskChannel::Alpha,
    polarity: MaskPolarity::Direct,
};
const INVERTED: MaskReading = MaskReading {
    levels: MaskLevels::Full,
    channel: MaskChannel::Gray,
    polarity: MaskPolarity::Inverted,
};

/// Reads a mask that must show the square, and gives the doubts about it.
fn square(picture: &DynamicImage, reading: MaskReading) -> Vec<MaskDoubt> {
    let mask = read(picture, reading).unwrap();
    let doubts = mask.doubts.clone();
    for (x, y, level) in mask.into_binary().enumerate_pixels() {
        assert_eq!(level.0[0] == 255, inside(x, y), "{x} {y}");
    }
    doubts
}

fn refused(picture: &DynamicImage, reading: MaskReading, words: &[&str]) {
    let error = read(picture, reading).unwrap_err();
    assert!(matches!(error, ImagingError::Mask { .. }), "{error}");
    let error = error.to_string();
    for word in [&["mask.png", "white (level "], words].concat() {
        assert!(error.contains(word), "`{word}`: {error}");
    }
}

#[test]
fn black_and_white_is_taken_as_it_is_whatever_is_set() {
    let sound = gray(|x, y| if inside(x, y) { 255 } else { 0 });
    for reading in [MaskReading::default(), BINARY, ALPHA] {
        assert_eq!(square(&sound, reading), []);
    }
    // What a JPEG leaves around a shape.
    let noisy = gray(|x, y| if inside(x, y) { 251 } else { 3 });
    assert_eq!(square(&noisy, BINARY), []);
}

#[test]
fn levels_of_the_lower_half_are_refused_unless_they_are_said_to_count() {
    for highest in [1, 2, 38, 127] {
        let low = gray(|x, y| if inside(x, y) { highest } else { 0 });
        let highest = format!("highest level {highest},");
        let words = [&highest[..], "16.0 %", "mask_levels = \"binary\"", "255"];
        refused(&low, MaskReading::default(), &words);
        assert_eq!(square(&low, BINARY), []);
    }
    let of_colors = DynamicImage::ImageRgb8(image::ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
        Rgb(if inside(x, y) { [128, 0, 0] } else { [0; 3] })
    }));
    refused(&of_colors, MaskReading::default(), &["highest level 38,"]);
    assert_eq!(square(&of_colors, BINARY), []);
}

#[test]
fn sixteen_bits_have_a_white_of_their_own() {
    let of = |level: u16| {
        DynamicImage::ImageLuma16(image::ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
            Luma([if inside(x, y) { level } else { 0 }])
        }))
    };
    for low in [1, 255, 32_767] {
        let highest = format!("highest level {low},");
        refused(&of(low), MaskReading::default(), &[&highest, "65535"]);
        assert_eq!(square(&of(low), BINARY), []);
    }
    assert_eq!(square(&of(u16::MAX), MaskReading::default()), []);
}

#[test]
fn a_shape_in_the_alpha_channel_only_is_refused_unless_it_is_said_to_be_there() {
    let alpha = |x, y| if inside(x, y) { 255 } else { 0 };
    for level in [0, 255] {
        let of_gray = DynamicImage::ImageLumaA8(image::ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
            LumaA([level, alpha(x, y)])
        }));
        let of_colors =
            DynamicImage::ImageRgba8(image::ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
                Rgba([level, level, level, alpha(x, y)])
            }));
        for picture in [of_gray, of_colors] {
            let level = format!("level {level} in every pixel");
            let words = [&level[..], "16.0 %", "mask_channel = \"alpha\""];
            refused(&picture, MaskReading::default(), &words);
            assert_eq!(square(&picture, ALPHA), []);
        }
    }
}

#[test]
fn an_alpha_channel_that_says_the_same_or_nothing_does_not_matter() {
    let with = |alpha: fn(u32, u32) -> u8| {
        DynamicImage::ImageLumaA8(image::ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
            LumaA([if inside(x, y) { 255 } else { 0 }, alpha(x, y)])
        }))
    };
    for reading in [MaskReading::default(), ALPHA] {
        assert_eq!(square(&with(|_, _| 255), reading), []);
        assert_eq!(
            square(&with(|x, y| if inside(x, y) { 255 } else { 0 }), reading),
            []
        );
    }
    let other = with(|x, _| if x < 10 { 255 } else { 0 });
    let doubts = square(&other, MaskReading::default());
    let expected = MaskDoubt::Alpha {
        area: 0.16,
        opaque: 0.5,
    };
    assert_eq!(doubts, [expected]);
}

#[test]
fn nothing_everything_and_the_wrong_side_are_doubted() {
    let doubts =
        |level: fn(u32, u32) -> u8| read(&gray(level), MaskReading::default()).unwrap().doubts;
    assert_eq!(doubts(|_, _| 0), [MaskDoubt::Nothing]);
    assert_eq!(doubts(|_, _| 255), [MaskDoubt::Everything]);
    let inverted = gray(|x, y| if inside(x, y) { 0 } else { 255 });
    let found = read(&inverted, MaskReading::default()).unwrap().doubts;
    assert_eq!(
        found,
        [MaskDoubt::Border {
            area: 0.84,
            border: 1.0
        }]
    );
    assert!(
        found[0]
            .to_string()
            .contains("84.0 % of the picture and touches 100.0 %")
    );
    assert_eq!(square(&inverted, INVERTED), []);
    // One side of the picture alone is no background.
    assert_eq!(doubts(|_, y| if y < 10 { 255 } else { 0 }), []);
}

#[test]
fn gray_where_black_or_white_was_expected_is_doubted() {
    let faint = gray(|x, y| if inside(x, y) { 200 } else { 0 });
    let found = square(&faint, MaskReading::default());
    assert!(
        found[0].to_string().contains("highest level of 200"),
        "{}",
        found[0]
    );
    assert_eq!(found.len(), 2);
    let half = gray(|x, y| if inside(x, y) { 255 } else { 127 });
    let found = square(&half, MaskReading::default());
    assert_eq!(
        found,
        [MaskDoubt::Between {
            between: 0.84,
            area: 0.16
        }]
    );
}
