//! The fixture's tiny `CatVTON`: its files, sample, noise and settings.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use i2am_datasets::Sample;
use i2am_imaging::GrayImage;
use i2am_runner::families::{CatVtonConfig, CatVtonPipeline};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::SamplerConfig;
use i2am_testkit::{FixtureDir, Tensors, fixtures};
use safetensors::tensor::{Dtype, TensorView};
use tch::{Device, Tensor};
use tempfile::TempDir;

use crate::common::{committed, number, rgb, tensor};
use crate::tiny::write;

pub(crate) fn catvton() -> Vec<FixtureDir> {
    fixtures(&committed(), "catvton")
}

/// Puts a network of the fixture into a folder as the diffusers library saves it.
fn write_network(fixture: &FixtureDir, network: &str, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let config = fixture.json(network)["diffusers_config"].to_string();
    write(&folder.join("config.json"), config.as_bytes());
    let weights = fixture.path().join(format!("{network}.safetensors"));
    let stored = folder.join("diffusion_pytorch_model.safetensors");
    std::fs::copy(weights, stored).unwrap();
}

/// The fixture's files as those of the published model lie, and the settings that its main run had.
pub(crate) fn model(fixture: &FixtureDir) -> (CatVtonConfig, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (base, vae) = (folder.path().join("base"), folder.path().join("vae-ft-mse"));
    write_network(fixture, "unet", &base.join("unet"));
    write_network(fixture, "vae", &vae);
    let sizes = fixture.json("sampling");
    let attention = fixture.path().join("attention.safetensors");
    let published = CatVtonConfig::new("fixture", base, attention);
    let config = CatVtonConfig {
        vae: Some(vae),
        sampler: SamplerConfig {
            steps: number(&sizes, "steps") as u32,
            ..published.sampler.clone()
        },
        size: [
            number(&sizes, "image_height"),
            number(&sizes, "image_width"),
        ],
        ..published
    };
    (config, folder)
}

pub(crate) fn load(config: &CatVtonConfig) -> CatVtonPipeline {
    CatVtonPipeline::load(config, Device::Cpu).unwrap()
}

/// A gray picture of a fixture.
pub(crate) fn gray(inputs: &Tensors, name: &str) -> GrayImage {
    let size = inputs.shape(name);
    GrayImage::from_raw(size[1] as u32, size[0] as u32, inputs.u8(name)).unwrap()
}

/// The sample of a try-on fixture.
pub(crate) fn sample(fixture: &FixtureDir) -> Sample {
    let inputs = fixture.tensors("inputs");
    Sample {
        id: "fixture".to_owned(),
        image: rgb(&inputs, "person"),
        mask: gray(&inputs, "mask"),
        reference: rgb(&inputs, "garment"),
        reference_mask: Some(gray(&inputs, "garment_mask")),
        densepose: inputs.contains("pose").then(|| rgb(&inputs, "pose")),
        ..Sample::default()
    }
}

/// The noise of a try-on fixture.
pub(crate) fn noise(fixture: &FixtureDir) -> NoiseSource {
    let inputs = fixture.tensors("inputs");
    let mut given: BTreeMap<String, Tensor> = [
        ("start", "noise.start"),
        ("posterior.masked_image", "noise.masked_person"),
        ("posterior.reference", "noise.garment"),
    ]
    .map(|(purpose, name)| (purpose.to_owned(), tensor(&inputs, name)))
    .into();
    let steps = tensor(&inputs, "noise.step");
    for step in 0..steps.size()[0] {
        given.insert(format!("step.{step}"), steps.narrow(0, step, 1));
    }
    NoiseSource::Injected(given)
}

/// A tensor of a file: its shape and its values.
pub(crate) type Stored = (Vec<usize>, Vec<f32>);

/// The trained self-attention of the fixture by name.
pub(crate) fn attention(fixture: &FixtureDir) -> BTreeMap<String, Stored> {
    let tensors = fixture.tensors("attention");
    let stored = |name: &str| (tensors.shape(name).to_vec(), tensors.f32(name));
    tensors
        .names()
        .map(|name| (name.to_owned(), stored(name)))
        .collect()
}

/// Writes `tensors` as `attention.safetensors` into `folder`.
pub(crate) fn write_attention(folder: &Path, tensors: &BTreeMap<String, Stored>) -> PathBuf {
    let path = folder.join("attention.safetensors");
    let bytes: BTreeMap<&String, (&Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            (name, (shape, bytes.collect()))
        })
        .collect();
    let views = bytes.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(Dtype::F32, (*shape).clone(), bytes).unwrap();
        (*name, view)
    });
    safetensors::serialize_to_file(views, None::<HashMap<_, _>>, &path).unwrap();
    path
}
