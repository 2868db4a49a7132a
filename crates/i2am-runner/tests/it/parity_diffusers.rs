//! A random checkpoint saved by the diffusers library, and what its pipeline makes of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use i2am_datasets::Sample;
use i2am_imaging::GrayImage;
use i2am_nets::layout::{Checkpoint, Layout};
use i2am_runner::families::{Family as _, PaintByExample, PaintByExampleConfig, Preprocess};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::{SamplerConfig, SamplerKind};
use i2am_runner::schedule::Spacing;
use i2am_testkit::{FixtureDir, fixtures};

use crate::common::{close, committed, rgb, tensor};
use crate::tiny::run;

const TOLERANCE: f64 = 1e-4;

/// As the library of today writes it, and as files of 2022 are: pickles, the autoencoder's attention under other names.
const FOLDERS: [&str; 2] = ["safetensors", "pickles"];

fn sample(folder: &FixtureDir) -> Sample {
    let inputs = folder.tensors("inputs");
    let size = inputs.shape("mask").to_vec();
    Sample {
        id: "fixture".to_owned(),
        image: rgb(&inputs, "image"),
        mask: GrayImage::from_raw(size[1] as u32, size[0] as u32, inputs.u8("mask")).unwrap(),
        reference: rgb(&inputs, "reference"),
        ..Sample::default()
    }
}

fn noise(folder: &FixtureDir) -> NoiseSource {
    let inputs = folder.tensors("inputs");
    let given = [
        ("start", "noise.start"),
        ("posterior.masked_image", "noise.posterior"),
    ];
    let given = given.map(|(purpose, name)| (purpose.to_owned(), tensor(&inputs, name)));
    NoiseSource::Injected(BTreeMap::from(given))
}

fn config(folder: &FixtureDir, checkpoint: PathBuf) -> PaintByExampleConfig {
    let settings = folder.json("expected");
    let size = folder.tensors("inputs").shape("mask").to_vec();
    PaintByExampleConfig {
        sampler: SamplerConfig {
            kind: SamplerKind::Plms,
            steps: settings["steps"].as_u64().unwrap() as u32,
            spacing: Spacing::Diffusers,
            eta: 0.0,
        },
        guidance: settings["guidance"].as_f64().unwrap(),
        preprocess: Some(Preprocess::Diffusers),
        size: Some([size[0] as i64, size[1] as i64]),
        ..PaintByExampleConfig::new("fixture", checkpoint)
    }
}

#[test]
fn parity_diffusers_random_checkpoint() {
    for folder in fixtures(&committed(), "diffusers") {
        for layout in FOLDERS {
            let config = config(&folder, folder.path().join(layout));
            let done = run(&config, &sample(&folder), &noise(&folder), None).unwrap();
            let expected = folder.tensors("expected");
            close(layout, &done.latent, &expected, "latents", TOLERANCE);
            let picture = expected.u8("picture");
            assert_eq!(done.image.as_raw().len(), picture.len());
            let worst = done
                .image
                .as_raw()
                .iter()
                .zip(&picture)
                .map(|(a, b)| a.abs_diff(*b))
                .max()
                .unwrap();
            assert!(worst <= 2, "{layout}: picture differs by {worst} levels");
        }
    }
}

/// A picture and a reference for which the two published preparations differ, so that the test above can tell them apart.
#[test]
fn parity_diffusers_needs_its_own_preprocessing() {
    for folder in fixtures(&committed(), "diffusers") {
        let ldm = PaintByExampleConfig {
            preprocess: Some(Preprocess::Ldm),
            ..config(&folder, folder.path().join("safetensors"))
        };
        let done = run(&ldm, &sample(&folder), &noise(&folder), None).unwrap();
        let expected = tensor(&folder.tensors("expected"), "latents");
        let off = (done.latent - &expected).abs().max() / expected.abs().max();
        assert!(
            off.double_value(&[]) > 10.0 * TOLERANCE,
            "no difference to see"
        );
    }
}

#[test]
fn parity_diffusers_names() {
    for folder in fixtures(&committed(), "diffusers") {
        for layout in FOLDERS {
            let checkpoint = Checkpoint::open(&folder.path().join(layout)).unwrap();
            assert_eq!(checkpoint.layout(), Layout::Diffusers);
            let report = PaintByExample.inspect(&checkpoint).unwrap();
            assert!(
                report.is_complete(),
                "{layout}: missing {:?}, wrong {:?}",
                report.missing,
                report.wrong
            );
            assert_eq!(report.unused, Vec::<String>::new(), "{layout}");
        }
    }
}
