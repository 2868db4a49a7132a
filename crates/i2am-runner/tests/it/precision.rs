//! Half precisions run on the CPU and stay near the f32 run.

use i2am_nets::Precision;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::PaintByExampleConfig;
use i2am_testkit::deviation;

use crate::common::values;
use crate::tiny::{SIDE, TinyModel, run, sample, seeded};

/// Of the largest magnitude. A value keeps 11 significant bits in f16 and 8 in bf16, so one rounding moves it by up to 2^-11 and
/// 2^-8. A run chains some hundred layers, four steps and a guidance factor of 5; it was measured to end 8 (f16) and 14 (bf16)
/// roundings away, and 25 are allowed.
const ALLOWED: [(Precision, f64); 2] = [
    (Precision::F16, 25.0 / 2048.0),
    (Precision::Bf16, 25.0 / 256.0),
];

#[test]
fn half_precisions_stay_near_single_precision() {
    let folder = tempfile::tempdir().unwrap();
    let config = TinyModel::new().write(folder.path());
    let capture = CaptureConfig {
        time_groups: 2,
        ..CaptureConfig::default()
    };
    let at = |precision| {
        let config = PaintByExampleConfig {
            precision,
            ..config.clone()
        };
        let done = run(&config, &sample(SIDE), &seeded(), Some(&capture)).unwrap();
        assert_eq!(done.decoded.kind(), precision.kind());
        let record = done.record.unwrap();
        record.validate().unwrap();
        let layers = record
            .layers
            .into_iter()
            .map(|layer| (layer.name, layer.r2g));
        let picture = ("decoded".to_owned(), values(&done.decoded));
        let latent = ("latent".to_owned(), values(&done.latent));
        layers.chain([picture, latent]).collect::<Vec<_>>()
    };
    let reference = at(Precision::F32);
    for (precision, allowed) in ALLOWED {
        for ((what, got), (_, expected)) in at(precision).iter().zip(&reference) {
            // Fails by itself on anything that is not finite.
            let off = deviation(what, got, expected).relative;
            assert!(
                off <= allowed,
                "{precision:?}: {what} is off by {off:.5} of its largest value"
            );
            assert!(off > 0.0, "{precision:?}: {what} was computed in f32");
        }
    }
}
