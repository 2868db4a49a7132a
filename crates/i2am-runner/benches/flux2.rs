//! What recording attention costs in FLUX.2 klein 4B: time and peak memory of one double and one single block with the probe off and on.
//!
//!     cargo bench -p i2am-runner --bench flux2 -- [REPETITIONS]
//!
//! A pass at 512 x 384 pixels with a source and a reference of that size: 512 tokens of the text, and 768 of each image, 2,816 in all. The
//! weights are made up, in bf16; the published model has 5 double and 20 single blocks of these sizes. How it is measured: `capture`.

mod support;

use std::process::ExitCode;

use i2am_nets::flux2::{Flux2, Flux2Config, Placed, Sequence};
use i2am_nets::{AttentionProbe, FormulaSource, Precision, Role, Scope};
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use support::Subject;
use tch::{Device, Kind, Tensor};

/// Rows and columns of an image's tokens.
const GRID: (i64, i64) = (32, 24);
/// Pixels of a token along each axis.
const PIXELS: i64 = 16;
/// Tokens of the prompt, and of its padding.
const TEXT: [(Role, i64); 2] = [(Role::Text, 64), (Role::Padding, 448)];
const SIGMA: f64 = 0.5;

/// Two blocks and what a step feeds them.
struct Blocks {
    transformer: Flux2,
    sequence: Sequence,
    images: Tensor,
    text: Tensor,
}

fn wave(size: [i64; 3]) -> Tensor {
    let count: i64 = size.iter().product();
    let wave = (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.37).sin();
    wave.reshape(size).to_kind(Kind::BFloat16)
}

/// 1 in the middle half, `[1, 1, H, W]`.
fn middle() -> Tensor {
    let (height, width) = (PIXELS * GRID.0, PIXELS * GRID.1);
    let mask = Tensor::zeros([1, 1, height, width], (Kind::Float, Device::Cpu));
    let mut hole = mask
        .narrow(2, height / 4, height / 2)
        .narrow(3, width / 4, width / 2);
    let _ = hole.fill_(1.0);
    mask
}

impl Subject for Blocks {
    const STEP: &'static str = "one double and one single block of FLUX.2 klein 4B, 2,816 tokens of which 768 are generated";
    const PRECISION: &'static str = "bf16";

    fn new() -> Self {
        let source = FormulaSource::new(Precision::Bf16, Device::Cpu);
        let config = Flux2Config {
            num_layers: 1,
            num_single_layers: 1,
            ..Flux2Config::klein_4b()
        };
        let placed = |role, image| Placed {
            role,
            grid: GRID,
            image,
        };
        let images = [
            placed(Role::Generated, 0),
            placed(Role::Source, 10),
            placed(Role::Reference(0), 20),
        ];
        let sequence = Sequence::new(&config, &TEXT, &images, Device::Cpu);
        let words = sequence.text();
        Self {
            images: wave([1, sequence.tokens() - words, config.in_channels]),
            text: wave([1, words, config.joint_attention_dim]),
            transformer: Flux2::new(&Scope::root(&source, "transformer"), config),
            sequence,
        }
    }

    fn step(&self, probe: &mut dyn AttentionProbe) -> Tensor {
        let (images, text) = (&self.images, &self.text);
        self.transformer
            .forward(images, text, SIGMA, &self.sequence, probe)
    }

    fn recorder(&self) -> Recorder {
        let capture = CaptureConfig {
            time_groups: 1,
            ..CaptureConfig::default()
        };
        let masks = CaptureMasks {
            inpainting: Some(middle()),
            reference: Some(middle()),
        };
        Recorder::new(&capture, ConditionalHalf::Whole, |_| true, masks, 1)
            .expect("one group of one step")
    }

    fn latent(&self) -> (i64, i64) {
        GRID
    }

    fn layers(&self) -> [usize; 2] {
        [0, 2]
    }
}

fn main() -> ExitCode {
    support::run::<Blocks>()
}
