//! Fixtures as tensors, and a loaded fixture model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use i2am_datasets::Sample;
use i2am_imaging::{GrayImage, RgbImage};
use i2am_nets::image_encoder::ImageEncoder;
use i2am_nets::{AttentionProbe, Observation};
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{
    Generated, PaintByExampleConfig, PaintByExamplePipeline, Pipeline as _, Preprocess, Request,
};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::{SamplerConfig, SamplerKind};
use i2am_testkit::{FixtureDir, Tensors, assert_close, fixtures};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

pub(crate) fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub(crate) fn paint_by_example() -> Vec<FixtureDir> {
    fixtures(&committed(), "paint-by-example")
}

pub(crate) fn shape(tensors: &Tensors, name: &str) -> Vec<i64> {
    tensors.shape(name).iter().map(|&n| n as i64).collect()
}

pub(crate) fn tensor(tensors: &Tensors, name: &str) -> Tensor {
    Tensor::from_slice(&tensors.f32(name)).reshape(shape(tensors, name))
}

pub(crate) fn values(x: &Tensor) -> Vec<f32> {
    Vec::try_from(x.to_kind(Kind::Float).contiguous().view(-1)).unwrap()
}

pub(crate) fn close(what: &str, got: &Tensor, tensors: &Tensors, name: &str, tolerance: f64) {
    assert_eq!(got.size(), shape(tensors, name), "{what}: {name}");
    assert_close(
        &format!("{what}: {name}"),
        &values(got),
        &tensors.f32(name),
        tolerance,
    );
}

/// Compares the stages of the reference encoder on `pixels`, CLIP's input.
pub(crate) fn compare_image_encoder(
    name: &str,
    encoder: &ImageEncoder,
    pixels: &Tensor,
    parts: &Tensors,
    tolerance: f64,
) {
    let hidden = encoder.clip().hidden_states(pixels);
    close(name, &hidden, parts, "cond.last_hidden_state", tolerance);
    let pooled = encoder.clip().forward(pixels);
    close(name, &pooled, parts, "cond.pooler_output", tolerance);
    let mapped = encoder.mapper().forward(&pooled.unsqueeze(1));
    close(name, &mapped, parts, "cond.mapper", tolerance);
    let token = encoder.forward(pixels);
    close(name, &token, parts, "cond.context", tolerance);
}

/// Block outputs as they pass.
#[derive(Default)]
pub(crate) struct Blocks {
    seen: Vec<(String, Tensor)>,
}

impl AttentionProbe for Blocks {
    fn observe(&mut self, _seen: &Observation<'_>) {}

    fn block(&mut self, name: &str, output: &Tensor) {
        self.seen.push((name.to_owned(), output.shallow_clone()));
    }
}

impl Blocks {
    /// The outputs whose block's name starts with `prefix`, in order.
    pub(crate) fn below(&self, prefix: &str) -> Vec<Tensor> {
        let own = self
            .seen
            .iter()
            .filter(|(name, _)| name.starts_with(prefix));
        own.map(|(_, output)| output.shallow_clone()).collect()
    }

    /// The decoder's outputs as LDM numbers them: an upsampling belongs to the block before it.
    pub(crate) fn ldm_output_blocks(&self) -> Vec<Tensor> {
        let mut outputs = Vec::new();
        for (name, output) in &self.seen {
            if name.starts_with("up_blocks") {
                if name.ends_with("upsampler") {
                    outputs.pop();
                }
                outputs.push(output.shallow_clone());
            }
        }
        outputs
    }
}

pub(crate) fn number(config: &Value, key: &str) -> i64 {
    config["config"][key]
        .as_i64()
        .unwrap_or_else(|| panic!("config has no {key}"))
}

/// The model of a fixture folder as its sidecar describes it.
pub(crate) fn config(
    folder: &FixtureDir,
    sampler: SamplerConfig,
    guidance: f64,
) -> PaintByExampleConfig {
    let sizes = folder.json("sampling");
    PaintByExampleConfig {
        sampler,
        guidance,
        preprocess: Some(Preprocess::Ldm),
        size: Some([
            number(&sizes, "image_height"),
            number(&sizes, "image_width"),
        ]),
        unet_heads: Some(number(&sizes, "num_heads")),
        clip_heads: Some(number(&sizes, "clip_heads")),
        ..PaintByExampleConfig::new("fixture", folder.path().join("weights.safetensors"))
    }
}

pub(crate) fn load(config: &PaintByExampleConfig) -> PaintByExamplePipeline {
    PaintByExamplePipeline::load(config, Device::Cpu).unwrap()
}

/// Steps and guidance of a fixture's main run.
pub(crate) fn main_run(folder: &FixtureDir) -> (u32, f64) {
    let config = folder.json("sampling");
    (
        number(&config, "steps") as u32,
        config["config"]["guidance"].as_f64().unwrap(),
    )
}

pub(crate) fn sampler(kind: SamplerKind, steps: u32) -> SamplerConfig {
    SamplerConfig {
        kind,
        steps,
        ..SamplerConfig::default()
    }
}

pub(crate) fn rgb(tensors: &Tensors, name: &str) -> RgbImage {
    let size = tensors.shape(name);
    RgbImage::from_raw(size[1] as u32, size[0] as u32, tensors.u8(name)).unwrap()
}

pub(crate) fn sample(folder: &FixtureDir) -> Sample {
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

pub(crate) fn noise(folder: &FixtureDir) -> NoiseSource {
    let inputs = folder.tensors("inputs");
    let given = [
        ("start", "noise.start"),
        ("posterior.masked_image", "noise.inpaint"),
    ];
    NoiseSource::Injected(
        given
            .map(|(purpose, name)| (purpose.to_owned(), tensor(&inputs, name)))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
    )
}

/// Runs the fixture's sample.
pub(crate) fn generate(
    folder: &FixtureDir,
    config: &PaintByExampleConfig,
    capture: Option<&CaptureConfig>,
) -> Generated {
    let request = Request {
        noise: &noise(folder),
        capture,
        on_step: &mut |_| {},
    };
    load(config).generate(&sample(folder), request).unwrap()
}
