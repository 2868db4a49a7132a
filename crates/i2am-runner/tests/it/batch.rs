//! Samples of a batch are what they are alone, up to rounding; a sample that fails takes none along.

use std::cell::Cell;
use std::collections::BTreeMap;

use half::f16;
use i2am_attribution::LayerRecord;
use i2am_datasets::Sample;
use i2am_nets::Precision;
use i2am_nets::unet::PixelKind;
use i2am_runner::RunnerError;
use i2am_runner::capture::{
    CaptureConfig, ForbidRule, InterveneConfig, Positions, Region, ScaleRule, WeakenRule,
};
use i2am_runner::families::{Batch, Generated, Job, Model as _, Pipeline};
use i2am_runner::noise::NoiseSource;
use i2am_testkit::deviation;
use serde_json::json;
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

use crate::common::values;
use crate::every_family::{Subject, different, noise, subjects};
use crate::tiny::{SIDE, TinyModel, sample};
use crate::{catvton, damage, tiny_pasd, tiny_viton};

/// Of the largest magnitude, for latents and decoded images. docs/precision.md has what was measured.
const OF_IMAGES: f64 = 5e-5;
/// The same for the sums of records: a softmax follows roundings more than an image does.
const OF_RECORDS: f64 = 2e-4;

fn batch(
    pipeline: &dyn Pipeline,
    samples: &[&Sample],
    capture: Option<&CaptureConfig>,
    on_step: &mut dyn FnMut(usize),
) -> Batch {
    let noise: Vec<NoiseSource> = samples.iter().map(|sample| noise(sample)).collect();
    let pairs = samples.iter().zip(&noise);
    let jobs: Vec<Job<'_>> = pairs.map(|(sample, noise)| Job { sample, noise }).collect();
    pipeline.generate_batch(&jobs, capture, on_step)
}

/// All results of a batch in which nothing fails.
fn together(
    pipeline: &dyn Pipeline,
    samples: &[&Sample],
    capture: Option<&CaptureConfig>,
) -> Vec<Generated> {
    let done = batch(pipeline, samples, capture, &mut |_| {});
    assert!(done.split.is_none(), "{:?}", done.split);
    done.results.into_iter().map(Result::unwrap).collect()
}

pub(crate) fn alone(
    pipeline: &dyn Pipeline,
    sample: &Sample,
    capture: Option<&CaptureConfig>,
) -> Generated {
    together(pipeline, &[sample], capture).remove(0)
}

/// Every number of a layer's record, by what it is.
pub(crate) fn numbers(layer: &LayerRecord) -> BTreeMap<String, Vec<f32>> {
    let mut all = BTreeMap::from([("r2g".to_owned(), layer.r2g.clone())]);
    let given = [
        ("g2r", &layer.g2r),
        ("relative", &layer.relative),
        ("share", &layer.share),
    ];
    for (what, sums) in given {
        all.extend(sums.clone().map(|sums| (what.to_owned(), sums)));
    }
    for other in &layer.others {
        all.insert(format!("{:?}", other.role), other.share.clone());
    }
    for reader in &layer.readers {
        all.insert(format!("read by {:?}", reader.role), reader.share.clone());
    }
    if let Some(carried) = &layer.carried {
        all.insert("carried r2g".to_owned(), carried.r2g.clone());
        all.insert("carried share".to_owned(), carried.share.clone());
        let g2r = carried.g2r.clone();
        all.extend(g2r.map(|sums| ("carried g2r".to_owned(), sums)));
    }
    all
}

/// The largest deviations of `found` from `expected`: of the images and latents, and of the record.
fn deviations(name: &str, found: &Generated, expected: &Generated) -> [f64; 2] {
    let mut image = 0.0_f64;
    for (what, found, expected) in [
        ("latent", &found.latent, &expected.latent),
        ("decoded", &found.decoded, &expected.decoded),
    ] {
        let off = deviation(
            &format!("{name}: {what}"),
            &values(found),
            &values(expected),
        );
        image = image.max(off.relative);
    }
    let bytes = found.image.as_raw().iter().zip(expected.image.as_raw());
    let largest = bytes.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(largest <= 1, "{name}: a pixel is off by {largest} levels");
    let (Some(found), Some(expected)) = (&found.record, &expected.record) else {
        return [image, 0.0];
    };
    found.validate().unwrap();
    let mut record = 0.0_f64;
    for (found, expected) in found.layers.iter().zip(&expected.layers) {
        assert_eq!(found.name, expected.name, "{name}");
        assert_eq!(found.r2g_counts, expected.r2g_counts, "{name}");
        assert_eq!(found.g2r_counts, expected.g2r_counts, "{name}");
        let all = numbers(found);
        for (what, expected) in numbers(expected) {
            let off = deviation(&format!("{name}: {what}"), &all[&what], &expected);
            record = record.max(off.relative);
        }
        if let (Some(found), Some(expected)) = (&found.specific, &expected.specific) {
            let floats = |values: &[f16]| values.iter().map(|v| v.to_f32()).collect::<Vec<_>>();
            // In f16 a rounding moves a value by 2^-11 of itself.
            let off = deviation(name, &floats(found), &floats(expected)).relative;
            assert!(off <= 1e-3, "{name}: specific maps are off by {off:.1e}");
        }
    }
    [image, record]
}

/// Compares every sample of `subject` alone with the same in a batch of all and in a batch of another order, and gives the largest
/// deviations.
fn compare(subject: &Subject, capture: Option<&CaptureConfig>) -> [f64; 2] {
    let Subject {
        name,
        pipeline,
        samples,
        ..
    } = subject;
    let pipeline = pipeline.as_ref();
    let expected: Vec<Generated> = samples
        .iter()
        .map(|sample| alone(pipeline, sample, capture))
        .collect();
    let [first, second] = [&expected[0], &expected[1]];
    let apart = deviation(name, &values(&first.latent), &values(&second.latent)).relative;
    assert!(apart > 0.01, "{name}: the samples are alike, {apart}");
    let mut largest = [0.0_f64; 2];
    for order in [&[0, 1, 2][..], &[2, 0], &[1, 2, 0, 1, 0]] {
        let own: Vec<&Sample> = order.iter().map(|&index| &samples[index]).collect();
        for (found, &index) in together(pipeline, &own, capture).iter().zip(order) {
            let off = deviations(name, found, &expected[index]);
            for (largest, off) in largest.iter_mut().zip(off) {
                *largest = largest.max(off);
            }
        }
    }
    largest
}

#[test]
fn every_family_samples_in_batches() {
    let capture = CaptureConfig {
        time_groups: 2,
        specific: vec!["*".to_owned()],
        ..CaptureConfig::default()
    };
    for subject in subjects(Precision::F32) {
        let largest = compare(&subject, Some(&capture));
        let [image, record] = largest;
        assert!(
            image <= OF_IMAGES && record <= OF_RECORDS,
            "{}: images are off by {image:.1e}, records by {record:.1e}",
            subject.name
        );
    }
}

fn everywhere() -> Vec<String> {
    vec!["*".to_owned()]
}

/// Rules whose pairs follow from the masks of a sample.
fn rules() -> InterveneConfig {
    InterveneConfig {
        scale: vec![ScaleRule {
            models: None,
            layers: everywhere(),
            heads: Some(vec![0]),
            time_groups: None,
            factor: 0.5,
        }],
        forbid: vec![ForbidRule {
            models: None,
            layers: everywhere(),
            heads: Some(vec![1]),
            time_groups: Some(vec![0]),
            from: Positions::Masked,
            region: Region::OutsideReferenceMask,
        }],
        weaken: vec![WeakenRule {
            models: None,
            layers: everywhere(),
            heads: None,
            time_groups: Some(vec![1]),
            from: Positions::Masked,
            region: Region::InsideReferenceMask,
            factor: 0.25,
        }],
    }
}

#[test]
fn what_is_changed_and_carried_is_that_of_the_sample() {
    let capture = CaptureConfig {
        time_groups: 2,
        carried_sums: true,
        intervene: rules(),
        ..CaptureConfig::default()
    };
    let plain = CaptureConfig {
        intervene: InterveneConfig::default(),
        ..capture.clone()
    };
    let mut compared = 0;
    for subject in subjects(Precision::F32) {
        // Those that know where the object is in the reference.
        let with_map = ["stable-viton", "catvton", "leffa"];
        if !with_map.iter().any(|name| subject.name.starts_with(name)) {
            continue;
        }
        let [image, record] = compare(&subject, Some(&capture));
        assert!(
            image <= OF_IMAGES && record <= OF_RECORDS,
            "{}: images are off by {image:.1e}, records by {record:.1e}",
            subject.name
        );
        let own = |capture| alone(subject.pipeline.as_ref(), &subject.samples[1], capture);
        let moved = deviation(
            subject.name,
            &values(&own(Some(&capture)).latent),
            &values(&own(Some(&plain)).latent),
        );
        assert!(moved.relative > 1e-3, "{}: no rule works", subject.name);
        compared += 1;
    }
    assert_eq!(compared, 8);
}

/// The recorder that switches heads off is there for every sample, and no record is given that was not asked for.
#[test]
fn damage_is_done_to_every_sample() {
    let (config, files) = catvton::model(&catvton::catvton()[0]);
    let settings = json!(config);
    let off = r#"{ kind = "off", layers = ["up_blocks.*"], keep = 0.2 }"#;
    let model = damage::damaged(&settings, &[off]).unwrap();
    let sample = catvton::sample(&catvton::catvton()[0]);
    let subject = Subject::new("catvton", model.as_ref(), &sample, files);
    let [image, _] = compare(&subject, None);
    assert!(image <= OF_IMAGES, "images are off by {image:.1e}");
    let whole = config.load(Device::Cpu).unwrap();
    let samples: Vec<&Sample> = subject.samples.iter().collect();
    let damaged = together(subject.pipeline.as_ref(), &samples, None);
    for (damaged, whole) in damaged.iter().zip(together(whole.as_ref(), &samples, None)) {
        assert!(damaged.record.is_none());
        assert_ne!(values(&damaged.latent), values(&whole.latent));
    }
}

/// Samples whose latents differ in size are sampled in batches of their own, and come back in their order.
#[test]
fn sizes_may_differ_within_a_batch() {
    let files = tempfile::tempdir().unwrap();
    let config = tiny_pasd::write(PixelKind::Plus, files.path());
    let pipeline = config.load(Device::Cpu).unwrap();
    let samples: Vec<Sample> = [(8, 6), (6, 8), (8, 6), (8, 8)]
        .into_iter()
        .enumerate()
        .map(|(index, (height, width))| Sample {
            id: format!("drawn-{index}"),
            ..tiny_pasd::sample(height, width)
        })
        .collect();
    let steps = Cell::new(0);
    let own: Vec<&Sample> = samples.iter().collect();
    let capture = CaptureConfig {
        time_groups: 1,
        ..CaptureConfig::default()
    };
    let mut count = |_| steps.set(steps.get() + 1);
    let done = batch(pipeline.as_ref(), &own, Some(&capture), &mut count);
    assert!(done.split.is_none());
    for (sample, found) in samples.iter().zip(done.results) {
        let expected = alone(pipeline.as_ref(), sample, Some(&capture));
        let [image, record] = deviations(&sample.id, &found.unwrap(), &expected);
        assert!(
            image <= OF_IMAGES && record <= OF_RECORDS,
            "{image:.1e}, {record:.1e}"
        );
    }
    // Two steps for each of the three sizes.
    assert_eq!(steps.get(), 6);
}

fn three_of_paint_by_example() -> (Box<dyn Pipeline>, Vec<Sample>, TempDir) {
    let files = tempfile::tempdir().unwrap();
    let config = TinyModel::new().write(files.path());
    let pipeline = config.load(Device::Cpu).unwrap();
    (pipeline, different(&sample(SIDE)), files)
}

/// Each of `samples` is bit for bit what it is alone.
fn assert_done_alone(pipeline: &dyn Pipeline, samples: &[Sample], results: &[&Generated]) {
    for (sample, found) in samples.iter().zip(results) {
        let expected = alone(pipeline, sample, None);
        assert_eq!(values(&found.decoded), values(&expected.decoded));
    }
}

#[test]
fn a_sample_that_cannot_be_prepared_fails_alone() {
    let (pipeline, mut samples, _files) = three_of_paint_by_example();
    samples[1].mask = tiny_viton::sample().mask;
    let own: Vec<&Sample> = samples.iter().collect();
    let done = batch(pipeline.as_ref(), &own, None, &mut |_| {});
    assert!(done.split.is_none(), "{:?}", done.split);
    let [Ok(first), Err(fault), Ok(third)] = &done.results[..] else {
        panic!("{:?}", done.results);
    };
    assert!(matches!(fault, RunnerError::MaskSize { sample, .. } if sample == "drawn-1"));
    for (found, sample) in [(first, &samples[0]), (third, &samples[2])] {
        let [image, _] = deviations("", found, &alone(pipeline.as_ref(), sample, None));
        assert!(image <= OF_IMAGES, "{image:.1e}");
    }
}

/// A sample whose numbers overflow is named, and the others are done without it.
#[test]
fn a_sample_that_fails_while_sampling_fails_alone() {
    let (pipeline, samples, _files) = three_of_paint_by_example();
    let noises = samples.iter().map(noise).collect::<Vec<_>>();
    let bad = ["start", "posterior.masked_image"].map(|purpose| {
        let infinite = Tensor::full([1, 4, 8, 8], f64::INFINITY, (Kind::Float, Device::Cpu));
        (purpose.to_owned(), infinite)
    });
    let bad = NoiseSource::Injected(bad.into());
    let jobs = [&noises[0], &bad, &noises[2]];
    let pairs = samples.iter().zip(jobs);
    let jobs: Vec<Job<'_>> = pairs.map(|(sample, noise)| Job { sample, noise }).collect();
    let done = pipeline.generate_batch(&jobs, None, &mut |_| {});
    let names = |error: &RunnerError| {
        matches!(error, RunnerError::NotFinite { sample, what }
            if sample == "drawn-1" && what.starts_with("the latent of step 1 of 4"))
    };
    assert!(done.split.as_ref().is_some_and(names), "{:?}", done.split);
    let [Ok(first), Err(fault), Ok(third)] = &done.results[..] else {
        panic!("{:?}", done.results);
    };
    assert!(names(fault), "{fault:?}");
    let others = [samples[0].clone(), samples[2].clone()];
    assert_done_alone(pipeline.as_ref(), &others, &[first, third]);
}

#[test]
fn a_batch_that_fails_is_done_again_one_by_one() {
    let panics = |step: usize| {
        let zeros = |rows| Tensor::zeros([rows, 3], (Kind::Float, Device::Cpu));
        if step == 2 {
            let _ = zeros(2).matmul(&zeros(5));
        }
    };
    let hungry = |_: usize| drop(Tensor::zeros([1 << 46], (Kind::Float, Device::Cpu)));
    for (fault, message) in [
        (&panics as &dyn Fn(usize), "libtorch: mat1 and mat2 shapes"),
        (&hungry, "a smaller batch"),
    ] {
        let (pipeline, samples, _files) = three_of_paint_by_example();
        let own: Vec<&Sample> = samples.iter().collect();
        // Steps that come to their end: one by one there are four for each sample.
        let steps = Cell::new(0);
        let mut once = |step: usize| {
            if steps.get() == 0 {
                steps.set(1);
                (0..=step + 1).for_each(fault);
            }
            steps.set(steps.get() + 1);
        };
        let done = batch(pipeline.as_ref(), &own, None, &mut once);
        let split = done.split.unwrap().to_string();
        assert!(split.contains(message), "{split}");
        assert_eq!(steps.get(), 1 + 3 * 4);
        let results: Vec<&Generated> = done.results.iter().flatten().collect();
        assert_eq!(results.len(), 3);
        assert_done_alone(pipeline.as_ref(), &samples, &results);
    }
}
