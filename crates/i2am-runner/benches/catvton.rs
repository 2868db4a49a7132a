//! What recording attention costs in `CatVTON` at the published size: time and peak memory of one guided step with the probe off and on.
//! Every recorded layer is self-attention over the image and the garment below it, 6,144 positions at the highest resolution.
//!
//!     cargo bench -p i2am-runner --bench catvton -- [REPETITIONS]
//!
//! The UNet predicts noise for a 512 x 384 image in two rows, without and with the garment, with made-up weights. The autoencoder is
//! loaded as well, so that the memory is that of the whole model. How it is measured: `capture`.

mod support;

use std::process::ExitCode;

use i2am_nets::layers::CrossAttention;
use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{AttentionProbe, Context, FormulaSource, Joint, Precision, Scope};
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use support::Subject;
use tch::{Device, Kind, Tensor};

/// Height and width of the latent of one image.
const LATENT: (i64, i64) = (64, 48);

/// The model and what a step feeds it.
struct CatVton {
    unet: UNet,
    _vae: Vae,
    input: Tensor,
}

/// 1 in the middle half, `[1, 1, H, W]`.
fn middle() -> Tensor {
    let (height, width) = (8 * LATENT.0, 8 * LATENT.1);
    let mask = Tensor::zeros([1, 1, height, width], (Kind::Float, Device::Cpu));
    let mut hole = mask
        .narrow(2, height / 4, height / 2)
        .narrow(3, width / 4, width / 2);
    let _ = hole.fill_(1.0);
    mask
}

impl Subject for CatVton {
    const STEP: &'static str = "guided step, CatVTON, two 64 x 48 latents on top of each other";

    fn new() -> Self {
        let source = FormulaSource::new(Precision::F32, Device::Cpu);
        let config = UNetConfig {
            cross: CrossAttention::Absent,
            ..UNetConfig::stable_diffusion_v1(9)
        };
        let size = [2, 9, 2 * LATENT.0, LATENT.1];
        let count: i64 = size.iter().product();
        let wave = (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.37).sin();
        Self {
            unet: UNet::new(&Scope::root(&source, "unet"), config),
            _vae: Vae::new(
                &Scope::root(&source, "vae"),
                VaeConfig::stable_diffusion_v1(),
            ),
            input: wave.reshape(size),
        }
    }

    fn step(&self, probe: &mut dyn AttentionProbe) -> Tensor {
        let timesteps = self.unet.timesteps(501, 2, Device::Cpu);
        let context = Context::joint(Joint::LowerHalf);
        self.unet.forward(&self.input, &timesteps, &context, probe)
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
        let wants = |layer: &str| !layer.starts_with("mid_block.");
        Recorder::new(&capture, ConditionalHalf::Second, wants, masks, 1)
            .expect("one group of one step")
    }

    fn latent(&self) -> (i64, i64) {
        LATENT
    }

    fn layers(&self) -> [usize; 2] {
        [0, 15]
    }
}

fn main() -> ExitCode {
    support::run::<CatVton>()
}
