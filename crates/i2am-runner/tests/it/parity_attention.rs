//! Attention captured while sampling against the published hook, and what capture must not do.

use i2am_attribution::{
    AttentionRecord, Convention, ConventionName, Direction, Level, Source, attribution_map,
};
use i2am_imaging::Plane;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::samplers::SamplerKind;
use i2am_runner::schedule::Spacing;
use i2am_testkit::{FixtureDir, Tensors, assert_close};
use tch::Tensor;

use crate::common::{close, config, generate, main_run, paint_by_example, sampler, values};

const TOLERANCE: f64 = 1e-4;
const R2G: Direction = Direction::ReferenceToGenerated;

/// The main run, with every step kept apart as the published code does in its time mode.
fn record(folder: &FixtureDir, guidance: f64) -> AttentionRecord {
    let (steps, _) = main_run(folder);
    let capture = CaptureConfig {
        time_groups: steps as usize,
        ..CaptureConfig::default()
    };
    generate(
        folder,
        &config(folder, sampler(SamplerKind::Ddim, steps), guidance),
        Some(&capture),
    )
    .record
    .unwrap()
}

fn compare(plane: &Plane, golden: &Tensors, name: &str) {
    assert_close(name, plane.data(), &golden.f32(name), TOLERANCE);
}

#[test]
fn parity_sums_of_every_layer() {
    for folder in paint_by_example() {
        let golden = folder.tensors("i2am");
        let record = record(&folder, main_run(&folder).1);
        let expected: Vec<&str> = golden
            .names()
            .filter(|name| name.starts_with("layer.") && name.split('.').next_back() == Some("sum"))
            .collect();
        assert_eq!(record.layers.len(), expected.len());
        for (layer, name) in record.layers.iter().zip(expected) {
            assert_eq!(layer.source, Source::Tokens { count: 1 });
            let shape = [
                2,
                record.groups(),
                layer.heads,
                1,
                layer.height,
                layer.width,
            ]
            .map(|n| n as i64);
            let sums = Tensor::from_slice(&layer.r2g).reshape(shape);
            let over_steps = sums.sum_dim_intlist([1_i64].as_slice(), false, None);
            close(
                &layer.name,
                &over_steps.select(0, 0),
                &golden,
                name,
                TOLERANCE,
            );
            let outside = values(&over_steps.select(0, 1));
            assert!(outside.iter().all(|&v| v == 0.0), "the one token is inside");
            let steps = name.replace("sum", "steps");
            if golden.contains(&steps) {
                close(&layer.name, &sums.select(0, 0), &golden, &steps, TOLERANCE);
            }
        }
    }
}

#[test]
fn parity_unified_head_and_time_maps() {
    for folder in paint_by_example() {
        let golden = folder.tensors("i2am");
        let record = record(&folder, main_run(&folder).1);
        let groups = golden.shape("time")[0];
        let convention = Convention {
            time_groups: groups,
            ..Convention::preset(ConventionName::ReleasedCode)
        };
        let map = |level: &Level| attribution_map(&record, &convention, R2G, level).unwrap();
        let unified = map(&Level::Unified);
        assert!(unified.notes.is_one_token());
        compare(&unified.plane, &golden, "unified");
        let stacked = |levels: Vec<Level>| -> Vec<f32> {
            levels
                .iter()
                .flat_map(|level| map(level).plane.data().to_vec())
                .collect()
        };
        let heads = stacked((0..golden.shape("head")[0]).map(Level::Head).collect());
        assert_close("head", &heads, &golden.f32("head"), TOLERANCE);
        let times = stacked((0..groups).map(Level::Time).collect());
        assert_close("time", &times, &golden.f32("time"), TOLERANCE);
    }
}

#[test]
fn parity_unified_map_without_guidance() {
    for folder in paint_by_example() {
        let golden = folder.tensors("i2am");
        let convention = Convention::preset(ConventionName::ReleasedCode);
        let map =
            attribution_map(&record(&folder, 1.0), &convention, R2G, &Level::Unified).unwrap();
        compare(&map.plane, &golden, "unified_scale1");
    }
}

#[test]
fn capture_does_not_change_a_bit() {
    let folder = &paint_by_example()[0];
    for kind in [SamplerKind::Ddim, SamplerKind::Plms] {
        let config = config(folder, sampler(kind, 5), 5.0);
        let off = generate(folder, &config, None);
        let on = generate(folder, &config, Some(&CaptureConfig::default()));
        assert_eq!(values(&off.decoded), values(&on.decoded), "{kind:?}");
        assert_eq!(off.image.as_raw(), on.image.as_raw());
    }
}

#[test]
fn shares_of_every_head_sum_to_the_steps() {
    let folder = &paint_by_example()[0];
    // PLMS evaluates its first step twice; the second evaluation must not be counted.
    for kind in [SamplerKind::Ddim, SamplerKind::Plms] {
        let capture = CaptureConfig {
            time_groups: 2,
            ..CaptureConfig::default()
        };
        let mut config = config(folder, sampler(kind, 3), 2.0);
        config.sampler.spacing = Spacing::Diffusers;
        let record = generate(folder, &config, Some(&capture)).record.unwrap();
        assert_eq!(record.steps, [2, 1]);
        record.validate().unwrap();
        for layer in &record.layers {
            let map = layer.height * layer.width;
            for (i, head) in layer.r2g.chunks(map).take(2 * layer.heads).enumerate() {
                let sum: f64 = head.iter().map(|&v| f64::from(v)).sum();
                let expected = f64::from(record.steps[i / layer.heads]);
                assert!(
                    (sum - expected).abs() < 1e-4,
                    "{}: {sum} instead of {expected}",
                    layer.name
                );
            }
        }
    }
}
