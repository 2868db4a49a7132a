//! PSNR, SSIM and LPIPS against scikit-image and lpips (fixture `pairs`), and what must hold for any pair.

use i2am_imaging::RgbImage;
use i2am_metrics::{MetricError, Pair, PairValue, Resources};
use proptest::prelude::*;

use crate::support::{configured, families, measure, metric, value};

/// The squared errors are exact on both sides; the logarithm may differ in its last bit.
const PSNR: f64 = 1e-15;
/// Both sides add up in f64, in another order.
const SSIM: f64 = 1e-9;

#[test]
fn psnr_is_scikit_images() {
    for family in families() {
        let psnr = metric("psnr", "", &Resources::default());
        for case in &family {
            if let Some(expected) = case.expected("psnr.rgb") {
                let found = value(psnr.as_ref(), &case.pair());
                assert!(
                    (found / expected - 1.0).abs() <= PSNR,
                    "{}: {found}, {expected}",
                    case.name
                );
            } else {
                let found = measure(psnr.as_ref(), &case.pair());
                assert!(
                    matches!(found, PairValue::Undefined(_)),
                    "{}: {found:?}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn ssim_is_scikit_images() {
    for family in families() {
        for variant in ["gaussian", "gray", "uniform"] {
            let ssim = metric(
                "ssim",
                &format!("variant = '{variant}'"),
                &Resources::default(),
            );
            let mut checked = 0;
            for case in &family {
                let Some(expected) = case.expected(&format!("ssim.{variant}")) else {
                    let error = ssim.measure(&[case.pair()]).unwrap_err();
                    assert!(
                        matches!(error, MetricError::TooSmall { .. }),
                        "{}: {error}",
                        case.name
                    );
                    continue;
                };
                let off = (value(ssim.as_ref(), &case.pair()) - expected).abs();
                assert!(off <= SSIM, "{variant}, {}: off by {off:e}", case.name);
                checked += 1;
            }
            assert!(checked > 0, "{variant}: no value expected");
        }
    }
}

#[test]
fn a_picture_smaller_than_the_window_is_told() {
    let small = RgbImage::new(40, 10);
    let pair = Pair::new(&small, &small).unwrap();
    let message = |table| {
        let ssim = metric("ssim", table, &Resources::default());
        ssim.measure(&[pair]).unwrap_err().to_string()
    };
    assert_eq!(
        message(""),
        "ssim: expected pictures of at least 11 x 11, found 10 x 40"
    );
    let empty = RgbImage::new(0, 5);
    let psnr = metric("psnr", "", &Resources::default());
    let error = psnr
        .measure(&[Pair::new(&empty, &empty).unwrap()])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "psnr: expected pictures of at least 1 x 1, found 5 x 0"
    );
}

#[test]
fn settings_are_named() {
    assert_eq!(configured("ssim", "").unwrap().variant(), "gaussian");
    assert_eq!(
        configured("ssim", "variant = 'gray'").unwrap().variant(),
        "gray"
    );
    assert_eq!(configured("psnr", "").unwrap().variant(), "rgb");
    let unknown = configured("ssim", "variant = 'grey'")
        .unwrap_err()
        .to_string();
    assert!(
        unknown
            .contains("unknown variant `grey`, expected one of `gaussian`, `gray`, `uniform`, `y`"),
        "{unknown}"
    );
    let unknown = configured("psnr", "range = 1").unwrap_err().to_string();
    assert!(
        unknown.contains("unknown field `range`, expected `variant` or `crop_border`"),
        "{unknown}"
    );
}

/// Two pictures of one size, from flat to noisy.
fn pictures() -> impl Strategy<Value = (RgbImage, RgbImage)> {
    (11_u32..24, 11_u32..24, 1_u8..=255).prop_flat_map(|(width, height, most)| {
        let picture = move || {
            let levels = prop::collection::vec(0..=most, (width * height * 3) as usize);
            levels.prop_map(move |levels| {
                RgbImage::from_raw(width, height, levels).expect("as many levels as pixels")
            })
        };
        (picture(), picture())
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn ssim_is_symmetric_bounded_and_one_for_equals((x, y) in pictures()) {
        for variant in ["gaussian", "gray", "uniform", "y"] {
            let ssim = metric("ssim", &format!("variant = '{variant}'"), &Resources::default());
            let of = |generated, real| value(ssim.as_ref(), &Pair::new(generated, real).unwrap());
            prop_assert_eq!(of(&x, &x).to_bits(), 1.0_f64.to_bits());
            prop_assert_eq!(of(&x, &y).to_bits(), of(&y, &x).to_bits());
            prop_assert!((-1.0..=1.0).contains(&of(&x, &y)), "{}", of(&x, &y));
        }
    }

    #[test]
    fn psnr_is_symmetric_and_falls_with_the_error((x, y) in pictures()) {
        let psnr = metric("psnr", "", &Resources::default());
        let pair = Pair::new(&x, &y).unwrap();
        let swapped = Pair::new(&y, &x).unwrap();
        prop_assert_eq!(measure(psnr.as_ref(), &pair), measure(psnr.as_ref(), &swapped));
        if let PairValue::Value(decibel) = measure(psnr.as_ref(), &pair) {
            prop_assert!(decibel >= 0.0);
        }
    }
}
