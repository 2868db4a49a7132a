//! A very small Paint-by-Example written as a diffusers folder, to be loaded whole or damaged first.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use i2am_datasets::Sample;
use i2am_imaging::{GrayImage, RgbImage};
use i2am_nets::image_encoder::{ImageEncoder, ImageEncoderConfig};
use i2am_nets::unet::{Heads, UNet, UNetConfig};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{ExpectedSource, Scope, formula_weights};
use i2am_runner::RunnerError;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{
    Generated, PaintByExampleConfig, PaintByExamplePipeline, Pipeline as _, Request,
};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::SamplerConfig;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value};
use tch::Device;

/// Height and width of its pictures.
pub(crate) const SIDE: u32 = 16;

/// Configurations and tensors by network.
pub(crate) struct TinyModel {
    pub(crate) configs: BTreeMap<&'static str, Map<String, Value>>,
    pub(crate) shapes: BTreeMap<String, Vec<i64>>,
}

pub(crate) fn json(config: impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(config).unwrap() {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

impl TinyModel {
    pub(crate) fn new() -> Self {
        Self::with_input_channels(9)
    }

    pub(crate) fn with_input_channels(in_channels: i64) -> Self {
        let unet = UNetConfig {
            block_out_channels: vec![8, 16],
            layers_per_block: 1,
            down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"]
                .map(str::to_owned)
                .to_vec(),
            cross_attention_dim: 12,
            attention_head_dim: Heads::Same(2),
            norm_num_groups: 4,
            sample_size: Some(i64::from(SIDE) / 2),
            cross: i2am_nets::layers::CrossAttention::Single,
            ..UNetConfig::stable_diffusion_v1(in_channels)
        };
        let vae = VaeConfig {
            block_out_channels: vec![8, 8],
            layers_per_block: 1,
            norm_num_groups: 4,
            ..VaeConfig::stable_diffusion_v1()
        };
        let image_encoder = ImageEncoderConfig {
            hidden_size: 16,
            intermediate_size: 32,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            image_size: 8,
            patch_size: 4,
            projection_dim: 12,
            mapper_layers: 1,
            ..ImageEncoderConfig::clip_vit_l14()
        };
        let source = ExpectedSource::new();
        drop(UNet::new(&Scope::root(&source, "unet"), unet.clone()));
        drop(Vae::new(&Scope::root(&source, "vae"), vae.clone()));
        drop(ImageEncoder::new(
            &Scope::root(&source, "image_encoder"),
            image_encoder.clone(),
        ));
        let configs = [
            ("unet", json(unet)),
            ("vae", json(vae)),
            ("image_encoder", json(image_encoder)),
        ];
        Self {
            configs: configs.into(),
            shapes: source.shapes(),
        }
    }

    /// Writes the folder and returns the settings that load it.
    pub(crate) fn write(&self, root: &Path) -> PaintByExampleConfig {
        self.write_networks(root);
        PaintByExampleConfig {
            sampler: SamplerConfig {
                steps: 4,
                ..SamplerConfig::default()
            },
            ..PaintByExampleConfig::new("tiny", root.to_owned())
        }
    }

    /// Writes a folder for each network.
    pub(crate) fn write_networks(&self, root: &Path) {
        for (network, config) in &self.configs {
            let folder = root.join(network);
            std::fs::create_dir_all(&folder).unwrap();
            write(
                &folder.join("config.json"),
                serde_json::to_string(config).unwrap().as_bytes(),
            );
            let prefix = format!("{network}.");
            let below = |(name, shape): (&String, &Vec<i64>)| {
                let values = formula_weights(name, shape);
                let bytes: Vec<u8> = values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                let shape: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
                Some((name.strip_prefix(&prefix)?.to_owned(), (shape, bytes)))
            };
            let tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> =
                self.shapes.iter().filter_map(below).collect();
            let views = tensors.iter().map(|(name, (shape, bytes))| {
                (
                    name,
                    TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
                )
            });
            safetensors::serialize_to_file(
                views,
                None::<HashMap<_, _>>,
                &weight_file(root, network),
            )
            .unwrap();
        }
    }
}

pub(crate) fn weight_file(root: &Path, network: &str) -> PathBuf {
    let file = match network {
        "image_encoder" | "text_encoder" => "model",
        _ => "diffusion_pytorch_model",
    };
    root.join(network).join(format!("{file}.safetensors"))
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    std::fs::File::create(path)
        .unwrap()
        .write_all(bytes)
        .unwrap();
}

/// A sample with a square hole in its middle.
pub(crate) fn sample(side: u32) -> Sample {
    let picture = |seed: u32| {
        RgbImage::from_fn(side, side, |x, y| {
            [x * 13 + seed, y * 29 + seed, (x + y) * 7]
                .map(|level| (level % 256) as u8)
                .into()
        })
    };
    let in_hole = |x: u32, y: u32| {
        (side / 4..3 * side / 4).contains(&x) && (side / 4..3 * side / 4).contains(&y)
    };
    Sample {
        id: "drawn".to_owned(),
        image: picture(3),
        mask: GrayImage::from_fn(side, side, |x, y| {
            [if in_hole(x, y) { 255 } else { 0 }].into()
        }),
        reference: picture(101),
        ..Sample::default()
    }
}

pub(crate) fn seeded() -> NoiseSource {
    NoiseSource::Seeded {
        seed: 1,
        dataset: "tiny".to_owned(),
        sample: "drawn".to_owned(),
    }
}

/// Loads the model and runs one sample.
pub(crate) fn run(
    config: &PaintByExampleConfig,
    sample: &Sample,
    noise: &NoiseSource,
    capture: Option<&CaptureConfig>,
) -> Result<Generated, RunnerError> {
    let pipeline = PaintByExamplePipeline::load(config, Device::Cpu)?;
    pipeline.generate(
        sample,
        Request {
            noise,
            capture,
            on_step: &mut |_| {},
        },
    )
}
