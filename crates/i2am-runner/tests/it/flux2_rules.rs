//! What FLUX.2 klein keeps to whatever its weights are: paths of the reference that are cut, what it is shown, what is refused.

use std::fs;
use std::path::Path;

use i2am_attribution::{AttentionRecord, KeyRole};
use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_runner::capture::{CaptureConfig, ForbidRule, InterveneConfig, Positions, Region};
use i2am_runner::families::{
    Flux2KleinConfig, Generated, Model as _, Moment, Pipeline as _, PromptEmbeddings, Question,
    Request, Shown, SourceView, Task,
};
use i2am_runner::samplers::FlowConfig;

use crate::common::values;
use crate::flux2::{klein, load, model, noise, sample, write_embeddings};

fn forbid(pairs: &[(Positions, Region)]) -> CaptureConfig {
    let rule = |&(from, region): &(Positions, Region)| ForbidRule {
        models: None,
        layers: vec!["*".to_owned()],
        heads: None,
        time_groups: None,
        from,
        region,
    };
    CaptureConfig {
        time_groups: 1,
        intervene: InterveneConfig {
            forbid: pairs.iter().map(rule).collect(),
            ..InterveneConfig::default()
        },
        ..CaptureConfig::default()
    }
}

/// The fixture's run of `sample` as `config` says, under `capture`.
fn run(config: &Flux2KleinConfig, sample: &Sample, capture: &CaptureConfig) -> Generated {
    let request = Request {
        noise: &noise(&klein()[0]),
        capture: Some(capture),
        on_step: &mut |_| {},
    };
    load(config).generate(sample, request).unwrap()
}

/// The same sample with another reference.
fn other_reference(sample: &Sample) -> Sample {
    let mut other = sample.clone();
    for pixel in other.reference.pixels_mut() {
        pixel.0 = pixel.0.map(|level| level.wrapping_add(90));
    }
    other
}

fn record(done: &Generated) -> &AttentionRecord {
    done.record.as_ref().unwrap()
}

/// The reference enters by two paths: generated positions read it, and the text does and is read. With both cut it is as if it were not
/// there; with one it still matters.
#[test]
fn the_reference_enters_directly_and_through_the_text() {
    let (config, _files) = model(&klein()[0]);
    let (own, other) = (sample(&klein()[0]), other_reference(&sample(&klein()[0])));
    let moved = |pairs: &[(Positions, Region)]| {
        let capture = forbid(pairs);
        let [own, other] = [&own, &other].map(|sample| run(&config, sample, &capture).latent);
        (own - other).abs().max().double_value(&[])
    };
    let direct = (Positions::All, Region::Reference);
    let into_text = (Positions::Text, Region::Reference);
    let out_of_text = (Positions::All, Region::Text);
    let whole = moved(&[]);
    assert!(whole > 1e-2, "{whole}");
    for path in [direct, into_text, out_of_text] {
        let left = moved(&[path]);
        assert!(left > 1e-4, "{path:?}: {left}");
    }
    assert!(moved(&[direct, into_text]) == 0.0);
    // Reference tokens read the text too, but nothing comes back.
    assert!(moved(&[direct, out_of_text]) == 0.0);
}

/// Words and padding of a prompt are kept apart, in what is recorded and in what is cut.
#[test]
fn padding_is_told_from_words() {
    let (config, _files) = model(&klein()[0]);
    let sample = sample(&klein()[0]);
    let guided = Flux2KleinConfig {
        guidance: 4.0,
        ..config
    };
    let plain = run(&guided, &sample, &forbid(&[]));
    let cut = [(Positions::Padding, Region::Reference)];
    let cut = run(&guided, &sample, &forbid(&cut));
    for (plain, cut) in record(&plain).layers.iter().zip(&record(&cut).layers) {
        let roles: Vec<KeyRole> = plain.readers.iter().map(|reader| reader.role).collect();
        assert_eq!(roles, [KeyRole::Text, KeyRole::Padding]);
        let others: Vec<KeyRole> = plain.others.iter().map(|other| other.role).collect();
        assert_eq!(
            others,
            [KeyRole::Text, KeyRole::Padding, KeyRole::Generated]
        );
        let is_positive = |values: &[f32]| values.iter().all(|share| *share > 0.0);
        assert!(
            plain
                .readers
                .iter()
                .all(|reader| is_positive(&reader.share))
        );
        assert!(is_positive(&cut.readers[0].share), "{}", cut.name);
        assert!(cut.readers[1].share.iter().all(|share| *share == 0.0));
    }
    assert!(!plain.latent.equal(&cut.latent));
    record(&cut).validate().unwrap();
    let bytes = record(&cut).to_bytes().unwrap();
    let read = AttentionRecord::from_bytes(&bytes, Path::new("record")).unwrap();
    assert_eq!(&read, record(&cut));
}

/// Recording changes nothing, to the last bit.
#[test]
fn a_recorded_run_is_the_same_run() {
    let (config, _files) = model(&klein()[0]);
    let guided = Flux2KleinConfig {
        guidance: 4.0,
        ..config
    };
    let sample = sample(&klein()[0]);
    let request = Request {
        noise: &noise(&klein()[0]),
        capture: None,
        on_step: &mut |_| {},
    };
    let plain = load(&guided).generate(&sample, request).unwrap();
    let recorded = run(&guided, &sample, &forbid(&[]));
    assert!(plain.latent.equal(&recorded.latent));
}

/// Several images: each reference has its own record, and the source its share in both.
#[test]
fn every_image_has_its_share() {
    let (config, _files) = model(&klein()[0]);
    let config = Flux2KleinConfig {
        images: vec![Shown::Source, Shown::Reference, Shown::Warped],
        ..config
    };
    let done = run(&config, &sample(&klein()[0]), &forbid(&[]));
    let layers = &record(&done).layers;
    assert_eq!(layers.len(), 2 * 5);
    for pair in layers.chunks(2) {
        let name = pair[0].name.strip_suffix("#1").unwrap();
        assert_eq!(pair[1].name, format!("{name}#2"));
        for (index, layer) in pair.iter().enumerate() {
            assert_eq!(layer.reference, index);
            let others: Vec<KeyRole> = layer.others.iter().map(|other| other.role).collect();
            let expected = [
                KeyRole::Text,
                KeyRole::Padding,
                KeyRole::Generated,
                KeyRole::Source,
                KeyRole::OtherReference,
            ];
            assert_eq!(others, expected);
            let positions = layer.generated_grid().len();
            let share = layer.share.as_ref().unwrap();
            let rows = layer.heads * positions;
            for head in 0..layer.heads {
                let own = |side: usize| share[side * rows + head * positions..][..positions].iter();
                let own: f32 = own(0).chain(own(1)).sum::<f32>() / positions as f32;
                let others: f32 = layer.others.iter().map(|other| other.share[head]).sum();
                assert!((own + others - 4.0).abs() < 1e-4, "{name}: {own} {others}");
            }
        }
    }
}

/// A model that is shown the masked image cannot see what is in the hole; one that is shown all of it can.
#[test]
fn the_masked_region_is_shown_on_request_only() {
    let (config, _files) = model(&klein()[0]);
    let own = sample(&klein()[0]);
    let mut other = own.clone();
    for (pixel, mask) in other.image.pixels_mut().zip(own.mask.pixels()) {
        if mask.0[0] > 127 {
            pixel.0 = pixel.0.map(|level| level.wrapping_add(90));
        }
    }
    for task in [Task::Edit, Task::Inpaint] {
        let moved = |source: SourceView| {
            let config = Flux2KleinConfig {
                task,
                source,
                images: vec![Shown::Source, Shown::Reference],
                ..config.clone()
            };
            let [own, other] =
                [&own, &other].map(|sample| run(&config, sample, &forbid(&[])).latent);
            !own.equal(&other)
        };
        assert!(moved(SourceView::Whole), "{task:?}");
        assert!(!moved(SourceView::Masked), "{task:?}");
    }
    let agnostic = Flux2KleinConfig {
        source: SourceView::Agnostic,
        images: vec![Shown::Source, Shown::Reference],
        ..config
    };
    assert!(agnostic.needs().contains(&i2am_datasets::Part::Agnostic));
    let mut with = own.clone();
    with.agnostic = Some(RgbImage::from_pixel(
        own.image.width(),
        own.image.height(),
        [127; 3].into(),
    ));
    let done = run(&agnostic, &with, &forbid(&[]));
    assert!(!values(&done.latent).is_empty());
    let request = Request {
        noise: &noise(&klein()[0]),
        capture: None,
        on_step: &mut |_| {},
    };
    let refused = load(&agnostic).generate(&own, request).unwrap_err();
    let expected = "sample fixture: a flux2-klein model needs its agnostic";
    assert!(refused.to_string().starts_with(expected), "{refused}");
}

/// What the last step predicts to be clean is where it goes.
#[test]
fn the_last_predicted_latent_is_the_final_one() {
    let fixture = &klein()[0];
    let (config, _files) = model(fixture);
    let request = Request {
        noise: &noise(fixture),
        capture: None,
        on_step: &mut |_| {},
    };
    let (pipeline, sample) = (load(&config), sample(fixture));
    let compared = std::cell::Cell::new(false);
    pipeline
        .study(&sample, request, &[3], &mut |study| {
            let clean = study.ask_one(Moment::Step(3), Question::Unchanged)?;
            let last = &study.generated().latent;
            let off = (clean - last).abs().max() / last.abs().max();
            assert!(off.double_value(&[]) < 1e-6);
            compared.set(true);
            Ok(())
        })
        .unwrap();
    assert!(compared.get());
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let (config, files) = model(&klein()[0]);
    config.check(Some(&forbid(&[]))).unwrap();
    let refused = |change: &dyn Fn(&mut Flux2KleinConfig), expected: &str| {
        let mut config = config.clone();
        change(&mut config);
        let message = config.check(None).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    refused(
        &|config| config.images = vec![Shown::Source],
        "model.images: expected a list of `source`, `reference`, `warped`, each at most once, with at least one reference, found [source]",
    );
    refused(
        &|config| config.images = vec![Shown::Reference, Shown::Reference],
        "found [reference, reference]",
    );
    refused(
        &|config| config.task = Task::Inpaint,
        "model.images: expected `source` first",
    );
    refused(
        &|config| config.strength = 0.0,
        "model.strength: expected a number above 0, at most 1, found 0",
    );
    refused(
        &|config| config.reference_area = 255,
        "model.reference_area: expected at least the pixels of one token",
    );
    refused(
        &|config| {
            config.guidance = 4.0;
            config.negative_embeddings = None;
        },
        "model.negative_embeddings: expected a file of embeddings of the empty prompt",
    );
    refused(
        &|config| config.size = [128, 100],
        "model.size: expected [height, width] in multiples of 16, found [128, 100]",
    );
    refused(
        &|config| {
            config.sampler = FlowConfig {
                steps: 0,
                shift: None,
            };
        },
        "sampler.steps = 0: expected 1 to 1000",
    );
    let index = config.checkpoint.join("model_index.json");
    i2am_files::write_atomic(index, r#"{"is_distilled": true}"#).unwrap();
    config.check(None).unwrap();
    refused(
        &|config| config.guidance = 4.0,
        "model.guidance: expected 1, since `is_distilled` in model_index.json says",
    );

    let other = files.path().join("other.safetensors");
    write_embeddings(&other, &[0.5; 12], [3, 4], None);
    refused(
        &|config| config.prompt_embeddings = Some(other.clone()),
        "expected a tensor `embeddings` [1 to 8192, 40] as the transformer reads in ",
    );
    write_embeddings(&other, &[0.5; 80], [2, 40], Some(&[1]));
    refused(
        &|config| config.prompt_embeddings = Some(other.clone()),
        "expected a tensor `attention_mask` [2] in ",
    );
    write_embeddings(&other, &[0.5; 80], [2, 40], None);
    let words = PromptEmbeddings::open(&other, 40).unwrap();
    assert_eq!(words.runs, [(i2am_nets::Role::Text, 2)]);
    refused(
        &|config| config.prompt_embeddings = Some(files.path().join("none.safetensors")),
        "none.safetensors",
    );
}

/// A checkpoint whose networks do not fit each other is refused with the key.
#[test]
fn networks_that_do_not_fit_are_refused() {
    let (config, _files) = model(&klein()[0]);
    let path = config.checkpoint.join("transformer/config.json");
    let text = fs::read_to_string(&path).unwrap();
    i2am_files::write_atomic(
        &path,
        text.replace("\"in_channels\":16", "\"in_channels\":12"),
    )
    .unwrap();
    let message = config.check(None).unwrap_err().to_string();
    let expected = "`in_channels` of the transformer: expected 16, four times `latent_channels` of the autoencoder, found 12";
    assert!(message.ends_with(expected), "{message}");
}
