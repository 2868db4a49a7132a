//! The training set: synthetic pictures, drawn once, held as bytes.

use i2am_datasets::synth;
use i2am_imaging::pillow_bicubic_rgb;
use i2am_runner::pictures;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::config::DataConfig;
use crate::{progress, tensors};

/// Pictures, holes and references, `count` of each, as bytes.
pub(super) struct TrainingSet {
    /// `[count, 3, H, W]`.
    pub(super) persons: Tensor,
    /// `[count, 1, H, W]`, 255 where the picture is to be repainted.
    pub(super) holes: Tensor,
    /// `[count, 3, S, S]`, stretched to the encoder's input.
    pub(super) references: Tensor,
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
            let hole = tensors::from_gray(&sample.agnostic_mask);
            (person, hole, tensors::from_rgb(&reference))
        };
        let drawn: Vec<_> = (0..config.count).into_par_iter().map(one).collect();
        let stack = |part: fn(&(Tensor, Tensor, Tensor)) -> &Tensor| {
            Tensor::stack(&drawn.iter().map(part).collect::<Vec<_>>(), 0)
        };
        Self {
            persons: stack(|d| &d.0),
            holes: stack(|d| &d.1),
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
        self.holes
            .index_select(0, indices)
            .to_device(device)
            .lt(128)
            .to_kind(Kind::Float)
    }

    /// References `[batch, 3, S, S]` normalised as CLIP's.
    pub(super) fn reference(&self, indices: &Tensor, device: Device) -> Tensor {
        let references = self.references.index_select(0, indices);
        pictures::clip_normalise(&references.to_device(device).to_kind(Kind::Float))
    }

    /// References `[batch, 3, S, S]` in `[-1, 1]`.
    pub(super) fn signed_reference(&self, indices: &Tensor, device: Device) -> Tensor {
        tensors::signed(&self.references.index_select(0, indices).to_device(device))
    }
}
