//! A very small PASD of either kind written as a diffusers folder: three levels, one residual block each, two heads.

use std::path::Path;

use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_nets::ExpectedSource;
use i2am_nets::text_encoder::TextEncoderConfig;
use i2am_nets::unet::{Heads, PixelKind, UNetConfig};
use i2am_nets::vae::VaeConfig;
use i2am_runner::RunnerError;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{
    Generated, PasdConfig, PasdPipeline, PasdSizes, Pipeline as _, Request,
};
use i2am_runner::samplers::SamplerConfig;
use tch::Device;

use crate::parity_super_resolution::super_resolution;
use crate::tiny::{TinyModel, json, seeded};

/// Number of tokens in the fixture's vocabulary.
const TOKENS: i64 = 639;

pub(crate) fn sizes(kind: PixelKind) -> PasdSizes {
    PasdSizes {
        unet: UNetConfig {
            block_out_channels: vec![8, 16, 16],
            layers_per_block: 1,
            down_block_types: [
                "CrossAttnDownBlock2D",
                "CrossAttnDownBlock2D",
                "DownBlock2D",
            ]
            .map(str::to_owned)
            .to_vec(),
            cross_attention_dim: 12,
            attention_head_dim: Heads::Same(2),
            norm_num_groups: 4,
            sample_size: None,
            cross: i2am_nets::layers::CrossAttention::Single,
            ..UNetConfig::stable_diffusion_v1(4)
        },
        conditioning: vec![4, 4, 8, 8],
        vae: VaeConfig {
            block_out_channels: vec![4, 4, 8, 8],
            layers_per_block: 1,
            norm_num_groups: 4,
            ..VaeConfig::stable_diffusion_v1()
        },
        text_encoder: TextEncoderConfig {
            hidden_size: 12,
            intermediate_size: 16,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            vocab_size: TOKENS,
            ..TextEncoderConfig::clip_vit_l14()
        },
        ..PasdSizes::published(kind)
    }
}

/// Name of the family with pixel attentions of `kind`.
pub(crate) fn family(kind: PixelKind) -> &'static str {
    match kind {
        PixelKind::Modules => "pasd",
        PixelKind::Plus => "pasd-light",
    }
}

/// Its networks, filled by formula when they are written.
pub(crate) fn model(kind: PixelKind) -> TinyModel {
    let sizes = sizes(kind);
    let source = ExpectedSource::new();
    sizes.build(&source);
    let configs = [
        ("unet", json(&sizes.unet)),
        ("controlnet", json(&sizes.unet)),
        ("vae", json(&sizes.vae)),
        ("text_encoder", json(&sizes.text_encoder)),
    ];
    TinyModel {
        configs: configs.into(),
        shapes: source.shapes(),
    }
}

/// The fixture's vocabulary as `root/tokenizer`.
pub(crate) fn write_tokenizer(root: &Path) {
    let folder = root.join("tokenizer");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["vocab.json", "merges.txt"] {
        let from = super_resolution()[0].path().join("tokenizer").join(name);
        std::fs::copy(from, folder.join(name)).unwrap();
    }
}

/// Settings for two steps on the folder `root`, computed at the size asked for.
pub(crate) fn config(kind: PixelKind, root: &Path) -> PasdConfig {
    let published = PasdConfig::new("tiny", family(kind), root.to_owned());
    PasdConfig {
        sampler: SamplerConfig {
            steps: 2,
            ..published.sampler.clone()
        },
        least_side: 0,
        ..published
    }
}

/// Writes the whole model and returns the settings that load it.
pub(crate) fn write(kind: PixelKind, root: &Path) -> PasdConfig {
    model(kind).write_networks(root);
    write_tokenizer(root);
    config(kind, root)
}

/// A picture of `height` and `width` to be enlarged.
pub(crate) fn sample(height: u32, width: u32) -> Sample {
    Sample {
        id: "drawn".to_owned(),
        reference: RgbImage::from_fn(width, height, |x, y| {
            [x * 23, y * 19 + 40, (x + y) * 11]
                .map(|level| (level % 256) as u8)
                .into()
        }),
        ..Sample::default()
    }
}

/// Loads the model and runs one sample.
pub(crate) fn run(
    config: &PasdConfig,
    sample: &Sample,
    capture: Option<&CaptureConfig>,
) -> Result<Generated, RunnerError> {
    let request = Request {
        noise: &seeded(),
        capture,
        on_step: &mut |_| {},
    };
    PasdPipeline::load(config, Device::Cpu)?.generate(sample, request)
}
