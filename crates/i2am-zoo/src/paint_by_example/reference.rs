//! Second stage: the reference encoder learns to tell what it sees, as the published one's tower comes pretrained.
//!
//! Through the UNet alone, a token learns its first colors only after thousands of steps.

use std::path::Path;

use anyhow::Result;
use i2am_nets::Scope;
use i2am_nets::image_encoder::ImageEncoder;
use i2am_nets::layers::{Bias, Linear};
use tch::{Device, Kind, Tensor};

use super::config::ReferenceStage;
use super::data::TrainingSet;
use crate::pictures;
use crate::trainer::Task;

/// Cells a side of the coarse picture that the token must tell.
const CELLS: i64 = 8;

/// Guesses a coarse picture of the reference from its token. Not part of the checkpoint.
pub(super) struct Head(Linear);

impl Head {
    pub(super) fn new(scope: &Scope<'_>, width: i64) -> Self {
        Self(Linear::new(scope, width, 3 * CELLS * CELLS, Bias::Yes))
    }

    fn guess(&self, encoder: &ImageEncoder, pixels: &Tensor) -> Tensor {
        let token = encoder.forward(pixels).squeeze_dim(1);
        self.0.forward(&token).reshape([-1, 3, CELLS, CELLS])
    }
}

/// Mean colors over cells, in `[-1, 1]`: `[batch, 3, CELLS, CELLS]`.
fn coarse(set: &TrainingSet, indices: &Tensor, device: Device) -> Tensor {
    set.signed_reference(indices, device)
        .adaptive_avg_pool2d([CELLS, CELLS])
}

/// Everything the stage needs.
pub(super) struct Stage<'a> {
    pub(super) encoder: &'a ImageEncoder,
    pub(super) head: &'a Head,
    pub(super) set: &'a TrainingSet,
    pub(super) config: &'a ReferenceStage,
    pub(super) device: Device,
}

impl Task for Stage<'_> {
    /// Squared error of the guessed coarse picture.
    fn loss(&self) -> Tensor {
        let batch = self.config.schedule.batch as i64;
        let indices = Tensor::randint(self.set.len() as i64, [batch], (Kind::Int64, Device::Cpu));
        let pixels = self.set.reference(&indices, self.device);
        let guess = self.head.guess(self.encoder, &pixels);
        (guess - coarse(self.set, &indices, self.device))
            .square()
            .mean(Kind::Float)
    }

    /// Rows: references, their coarse pictures, the guesses.
    fn evaluate(&self, _step: u64, stem: &Path) -> Result<()> {
        let indices = Tensor::arange(8, (Kind::Int64, Device::Cpu));
        let reference = self.set.signed_reference(&indices, self.device);
        let size = reference.size();
        let enlarge = |x: Tensor| x.upsample_nearest2d([size[2], size[3]], None, None);
        let coarse = enlarge(coarse(self.set, &indices, self.device));
        let pixels = self.set.reference(&indices, self.device);
        let guess = enlarge(self.head.guess(self.encoder, &pixels));
        pictures::write_rows(&stem.with_extension("png"), &[reference, coarse, guess])
    }
}
