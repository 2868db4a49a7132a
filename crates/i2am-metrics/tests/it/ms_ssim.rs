//! MS-SSIM against pytorch-msssim (fixture `ms-ssim`), on parts of the pictures of the fixture `sets`.

use std::path::Path;

use i2am_imaging::{RgbImage, read_rgb};
use i2am_metrics::{Pair, Resources};
use i2am_testkit::fixtures;
use serde_json::Value;

use crate::support::{metric, value};

/// Both sides add up in f64, in another order.
const EXACT: f64 = 1e-9;
/// The tool's window is rounded to 32 bits.
const PEER: f64 = 1e-5;

/// A part of `size` of the picture in `of`: its name, top and left.
pub(crate) fn part(of: &Value, size: &Value) -> RgbImage {
    let number = |value: &Value| value.as_u64().expect("a number") as u32;
    let name = of[0].as_str().expect("a name");
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sets"))
        .join(name.trim_start_matches("inverted:"));
    let whole = read_rgb(file).expect("a picture of the fixture");
    let (top, left) = (number(&of[1]), number(&of[2]));
    RgbImage::from_fn(number(&size[1]), number(&size[0]), |x, y| {
        let mut pixel = *whole.get_pixel(x + left, y + top);
        if name.starts_with("inverted:") {
            pixel.0 = pixel.0.map(|level| 255 - level);
        }
        pixel
    })
}

#[test]
fn values_are_pytorch_msssims() {
    let family = fixtures(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")),
        "ms-ssim",
    );
    for folder in family {
        for (name, case) in folder.json("expected").as_object().expect("cases") {
            let [generated, real] =
                ["generated", "real"].map(|side| part(&case[side], &case["size"]));
            let pair = Pair::new(&generated, &real).expect("one size");
            for variant in ["rgb", "gray"] {
                let table = format!("variant = '{variant}'");
                let found = value(
                    metric("ms-ssim", &table, &Resources::default()).as_ref(),
                    &pair,
                );
                for (against, tolerance) in [("exact", EXACT), ("peer", PEER)] {
                    let expected = case[variant][against].as_f64().expect("a value");
                    let off = (found - expected).abs();
                    assert!(
                        off <= tolerance,
                        "{name}, {variant}: {found} is off {against} by {off:e}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_picture_needs_five_scales() {
    let small = RgbImage::new(300, 160);
    let pair = Pair::new(&small, &small).expect("one size");
    let ms_ssim = metric("ms-ssim", "", &Resources::default());
    assert_eq!(
        ms_ssim.measure(&[pair]).expect_err("too small").to_string(),
        "ms-ssim: expected pictures of at least 161 x 161, found 160 x 300"
    );
}
