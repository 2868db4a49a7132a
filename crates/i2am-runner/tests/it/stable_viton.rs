//! The fixture's tiny `StableVITON`: its folder, sample, noise and settings.

use std::collections::BTreeMap;
use std::path::Path;

use i2am_datasets::Sample;
use i2am_imaging::{GrayImage, RgbImage};
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{
    Generated, Pipeline as _, Posterior, Request, StableVitonConfig, StableVitonPipeline,
};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::SamplerKind;
use i2am_testkit::{FixtureDir, Tensors, fixtures, skipped};
use tch::{Device, Tensor};

use crate::common::{committed, number, rgb, sampler, tensor};

/// Folders of the family; the committed one holds a part of the networks only.
pub(crate) fn stable_viton() -> Vec<FixtureDir> {
    fixtures(&committed(), "stable-viton")
}

/// Those with the whole model. The committed folder does not have it, for its size.
pub(crate) fn whole_models() -> Vec<FixtureDir> {
    let (whole, part): (Vec<_>, Vec<_>) = stable_viton()
        .into_iter()
        .partition(|folder| folder.has("weights"));
    for folder in part {
        skipped(format!(
            "{} has a part of the weights only; I2AM_FIXTURES can name a folder with all",
            folder.name()
        ));
    }
    whole
}

/// The published maps of a model: the family `i2am` beside its folder.
pub(crate) fn maps_of(folder: &FixtureDir) -> Option<FixtureDir> {
    let committed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../i2am-attribution/tests/fixtures");
    let parent = |folder: &FixtureDir| folder.path().parent().map(Path::to_owned);
    let found = fixtures(&committed, "i2am")
        .into_iter()
        .find(|maps| parent(maps) == parent(folder));
    if found.is_none() {
        skipped(format!("no folder i2am next to {}", folder.name()));
    }
    found
}

/// The model as the sidecar describes it, with posterior means, as most runs of the fixture have.
pub(crate) fn config(folder: &FixtureDir, kind: SamplerKind, steps: u32) -> StableVitonConfig {
    let sizes = folder.json("sampling");
    StableVitonConfig {
        sampler: sampler(kind, steps),
        posterior: Posterior::Mean,
        size: [
            number(&sizes, "image_height"),
            number(&sizes, "image_width"),
        ],
        unet_heads: Some(number(&sizes, "num_heads")),
        clip_heads: Some(number(&sizes, "clip_heads")),
        ..StableVitonConfig::new("fixture", folder.path().join("weights.safetensors"))
    }
}

/// The main run: every posterior drawn, the garment's at every call.
pub(crate) fn main_run(folder: &FixtureDir) -> StableVitonConfig {
    let steps = number(&folder.json("sampling"), "steps") as u32;
    StableVitonConfig {
        posterior: Posterior::Sample,
        ..config(folder, SamplerKind::Ddim, steps)
    }
}

pub(crate) fn load(config: &StableVitonConfig) -> StableVitonPipeline {
    StableVitonPipeline::load(config, Device::Cpu).unwrap()
}

fn gray(tensors: &Tensors, name: &str, level: impl Fn(u8) -> u8) -> GrayImage {
    let size = tensors.shape(name);
    let levels = tensors.u8(name).into_iter().map(level).collect();
    GrayImage::from_raw(size[1] as u32, size[0] as u32, levels).unwrap()
}

/// A sample of the pictures in `tensors`. There, 255 in the inpainting mask is to keep.
pub(crate) fn sample_of(tensors: &Tensors) -> Sample {
    Sample {
        id: "fixture".to_owned(),
        image: rgb(tensors, "image"),
        mask: gray(tensors, "agn_mask", |level| 255 - level),
        reference: rgb(tensors, "cloth"),
        reference_mask: Some(gray(tensors, "cloth_mask", |level| level)),
        ground_truth: None,
        agnostic: Some(rgb(tensors, "agn")),
        densepose: Some(rgb(tensors, "image_densepose")),
        ..Sample::default()
    }
}

pub(crate) fn sample(folder: &FixtureDir) -> Sample {
    sample_of(&folder.tensors("inputs"))
}

pub(crate) fn noise(folder: &FixtureDir) -> NoiseSource {
    noise_of(&folder.tensors("inputs"))
}

/// The noise in `tensors`, as far as it goes: runs with posterior means need that of the start only.
pub(crate) fn noise_of(tensors: &Tensors) -> NoiseSource {
    let named = [
        ("start", "noise.start"),
        ("posterior.image", "noise.image"),
        ("posterior.agnostic", "noise.agn"),
        ("posterior.densepose", "noise.densepose"),
    ];
    let mut given: BTreeMap<String, Tensor> = named
        .into_iter()
        .filter(|(_, name)| tensors.contains(name))
        .map(|(purpose, name)| (purpose.to_owned(), tensor(tensors, name)))
        .collect();
    if tensors.contains("noise.cloth") {
        // A row for every call of the networks.
        let rows = tensor(tensors, "noise.cloth").split(1, 0).into_iter();
        let named = rows.enumerate();
        given.extend(named.map(|(call, row)| (format!("posterior.cloth.{call}"), row)));
    }
    NoiseSource::Injected(given)
}

/// Runs the fixture's sample.
pub(crate) fn generate(
    folder: &FixtureDir,
    config: &StableVitonConfig,
    capture: Option<&CaptureConfig>,
) -> Generated {
    run(config, &sample(folder), &noise(folder), capture)
}

pub(crate) fn run(
    config: &StableVitonConfig,
    sample: &Sample,
    noise: &NoiseSource,
    capture: Option<&CaptureConfig>,
) -> Generated {
    let request = Request {
        noise,
        capture,
        on_step: &mut |_| {},
    };
    load(config).generate(sample, request).unwrap()
}

/// Every pixel stands for a block of `factor` x `factor` equal ones.
pub(crate) fn enlarged(sample: &Sample, factor: u32) -> Sample {
    let rgb = |picture: &RgbImage| {
        RgbImage::from_fn(
            picture.width() * factor,
            picture.height() * factor,
            |x, y| *picture.get_pixel(x / factor, y / factor),
        )
    };
    let gray = |mask: &GrayImage| {
        GrayImage::from_fn(mask.width() * factor, mask.height() * factor, |x, y| {
            *mask.get_pixel(x / factor, y / factor)
        })
    };
    Sample {
        id: sample.id.clone(),
        image: rgb(&sample.image),
        mask: gray(&sample.mask),
        reference: rgb(&sample.reference),
        reference_mask: sample.reference_mask.as_ref().map(gray),
        ground_truth: None,
        agnostic: sample.agnostic.as_ref().map(rgb),
        densepose: sample.densepose.as_ref().map(rgb),
        ..Sample::default()
    }
}
