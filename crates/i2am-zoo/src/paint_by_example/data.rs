//! The training set: synthetic pictures, drawn once, held as bytes.

use i2am_imaging::pillow_bicubic_rgb;
use i2am_runner::pictures;
use i2am_synth as synth;
use rayon::prelude::*;
use tch::{Device, Tensor};

use crate::config::shared::DataConfig;
use crate::{encoded, progress, tensors};

/// Pictures, masks and references, `count` of each.
pub(super) struct TrainingSet {
    /// `[count, 3, H, W]` bytes.
    persons: Tensor,
    /// `[count, 1, H, W]`, true where the picture stays as it is.
    keeps: Tensor,
    /// `[count, 3, S, S]` bytes, stretched to the encoder's input.
    references: Tensor,
}

impl TrainingSet {
    /// Draws the pictures of `config`, references at `reference_size` pixels a side.
    pub(super) fn draw(config: &DataConfig, reference_size: usize) -> Self {
        let bar = progress::bar("drawing", config.count as u64);
        let one = |index: usize| {
            let sample = synth::render(config.seed, index as u64, config.height, config.width);
            bar.inc(1);
            let reference = pillow_bicubic_rgb(&sample.garment, reference_size, reference_size);
            let person = tensors::from_rgb(&sample.person);
            let keep = pictures::unit(&sample.agnostic_mask).lt(0.5).squeeze_dim(0);
            (person, keep, tensors::from_rgb(&reference))
        };
        let drawn: Vec<_> = (0..config.count).into_par_iter().map(one).collect();
        let stack = |part: fn(&(Tensor, Tensor, Tensor)) -> &Tensor| {
            Tensor::stack(&drawn.iter().map(part).collect::<Vec<_>>(), 0)
        };
        Self {
            persons: stack(|d| &d.0),
            keeps: stack(|d| &d.1),
            references: stack(|d| &d.2),
        }
    }

    /// Number of samples.
    pub(super) fn len(&self) -> usize {
        self.persons.size()[0] as usize
    }

    /// Pictures `[batch, 3, H, W]` in `[-1, 1]`.
    pub(super) fn person(&self, indices: &Tensor, device: Device) -> Tensor {
        tensors::signed(&self.persons.index_select(0, indices).to_device(device))
    }

    /// 1 to keep, 0 to repaint: `[batch, 1, H, W]`.
    pub(super) fn keep(&self, indices: &Tensor, device: Device) -> Tensor {
        encoded::pick(&self.keeps, indices, device)
    }

    /// References `[batch, 3, S, S]` normalized as CLIP's.
    pub(super) fn reference(&self, indices: &Tensor, device: Device) -> Tensor {
        pictures::clip_normalise(&encoded::pick(&self.references, indices, device))
    }

    /// References `[batch, 3, S, S]` in `[-1, 1]`.
    pub(super) fn signed_reference(&self, indices: &Tensor, device: Device) -> Tensor {
        tensors::signed(&self.references.index_select(0, indices).to_device(device))
    }
}
