//! What recording attention costs at the published size: time and peak memory of a guided step with the probe off and on.
//!
//!     cargo bench -p i2am-runner --bench capture -- [REPETITIONS]
//!
//! A UNet of Stable Diffusion v1's size with nine input channels and made-up weights (no download) predicts noise for a
//! 512 x 512 picture under guidance. Off and on alternate, so that a machine that gets slower or faster meets both alike; the
//! ratio is that of each pair, and their median is printed. Processor time beside wall time tells whether others were at work,
//! and the time inside the probe is what recording takes by itself. Memory is the peak of a process of its own for either way.

mod support;

use std::process::ExitCode;

use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::{AttentionProbe, Context, FormulaSource, Precision, Scope};
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use support::Subject;
use tch::{Device, Kind, Tensor};

/// Height and width of the latent of a 512 x 512 picture.
const LATENT: i64 = 64;

/// The network and what a guided step feeds it.
struct Guided {
    unet: UNet,
    input: Tensor,
    context: Context,
}

impl Subject for Guided {
    const STEP: &'static str = "guided step, SD v1 UNet, 9 channels, 64 x 64 latent";

    fn new() -> Self {
        let source = FormulaSource::new(Precision::F32, Device::Cpu);
        let unet = UNet::new(
            &Scope::root(&source, "unet"),
            UNetConfig::stable_diffusion_v1(9),
        );
        let wave = |size: &[i64]| {
            let count: i64 = size.iter().product();
            (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.37)
                .sin()
                .reshape(size)
        };
        Self {
            unet,
            input: wave(&[2, 9, LATENT, LATENT]),
            context: Context::pooled(wave(&[2, 1, 768])),
        }
    }

    fn step(&self, probe: &mut dyn AttentionProbe) -> Tensor {
        let t = self.unet.timesteps(501, 2, Device::Cpu);
        self.unet.forward(&self.input, &t, &self.context, probe)
    }

    fn recorder(&self) -> Recorder {
        let size = [1, 1, 8 * LATENT, 8 * LATENT];
        let masks = CaptureMasks {
            inpainting: Some(Tensor::ones(size, (Kind::Float, Device::Cpu))),
            reference: None,
        };
        let config = CaptureConfig {
            time_groups: 1,
            ..CaptureConfig::default()
        };
        Recorder::new(&config, ConditionalHalf::Second, wants, masks, 1)
            .expect("one group of one step")
    }

    fn latent(&self) -> (i64, i64) {
        (LATENT, LATENT)
    }

    fn layers(&self) -> [usize; 2] {
        [15, 0]
    }
}

fn wants(layer: &str) -> bool {
    !layer.starts_with("mid_block.")
}

fn main() -> ExitCode {
    support::run::<Guided>()
}
