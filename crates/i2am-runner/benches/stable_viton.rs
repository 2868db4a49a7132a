//! What recording attention costs in `StableVITON` at the published size: time and peak memory of a step with the probe off and on,
//! both directions of the nine warp blocks included; and that a whole sample of one step runs.
//!
//!     cargo bench -p i2am-runner --bench stable_viton -- [REPETITIONS]
//!
//! Control model, UNet and warp blocks predict noise for a 512 x 384 picture without guidance, as published, with made-up weights.
//! The other networks are loaded beside them, so that the memory is that of the whole model. How it is measured: `capture`.

#![expect(
    clippy::print_stdout,
    reason = "a table for a reader is what this program is for"
)]

mod support;

use std::process::ExitCode;
use std::time::Instant;

use i2am_datasets::Sample;
use i2am_imaging::{GrayImage, RgbImage};
use i2am_nets::{AttentionProbe, Context, FormulaSource, Precision};
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use i2am_runner::families::{
    Pipeline as _, Request, StableVitonConfig, StableVitonPipeline, StableVitonSizes,
};
use i2am_runner::noise::NoiseSource;
use support::Subject;
use tch::{Device, Kind, Tensor};

/// Height and width of the picture, and of its latent.
const PICTURE: (i64, i64) = (512, 384);
const LATENT: (i64, i64) = (64, 48);

/// The model and what a step feeds it.
struct StableViton {
    pipeline: StableVitonPipeline,
    input: Tensor,
    hint: Tensor,
    context: Context,
}

fn capture() -> CaptureConfig {
    CaptureConfig {
        time_groups: 1,
        ..CaptureConfig::default()
    }
}

/// 1 in the middle half, `[1, 1, H, W]`.
fn middle() -> Tensor {
    let (height, width) = PICTURE;
    let mask = Tensor::zeros([1, 1, height, width], (Kind::Float, Device::Cpu));
    let mut hole = mask
        .narrow(2, height / 4, height / 2)
        .narrow(3, width / 4, width / 2);
    let _ = hole.fill_(1.0);
    mask
}

impl Subject for StableViton {
    const STEP: &'static str = "step, StableVITON, 64 x 48 latent";

    fn new() -> Self {
        let source = FormulaSource::new(Precision::F32, Device::Cpu);
        let networks = StableVitonSizes::published().build(&source);
        let mut config = StableVitonConfig::new("full size", "made up".into());
        config.sampler.steps = 1;
        let wave = |channels: i64| {
            let size = [1, channels, LATENT.0, LATENT.1];
            let count: i64 = size.iter().product();
            (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.37)
                .sin()
                .reshape(size)
        };
        Self {
            pipeline: StableVitonPipeline::of_networks(networks, &config, PICTURE, Device::Cpu)
                .expect("one step of DDIM"),
            input: wave(13),
            hint: wave(4),
            context: Context::pooled(
                wave(1)
                    .flatten(0, -1)
                    .narrow(0, 0, 768)
                    .reshape([1, 1, 768]),
            ),
        }
    }

    fn step(&self, probe: &mut dyn AttentionProbe) -> Tensor {
        let networks = self.pipeline.networks();
        networks.predict(&self.input, &self.hint, 501, &self.context, probe)
    }

    fn recorder(&self) -> Recorder {
        let masks = CaptureMasks {
            inpainting: Some(middle()),
            reference: Some(middle()),
        };
        Recorder::new(&capture(), ConditionalHalf::Whole, wants, masks, 1)
            .expect("one group of one step")
    }

    fn latent(&self) -> (i64, i64) {
        LATENT
    }

    fn layers(&self) -> [usize; 2] {
        [15, 9]
    }

    fn more(&self) {
        let start = Instant::now();
        let noise = NoiseSource::Seeded {
            seed: 1,
            dataset: "drawn".to_owned(),
            sample: "stripes".to_owned(),
        };
        let request = Request {
            noise: &noise,
            capture: Some(&capture()),
            on_step: &mut |_| {},
        };
        let done = self
            .pipeline
            .generate(&stripes(), request)
            .expect("a drawn sample has every part");
        let layers = done.record.map_or(0, |record| record.layers.len());
        println!(
            "whole sample of one step, encoding and decoding included: {:.1} s, {layers} layers recorded",
            start.elapsed().as_secs_f64()
        );
    }
}

/// A sample at the size of the published pictures.
fn stripes() -> Sample {
    let (height, width) = (2 * PICTURE.0 as u32, 2 * PICTURE.1 as u32);
    let picture = |step: u32| {
        RgbImage::from_fn(width, height, |x, y| {
            [x * step, y * step, (x + y) * step]
                .map(|level| (level % 256) as u8)
                .into()
        })
    };
    let mask = GrayImage::from_fn(width, height, |x, y| {
        let middle = x > width / 4 && x < 3 * width / 4 && y > height / 4 && y < 3 * height / 4;
        [if middle { 255 } else { 0 }].into()
    });
    Sample {
        id: "stripes".to_owned(),
        image: picture(1),
        mask: mask.clone(),
        reference: picture(2),
        reference_mask: Some(mask),
        agnostic: Some(picture(3)),
        densepose: Some(picture(5)),
        ..Sample::default()
    }
}

fn wants(layer: &str) -> bool {
    !layer.starts_with("mid_block.")
}

fn main() -> ExitCode {
    support::run::<StableViton>()
}
