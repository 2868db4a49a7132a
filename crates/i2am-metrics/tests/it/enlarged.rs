//! PSNR and SSIM on the Y channel and without a border, as tables of super-resolution have them (fixture `enlarged`, on the pictures of
//! `pairs`).

use std::path::Path;

use i2am_imaging::RgbImage;
use i2am_metrics::{Pair, PairValue, Resources};
use i2am_testkit::fixtures;

use crate::support::{Case, cases, configured, folders, measure, metric, value};

/// The luma is rounded in f64 on both sides, in another order.
const PSNR: f64 = 1e-12;
/// Both sides add up in f64, in another order.
const SSIM: f64 = 1e-9;

fn table(variant: &str, border: u32) -> String {
    format!("variant = '{variant}'\ncrop_border = {border}")
}

/// Every pair with its expected values in the fixture's own spelling.
fn expected() -> Vec<(Case, serde_json::Value)> {
    let place = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    let values = fixtures(place, "enlarged")[0].json("expected");
    let pairs = cases(&folders()[0]).into_iter();
    pairs
        .map(|case| {
            let values = values[&case.name].clone();
            (case, values)
        })
        .collect()
}

#[test]
fn the_y_channel_and_borders_are_scikit_images() {
    for (name, variant, tolerance) in [
        ("psnr", "rgb", PSNR),
        ("psnr", "y", PSNR),
        ("ssim", "gaussian", SSIM),
        ("ssim", "y", SSIM),
    ] {
        for border in [0, 1, 4] {
            let metric = metric(name, &table(variant, border), &Resources::default());
            let key = format!("{name}.{variant}.{border}");
            let mut checked = 0;
            for (case, values) in expected() {
                if let Some(expected) = values[&key].as_f64() {
                    let found = value(metric.as_ref(), &case.pair());
                    let off = (found / expected - 1.0).abs();
                    assert!(
                        off <= tolerance,
                        "{key}, {}: {found}, {expected}",
                        case.name
                    );
                    checked += 1;
                } else {
                    // Equal, or too small.
                    let measured = metric.measure(&[case.pair()]);
                    let none =
                        matches!(measured.as_deref(), Err(_) | Ok([PairValue::Undefined(_)]));
                    assert!(none, "{key}, {}: {measured:?}", case.name);
                }
            }
            assert!(checked >= 9, "{key}: {checked} values expected");
        }
    }
}

#[test]
fn the_border_is_part_of_the_name_and_counts_for_nothing() {
    let name = |metric: &str, table: &str| configured(metric, table).unwrap().variant();
    assert_eq!(name("psnr", "variant = 'y'"), "y");
    assert_eq!(name("psnr", "crop_border = 4"), "rgb, crop 4");
    assert_eq!(name("ssim", &table("y", 12)), "y, crop 12");
    assert!(configured("psnr", "crop_border = -1").is_err());

    let mut real = RgbImage::new(23, 19);
    for (x, y, pixel) in real.enumerate_pixels_mut() {
        pixel.0 = [x * 11 + y * 7, x * y, 255 - x * 3].map(|level| level as u8);
    }
    let mut framed = real.clone();
    for (x, y, pixel) in framed.enumerate_pixels_mut() {
        if x < 4 || y < 4 || x >= 19 || y >= 15 {
            pixel.0 = [0, 255, 0];
        }
    }
    let pair = Pair::new(&framed, &real).unwrap();
    let of = |name: &str, table: &str| {
        let metric = metric(name, table, &Resources::default());
        measure(metric.as_ref(), &pair)
    };
    for variant in ["rgb", "y"] {
        assert!(matches!(of("psnr", &table(variant, 3)), PairValue::Value(value) if value < 40.0));
        assert!(matches!(
            of("psnr", &table(variant, 4)),
            PairValue::Undefined(_)
        ));
    }
    assert_eq!(of("ssim", &table("y", 4)), PairValue::Value(1.0));
    let ssim = metric("ssim", &table("y", 5), &Resources::default());
    assert_eq!(
        ssim.measure(&[pair]).unwrap_err().to_string(),
        "ssim: expected pictures of at least 21 x 21, found 19 x 23"
    );
    let psnr = metric("psnr", &table("y", u32::MAX), &Resources::default());
    assert!(psnr.measure(&[pair]).is_err());
}
