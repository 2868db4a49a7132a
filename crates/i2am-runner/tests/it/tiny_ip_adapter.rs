//! A very small Stable Diffusion with an IP-Adapter of any variant, written as published: a diffusers folder, an adapter's file and the
//! folder of an image encoder next to it. Three levels, one residual block each, two heads.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use i2am_datasets::Sample;
use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::image_projection::{ImageProjectionConfig, ResamplerShape};
use i2am_nets::layers::{Activation, CrossAttention};
use i2am_nets::layout::attention_layers;
use i2am_nets::unet::UNetConfig;
use i2am_nets::{ExpectedSource, formula_weights};
use i2am_runner::RunnerError;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{
    Generated, IpAdapterConfig, IpAdapterPipeline, IpAdapterSizes, Pipeline as _, Request,
};
use i2am_runner::samplers::SamplerConfig;
use safetensors::tensor::{Dtype, TensorView};
use tch::Device;

use crate::tiny::{TinyModel, json, seeded};
use crate::tiny_pasd;

/// Width of the text's tokens and of the image tokens.
const WIDTH: i64 = 12;
/// Width of the image encoder's states and of its embedding.
const STATES: i64 = 16;
const EMBEDDING: i64 = 10;

pub(crate) fn base() -> ImageProjectionConfig {
    ImageProjectionConfig::Pooled {
        tokens: 4,
        features: EMBEDDING,
        width: WIDTH,
    }
}

pub(crate) fn full() -> ImageProjectionConfig {
    ImageProjectionConfig::Full {
        features: STATES,
        inner: STATES,
        width: WIDTH,
    }
}

pub(crate) fn plus() -> ImageProjectionConfig {
    ImageProjectionConfig::Resampled(ResamplerShape {
        tokens: 3,
        features: STATES,
        inner: 8,
        heads: 2,
        feed_forward: 16,
        depth: 2,
        width: WIDTH,
    })
}

/// Patches of the reference: 2 x 2.
pub(crate) fn sizes(in_channels: i64, projection: ImageProjectionConfig) -> IpAdapterSizes {
    let pasd = tiny_pasd::sizes(i2am_nets::unet::PixelKind::Modules);
    IpAdapterSizes {
        unet: UNetConfig {
            in_channels,
            cross: CrossAttention::Decoupled,
            sample_size: Some(8),
            ..pasd.unet
        },
        vae: pasd.vae,
        text_encoder: pasd.text_encoder,
        image_encoder: ImageEncoderConfig {
            hidden_size: STATES,
            intermediate_size: 32,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            image_size: 8,
            patch_size: 4,
            projection_dim: EMBEDDING,
            hidden_act: Activation::Gelu,
            ..ImageEncoderConfig::clip_vit_h14()
        },
        projection,
    }
}

/// Tensors of an adapter's file.
pub(crate) type Adapter = BTreeMap<String, (Vec<i64>, Vec<f32>)>;

/// Those of an adapter for `sizes`; another `salt` makes other values.
pub(crate) fn adapter(sizes: &IpAdapterSizes, salt: &str) -> Adapter {
    let source = ExpectedSource::new();
    sizes.build(&source);
    let shapes = source.shapes();
    let filled = |name: String, shape: &Vec<i64>| {
        let values = formula_weights(&format!("{salt}{name}"), shape);
        (name, (shape.clone(), values))
    };
    let projection = shapes
        .iter()
        .filter(|(name, _)| name.starts_with("image_proj."));
    let mut tensors: Adapter = projection
        .map(|(name, shape)| filled(name.clone(), shape))
        .collect();
    for (index, block) in attention_layers(&sizes.unet).iter().enumerate() {
        for end in ["to_k", "to_v"] {
            let shape = &shapes[&format!("unet.{block}.attn2_ip.{end}.weight")];
            let name = format!("ip_adapter.{}.{end}_ip.weight", 2 * index + 1);
            tensors.extend([filled(name, shape)]);
        }
    }
    tensors
}

pub(crate) fn write_adapter(path: &Path, tensors: &Adapter) {
    let bytes =
        |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let stored: BTreeMap<&String, (Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            let shape = shape.iter().map(|&n| n as usize).collect();
            (name, (shape, bytes(values)))
        })
        .collect();
    let views = stored.iter().map(|(name, (shape, bytes))| {
        (
            name,
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    safetensors::serialize_to_file(views, None::<HashMap<_, _>>, path).unwrap();
}

/// Where the adapter lies below `root`.
pub(crate) fn adapter_file(root: &Path) -> PathBuf {
    root.join("models/adapter.safetensors")
}

/// Writes everything and returns settings for three steps, without noise of the autoencoder's.
pub(crate) fn write(sizes: &IpAdapterSizes, root: &Path) -> IpAdapterConfig {
    let source = ExpectedSource::new();
    sizes.build(&source);
    let mut shapes = source.shapes();
    shapes.retain(|name, _| !name.contains(".attn2_ip."));
    let of = |networks: &[(&'static str, serde_json::Map<String, serde_json::Value>)]| TinyModel {
        configs: networks.iter().cloned().collect(),
        shapes: shapes.clone(),
    };
    let checkpoint = root.join("stable-diffusion");
    of(&[
        ("unet", json(&sizes.unet)),
        ("vae", json(&sizes.vae)),
        ("text_encoder", json(&sizes.text_encoder)),
    ])
    .write_networks(&checkpoint);
    tiny_pasd::write_tokenizer(&checkpoint);
    let models = root.join("models");
    of(&[("image_encoder", json(&sizes.image_encoder))]).write_networks(&models);
    write_adapter(&adapter_file(root), &adapter(sizes, ""));
    let published = IpAdapterConfig::new("tiny", checkpoint, adapter_file(root));
    IpAdapterConfig {
        sampler: SamplerConfig {
            steps: 3,
            ..published.sampler.clone()
        },
        posterior: i2am_runner::families::Posterior::Mean,
        ..published
    }
}

/// Loads the model and runs one sample.
pub(crate) fn run(
    config: &IpAdapterConfig,
    sample: &Sample,
    capture: Option<&CaptureConfig>,
) -> Result<Generated, RunnerError> {
    let request = Request {
        noise: &seeded(),
        capture,
        on_step: &mut |_| {},
    };
    IpAdapterPipeline::load(config, Device::Cpu)?.generate(sample, request)
}
