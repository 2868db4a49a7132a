//! The fixture's tiny FLUX.2 klein: its files, sample, noise and settings.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use i2am_datasets::Sample;
use i2am_imaging::GrayImage;
use i2am_runner::families::{Flux2KleinConfig, Flux2KleinPipeline, Shown};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::FlowConfig;
use i2am_testkit::{FixtureDir, Tensors, fixtures};
use safetensors::tensor::{Dtype, TensorView};
use tch::Device;
use tempfile::TempDir;

use crate::catvton::gray;
use crate::common::{committed, number, rgb, tensor};
use crate::tiny::write;

pub(crate) fn klein() -> Vec<FixtureDir> {
    fixtures(&committed(), "flux2-klein")
}

/// Writes embeddings `[tokens, width]`, of which `words` are no padding, as `scripts/prompt-embeddings.py` does.
pub(crate) fn write_embeddings(
    path: &Path,
    values: &[f32],
    [tokens, width]: [usize; 2],
    words: Option<&[u8]>,
) {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let view = |dtype, shape: Vec<usize>, bytes| TensorView::new(dtype, shape, bytes).unwrap();
    let embeddings = view(Dtype::F32, vec![tokens, width], &bytes[..]);
    let mask = words.map(|words| view(Dtype::U8, vec![words.len()], words));
    let tensors = [("embeddings", embeddings)];
    let mask = mask.map(|mask| ("attention_mask", mask));
    let tensors = tensors.into_iter().chain(mask);
    safetensors::serialize_to_file(tensors, None::<HashMap<_, _>>, path).unwrap();
}

/// Where the embeddings of a fixture called `text.NAME` were written below `folder`; the second half is padding.
fn embeddings(inputs: &Tensors, name: &str, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{name}.safetensors"));
    let name = format!("text.{name}");
    let &[_, tokens, width] = inputs.shape(&name) else {
        panic!("{name} has three axes");
    };
    let words: Vec<u8> = (0..tokens)
        .map(|token| u8::from(token < tokens / 2))
        .collect();
    write_embeddings(&path, &inputs.f32(&name), [tokens, width], Some(&words));
    path
}

/// The fixture's files as those of the published model lie, and the settings of its distilled run.
pub(crate) fn model(fixture: &FixtureDir) -> (Flux2KleinConfig, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("klein");
    for network in ["transformer", "vae"] {
        let folder = base.join(network);
        std::fs::create_dir_all(&folder).unwrap();
        let config = fixture.json(network)["diffusers_config"].to_string();
        write(&folder.join("config.json"), config.as_bytes());
        let weights = fixture.path().join(format!("{network}.safetensors"));
        let stored = folder.join("diffusion_pytorch_model.safetensors");
        std::fs::copy(weights, stored).unwrap();
    }
    let inputs = fixture.tensors("inputs");
    let prompt = embeddings(&inputs, "prompt", folder.path());
    let negative = embeddings(&inputs, "negative", folder.path());
    let size = inputs.shape("mask");
    let config = Flux2KleinConfig {
        sampler: FlowConfig {
            steps: number(&fixture.json("sampling"), "steps") as u32,
            shift: None,
        },
        negative_embeddings: Some(negative),
        images: vec![Shown::Reference],
        size: [size[0] as i64, size[1] as i64],
        ..Flux2KleinConfig::new("fixture", base, prompt)
    };
    (config, folder)
}

pub(crate) fn load(config: &Flux2KleinConfig) -> Flux2KleinPipeline {
    Flux2KleinPipeline::load(config, Device::Cpu).unwrap()
}

/// The fixture's mask of the reference, which has a pixel for each token.
fn reference_mask(inputs: &Tensors) -> GrayImage {
    let tokens = gray(inputs, "reference_mask");
    let size = inputs.shape("reference");
    let side = size[0] as u32 / tokens.height();
    GrayImage::from_fn(size[1] as u32, size[0] as u32, |x, y| {
        [tokens.get_pixel(x / side, y / side).0[0] * 255].into()
    })
}

/// The fixture's sample; its second reference stands for the warped garment.
pub(crate) fn sample(fixture: &FixtureDir) -> Sample {
    let inputs = fixture.tensors("inputs");
    Sample {
        id: "fixture".to_owned(),
        image: rgb(&inputs, "source"),
        mask: gray(&inputs, "mask"),
        reference: rgb(&inputs, "reference"),
        reference_mask: Some(reference_mask(&inputs)),
        warped: Some(rgb(&inputs, "second_reference")),
        ..Sample::default()
    }
}

pub(crate) fn noise(fixture: &FixtureDir) -> NoiseSource {
    let inputs = fixture.tensors("inputs");
    let start = tensor(&inputs, "noise.start");
    NoiseSource::Injected(BTreeMap::from([("start".to_owned(), start)]))
}
