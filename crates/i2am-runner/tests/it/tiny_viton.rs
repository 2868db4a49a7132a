//! A very small `StableVITON` written as one LDM file: three levels, one residual block each, four heads.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use i2am_datasets::Sample;
use i2am_imaging::{GrayImage, RgbImage};
use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::layout::to_ldm;
use i2am_nets::unet::{Heads, UNetConfig};
use i2am_nets::vae::VaeConfig;
use i2am_nets::{ExpectedSource, formula_weights};
use i2am_runner::RunnerError;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{
    Generated, Pipeline as _, Request, StableVitonConfig, StableVitonPipeline, StableVitonSizes,
};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::SamplerConfig;
use safetensors::tensor::{Dtype, TensorView};
use tch::{Device, Tensor};

use crate::common::values;

/// Height and width of its pictures.
pub(crate) const SIZE: [i64; 2] = [32, 24];

pub(crate) fn sizes() -> StableVitonSizes {
    StableVitonSizes {
        unet: UNetConfig {
            block_out_channels: vec![32, 32, 64],
            layers_per_block: 1,
            down_block_types: [
                "CrossAttnDownBlock2D",
                "CrossAttnDownBlock2D",
                "DownBlock2D",
            ]
            .map(str::to_owned)
            .to_vec(),
            cross_attention_dim: 24,
            attention_head_dim: Heads::Same(4),
            sample_size: None,
            cross: i2am_nets::layers::CrossAttention::Single,
            ..UNetConfig::stable_diffusion_v1(13)
        },
        vae: VaeConfig {
            block_out_channels: vec![32, 32],
            layers_per_block: 1,
            ..VaeConfig::stable_diffusion_v1()
        },
        image_encoder: ImageEncoderConfig {
            hidden_size: 32,
            intermediate_size: 48,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            image_size: 28,
            patch_size: 14,
            projection_dim: 24,
            mapper_layers: 2,
            ..ImageEncoderConfig::clip_vit_l14()
        },
    }
}

/// Its tensors in the spelling of the networks, filled by formula.
pub(crate) fn tensors() -> BTreeMap<String, Tensor> {
    let source = ExpectedSource::new();
    sizes().build(&source);
    let filled = source.shapes().into_iter().map(|(name, shape)| {
        let values = formula_weights(&name, &shape);
        (name, Tensor::from_slice(&values).reshape(shape))
    });
    filled.collect()
}

/// Writes `tensors` under LDM names, with what published files carry besides, and returns the settings that load them.
pub(crate) fn write(folder: &Path, tensors: &BTreeMap<String, Tensor>) -> StableVitonConfig {
    let mut stored = to_ldm(tensors).unwrap();
    for (name, shape) in [
        ("betas", vec![1000]),
        ("logvar", vec![1000]),
        ("lastzc.weight", vec![4, 4, 1, 1]),
        ("lastzc.bias", vec![4]),
    ] {
        let options = (tch::Kind::Float, Device::Cpu);
        stored.insert(name.to_owned(), Tensor::zeros(shape, options));
    }
    let bytes: BTreeMap<&String, (Vec<usize>, Vec<u8>)> = stored
        .iter()
        .map(|(name, tensor)| {
            let shape = tensor.size().iter().map(|&n| n as usize).collect();
            let bytes = values(tensor)
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect();
            (name, (shape, bytes))
        })
        .collect();
    let views = bytes.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (*name, view)
    });
    let path = folder.join("tiny.safetensors");
    safetensors::serialize_to_file(views, None::<HashMap<_, _>>, &path).unwrap();
    StableVitonConfig {
        sampler: SamplerConfig {
            steps: 2,
            ..SamplerConfig::default()
        },
        size: SIZE,
        unet_heads: Some(4),
        clip_heads: Some(2),
        ..StableVitonConfig::new("tiny", path)
    }
}

/// A person with a hole in the middle, and a garment.
pub(crate) fn sample() -> Sample {
    let [height, width] = SIZE.map(|side| side as u32);
    let picture = |seed: u32| {
        RgbImage::from_fn(width, height, |x, y| {
            [x * 13 + seed, y * 29 + seed, (x + y) * 7 + 2 * seed]
                .map(|level| (level % 256) as u8)
                .into()
        })
    };
    let within = |x: u32, y: u32, margin: u32| {
        (margin..width - margin).contains(&x) && (margin..height - margin).contains(&y)
    };
    let mask = |margin: u32| {
        GrayImage::from_fn(width, height, |x, y| {
            [if within(x, y, margin) { 255 } else { 0 }].into()
        })
    };
    Sample {
        id: "drawn".to_owned(),
        image: picture(3),
        mask: mask(8),
        reference: picture(101),
        reference_mask: Some(mask(4)),
        agnostic: Some(picture(50)),
        densepose: Some(picture(77)),
        ..Sample::default()
    }
}

/// Loads the model and runs one sample.
pub(crate) fn run(
    config: &StableVitonConfig,
    sample: &Sample,
    noise: &NoiseSource,
    capture: Option<&CaptureConfig>,
) -> Result<Generated, RunnerError> {
    let request = Request {
        noise,
        capture,
        on_step: &mut |_| {},
    };
    StableVitonPipeline::load(config, Device::Cpu)?.generate(sample, request)
}
