//! Half precisions run on the CPU and stay near the f32 run.

use i2am_nets::Precision;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{Generated, PaintByExampleConfig};
use i2am_testkit::deviation;
use tch::Tensor;

use crate::batch::{alone, numbers};
use crate::common::values;
use crate::every_family::{Subject, subjects};
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

/// What was measured for the small models, of the largest magnitude: latents and decoded images, and the sums of records, in f16 and in
/// bf16. The weights are made up, so that attention is sharp and follows roundings; guidance enlarges these by its factor, and steps add
/// them up. Kernels round differently, and by up to a factor of five here: each number is the largest of those of libtorch's kernels
/// for AVX-512 (except for klein), AVX2 and neither (`ATEN_CPU_CAPABILITY`).
const MEASURED: [(&str, [f64; 2], [f64; 2]); 20] = [
    ("paint-by-example, plms", [0.0064, 0.0072], [0.046, 0.091]),
    (
        "paint-by-example, ddpm, unguided",
        [0.0022, 0.0068],
        [0.018, 0.037],
    ),
    ("dci-vton", [0.0018, 0.0032], [0.015, 0.017]),
    ("stable-viton", [0.0023, 0.0093], [0.014, 0.073]),
    ("stable-viton, guided", [0.0031, 0.012], [0.024, 0.092]),
    ("stable-viton, one draw", [0.0031, 0.015], [0.024, 0.14]),
    ("catvton", [0.018, 0.055], [0.18, 0.28]),
    ("catvton, unguided", [0.0086, 0.022], [0.085, 0.23]),
    ("leffa", [0.016, 0.044], [0.21, 0.46]),
    ("leffa, once", [0.024, 0.11], [0.16, 0.45]),
    ("leffa, unguided", [0.024, 0.039], [0.18, 0.33]),
    ("flux2-klein", [0.0051, 0.0038], [0.048, 0.033]),
    (
        "flux2-klein, guided inpainting",
        [0.0073, 0.004],
        [0.052, 0.028],
    ),
    ("ip-adapter", [0.0051, 0.012], [0.04, 0.071]),
    ("ip-adapter, plus", [0.0062, 0.0067], [0.064, 0.14]),
    (
        "ip-adapter, plus, unguided",
        [0.0023, 0.0075],
        [0.017, 0.05],
    ),
    (
        "ip-adapter, full-face, kept latent",
        [0.01, 0.016],
        [0.079, 0.094],
    ),
    ("pasd", [0.019, 0.078], [0.14, 0.37]),
    ("pasd-light", [0.06, 0.073], [0.18, 0.29]),
    ("pasd-light, unguided", [0.0034, 0.0089], [0.031, 0.055]),
];

/// Kernels of other processors round elsewhere.
const MARGIN: f64 = 2.0;

/// Nothing of a pass in half precision is left in another: libtorch refuses to mix them.
#[test]
fn every_family_runs_in_half_precisions() {
    let capture = CaptureConfig {
        time_groups: 2,
        ..CaptureConfig::default()
    };
    let first = |subject: &Subject| {
        let sample = &subject.samples[0];
        alone(subject.pipeline.as_ref(), sample, Some(&capture))
    };
    let reference: Vec<Generated> = subjects(Precision::F32).iter().map(first).collect();
    assert_eq!(reference.len(), MEASURED.len());
    for precision in [Precision::F16, Precision::Bf16] {
        let found = subjects(precision);
        let pairs = found.iter().zip(&reference).zip(MEASURED);
        for ((subject, expected), (name, f16, bf16)) in pairs {
            assert_eq!(subject.name, name);
            let found = first(subject);
            assert_eq!(found.decoded.kind(), precision.kind());
            let off = |found: &Tensor, expected: &Tensor| {
                deviation(name, &values(found), &values(expected)).relative
            };
            let image =
                off(&found.latent, &expected.latent).max(off(&found.decoded, &expected.decoded));
            let (found, expected) = (found.record.unwrap(), expected.record.as_ref().unwrap());
            found.validate().unwrap();
            let mut record = 0.0_f64;
            for (found, expected) in found.layers.iter().zip(&expected.layers) {
                let found = numbers(found);
                for (what, expected) in numbers(expected) {
                    let off = deviation(name, &found[&what], &expected).relative;
                    record = record.max(off);
                }
            }
            let measured = match precision {
                Precision::F16 => f16,
                _ => bf16,
            };
            for (what, off, measured) in [
                ("images", image, measured[0]),
                ("records", record, measured[1]),
            ] {
                assert!(
                    off > 0.0 && off <= MARGIN * measured,
                    "{precision:?}: {name}: {what} are off by {off:.5}, measured was {measured}"
                );
            }
        }
    }
}
