//! What recording attention costs in PASD at the published size: time and peak memory of a step with the probe off and on, both
//! directions of the 12 pixel attentions included; and that a whole sample of one step runs.
//!
//!     cargo bench -p i2am-runner --bench pasd -- [REPETITIONS]
//!
//! `ControlNet` and UNet predict noise for a 768 x 768 picture without guidance, with made-up weights. Its top level has 9,216
//! positions, so that the attention of one layer's eight heads is a matrix of 2.7 GB. How it is measured: `capture`.

#![expect(
    clippy::print_stdout,
    reason = "a table for a reader is what this program is for"
)]

mod support;

use std::process::ExitCode;
use std::time::Instant;

use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_nets::unet::PixelKind;
use i2am_nets::{AttentionProbe, FormulaSource, Precision};
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use i2am_runner::families::{PasdConfig, PasdPipeline, PasdSizes, Pipeline as _, Request};
use i2am_runner::noise::NoiseSource;
use support::Subject;
use tch::{Device, Kind, Tensor};

/// Height and width of the picture, and of its latent.
const PICTURE: i64 = 768;
const LATENT: i64 = 96;

/// The model and what a step feeds it.
struct Pasd {
    pipeline: PasdPipeline,
    x: Tensor,
    hint: Tensor,
}

fn capture() -> CaptureConfig {
    CaptureConfig {
        time_groups: 1,
        ..CaptureConfig::default()
    }
}

/// `[1, channels, side, side]` between -1 and 1.
fn wave(channels: i64, side: i64) -> Tensor {
    let size = [1, channels, side, side];
    let count: i64 = size.iter().product();
    let line = Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.37;
    line.sin().reshape(size)
}

impl Subject for Pasd {
    const STEP: &'static str = "step, PASD, 96 x 96 latent, no guidance";

    fn new() -> Self {
        let source = FormulaSource::new(Precision::F32, Device::Cpu);
        let sizes = PasdSizes::published(PixelKind::Modules);
        let mut config = PasdConfig::new("full size", "pasd", "made up".into());
        config.sampler.steps = 1;
        config.guidance = 1.0;
        let tokens = Tensor::arange(77, (Kind::Int64, Device::Cpu)).unsqueeze(0);
        let pipeline =
            PasdPipeline::of_networks(sizes.build(&source), &config, &tokens, Device::Cpu)
                .expect("one step of UniPC");
        let embedding = pipeline.networks().denoiser.control().conditioning();
        let hint = embedding.forward(&((wave(3, PICTURE) + 1.0) / 2.0));
        Self {
            x: wave(4, LATENT),
            hint,
            pipeline,
        }
    }

    fn step(&self, probe: &mut dyn AttentionProbe) -> Tensor {
        let context = self.pipeline.context();
        let denoiser = &self.pipeline.networks().denoiser;
        denoiser.predict(&self.x, &self.hint, 501, context, 1.0, probe)
    }

    fn recorder(&self) -> Recorder {
        let masks = CaptureMasks::default();
        Recorder::new(&capture(), ConditionalHalf::Whole, wants, masks, 1)
            .expect("one group of one step")
    }

    fn latent(&self) -> (i64, i64) {
        (LATENT, LATENT)
    }

    fn layers(&self) -> [usize; 2] {
        [0, 12]
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

/// A picture that the default factor of 4 brings to 768 x 768.
fn stripes() -> Sample {
    let side = PICTURE as u32 / 4;
    Sample {
        id: "stripes".to_owned(),
        reference: RgbImage::from_fn(side, side, |x, y| {
            [x, y, x + y].map(|level| (level % 256) as u8).into()
        }),
        ..Sample::default()
    }
}

fn wants(layer: &str) -> bool {
    layer.contains(".pixel_attentions.")
}

fn main() -> ExitCode {
    support::run::<Pasd>()
}
