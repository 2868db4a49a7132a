//! Second stage: the reference encoder learns to tell what it sees, as the published one's tower comes pretrained.
//!
//! Through the UNet alone, a token learns its first colours only after thousands of steps.

use std::path::Path;

use anyhow::Result;
use i2am_nets::Scope;
use i2am_nets::image_encoder::ImageEncoder;
use i2am_nets::layers::{Bias, Linear};
use tch::{Device, Kind, Tensor};

use crate::config::ReferenceStage;
use crate::data::TrainingSet;
use crate::pictures;

/// Cells a side of the coarse picture that the token must tell.
const CELLS: i64 = 8;

/// Guesses a coarse picture of the reference from its token. Not part of the checkpoint.
pub(crate) struct Head(Linear);

impl Head {
    pub(crate) fn new(scope: &Scope<'_>, width: i64) -> Self {
        Self(Linear::new(scope, width, 3 * CELLS * CELLS, Bias::Yes))
    }

    fn guess(&self, encoder: &ImageEncoder, pixels: &Tensor) -> Tensor {
        let token = encoder.forward(pixels).squeeze_dim(1);
        self.0.forward(&token).reshape([-1, 3, CELLS, CELLS])
    }
}

/// Squared error of the guessed coarse picture.
pub(crate) fn loss(
    encoder: &ImageEncoder,
    head: &Head,
    set: &TrainingSet,
    config: &ReferenceStage,
    device: Device,
) -> Tensor {
    let batch = config.schedule.batch as i64;
    let indices = Tensor::randint(set.len() as i64, [batch], (Kind::Int64, Device::Cpu));
    let guess = head.guess(encoder, &set.reference(&indices, device));
    (guess - coarse(set, &indices, device))
        .square()
        .mean(Kind::Float)
}

/// Mean colours over cells, in `[-1, 1]`: `[batch, 3, CELLS, CELLS]`.
fn coarse(set: &TrainingSet, indices: &Tensor, device: Device) -> Tensor {
    set.signed_reference(indices, device)
        .adaptive_avg_pool2d([CELLS, CELLS])
}

/// Rows: references, their coarse pictures, the guesses.
pub(crate) fn pictures(
    encoder: &ImageEncoder,
    head: &Head,
    set: &TrainingSet,
    device: Device,
    path: &Path,
) -> Result<()> {
    let indices = Tensor::arange(8, (Kind::Int64, Device::Cpu));
    let reference = set.signed_reference(&indices, device);
    let size = reference.size();
    let enlarge = |x: Tensor| x.upsample_nearest2d([size[2], size[3]], None, None);
    let coarse = enlarge(coarse(set, &indices, device));
    let guess = enlarge(head.guess(encoder, &set.reference(&indices, device)));
    pictures::write_rows(path, &[reference, coarse, guess])
}
