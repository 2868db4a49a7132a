use i2am_imaging::RgbImage;
use i2am_synth::render;

use super::{DegradationConfig, DegradationKind};

fn person(index: u64) -> RgbImage {
    render(5, index, 96, 72).person
}

fn second_order() -> DegradationConfig {
    DegradationConfig {
        kind: DegradationKind::SecondOrder,
        ..DegradationConfig::default()
    }
}

/// Root of the mean squared difference.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let squares = a.iter().zip(b.iter());
    let squares = squares.map(|(&a, &b)| f64::from(a.abs_diff(b)).powi(2));
    (squares.sum::<f64>() / a.len() as f64).sqrt()
}

#[test]
fn a_picture_depends_on_seed_and_id_alone() {
    let high = person(0);
    let config = second_order();
    let low = config.degrade(&high, 4, "a");
    assert_eq!(low.dimensions(), (18, 24));
    assert_eq!(config.degrade(&high, 4, "a"), low);
    assert_ne!(config.degrade(&high, 4, "b"), low);
    let other = DegradationConfig { seed: 1, ..config };
    assert_ne!(other.degrade(&high, 4, "a"), low);
}

/// The pixels are part of published numbers: whoever changes them raises `VERSION` and writes the new hash here.
#[test]
fn pixels_are_those_of_this_version() {
    let pixels = (0..8).flat_map(|index| {
        let low = second_order().degrade(&person(index), 4, &index.to_string());
        low.into_raw()
    });
    let hash = i2am_files::sha256_hex(pixels.collect::<Vec<u8>>());
    assert_eq!(
        (crate::sr::VERSION, hash.as_str()),
        (
            1,
            "b3614ff22b2360776c8b6d8454393c3ed5ff505c12e7e84bfc707833278081a4"
        )
    );
}

/// It loses more than bicubic alone, and yet shows the same picture.
#[test]
fn what_is_lost_is_neither_nothing_nor_everything() {
    for index in 0..24 {
        let high = person(index);
        let id = index.to_string();
        let clean = DegradationConfig::default().degrade(&high, 4, &id);
        let off = difference(&second_order().degrade(&high, 4, &id), &clean);
        let strange = difference(
            &clean,
            &DegradationConfig::default().degrade(&person(index + 1), 4, &id),
        );
        assert!(
            off > 2.0 && off < 0.7 * strange,
            "{index}: {off}, {strange}"
        );
    }
}

#[test]
fn every_scale_and_the_smallest_pictures_work() {
    for (side, scale) in [(8, 1), (8, 8), (24, 3), (16, 16)] {
        let high = RgbImage::from_pixel(side, side, image::Rgb([10, 200, 90]));
        for id in 0..40 {
            let low = second_order().degrade(&high, scale, &id.to_string());
            assert_eq!(low.dimensions(), (side / scale, side / scale));
        }
    }
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let refused = |text: &str, words: &[&str]| {
        let config: DegradationConfig = toml::from_str(text).unwrap();
        let message = config.check().unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "{word}: {message}");
        }
    };
    let pass = |replaced: &str| {
        let keys = [
            "blur = 1.0",
            "sigma = [0.2, 3.0]",
            "enlarge = 0.2",
            "shrink = 0.7",
            "resize = [0.3, 1.5]",
            "noise = [1.0, 15.0]",
            "poisson = [0.05, 2.0]",
            "jpeg = [60, 95]",
        ];
        let key = replaced.split(' ').next().unwrap();
        let kept = keys.iter().filter(|line| !line.starts_with(key));
        let lines: Vec<&str> = kept.copied().chain([replaced]).collect();
        format!("kind = 'second-order'\n[first]\n{}", lines.join("\n"))
    };
    refused(
        "kind = 'second-order'\nkernels = [4, 9]",
        &["degradation.kernels", "odd", "[4, 9]"],
    );
    refused(
        "kind = 'second-order'\nsinc = 1.5",
        &["degradation.sinc", "probability", "1.5"],
    );
    refused(
        "kind = 'bicubic'\nsinc = 0.5",
        &["degradation", "second-order"],
    );
    for (replaced, found) in [
        ("blur = -0.5", "-0.5"),
        ("sigma = [0.0, 1.0]", "[0.0, 1.0]"),
        ("shrink = 0.9", "0.2 and 0.9"),
        ("resize = [1.2, 1.5]", "[1.2, 1.5]"),
        ("noise = [5.0, 1.0]", "[5.0, 1.0]"),
        ("poisson = [0.0, inf]", "inf"),
        ("jpeg = [0, 50]", "[0, 50]"),
    ] {
        refused(&pass(replaced), &["degradation.first", found]);
    }
    let whole: DegradationConfig = toml::from_str(&pass("blur = 1.0")).unwrap();
    assert!(whole.check().is_ok());
    assert_eq!(whole, second_order());
    assert!(toml::from_str::<DegradationConfig>("kind = 'third-order'").is_err());
}
