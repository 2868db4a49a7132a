//! A sample to what the networks read, prepared as the diffusers library's inpainting pipeline does.

use i2am_datasets::Sample;
use i2am_imaging::{pillow_bicubic_gray, pillow_bicubic_rgb};
use tch::{Kind, Tensor};

use super::ReferenceFit;
use crate::families::common;
use crate::{RunnerError, pictures};

/// A sample as the networks take it, f32 on the CPU.
pub(super) struct Inputs {
    /// `[1, 3, H, W]` in `[-1, 1]`.
    pub(super) image: Tensor,
    /// `[1, 1, H, W]`, 1 in the masked region.
    pub(super) hole: Tensor,
    /// `[1, 3, S, S]`, normalized as CLIP's input.
    pub(super) reference: Tensor,
    /// `[1, 1, S, S]`, 1 on the object in the reference; `None` if the data set has no mask of it.
    pub(super) reference_mask: Option<Tensor>,
}

impl Inputs {
    /// Prepares `sample` for pictures of `size`, height and width, and an image encoder of pictures of `side`.
    pub(super) fn of(
        sample: &Sample,
        fit: ReferenceFit,
        size: (i64, i64),
        side: i64,
    ) -> Result<Self, RunnerError> {
        let (image, mask) = common::fitted(sample, size)?;
        let edge = side as u32;
        let square = side as usize;
        let (reference, reference_mask) = match fit {
            ReferenceFit::Center => (
                common::center(&sample.reference, edge),
                sample
                    .reference_mask
                    .as_ref()
                    .map(|mask| common::center_gray(mask, edge)),
            ),
            ReferenceFit::Stretch => (
                pillow_bicubic_rgb(&sample.reference, square, square),
                sample
                    .reference_mask
                    .as_ref()
                    .map(|mask| pillow_bicubic_gray(mask, square, square)),
            ),
        };
        Ok(Self {
            image: pictures::signed(&image),
            hole: pictures::unit(&mask).ge(0.5).to_kind(Kind::Float),
            reference: pictures::clip_normalised(&reference),
            reference_mask: reference_mask.as_ref().map(pictures::unit),
        })
    }

    /// The image with 0 (mid-gray) in the masked region.
    pub(super) fn masked_image(&self) -> Tensor {
        &self.image * (-&self.hole + 1.0)
    }

    /// The hole at the latent's size, `[1, 1, h, w]`, by nearest neighbour.
    pub(super) fn latent_hole(&self, factor: i64) -> Tensor {
        let size = self.hole.size();
        let latent = [size[2] / factor, size[3] / factor];
        self.hole.upsample_nearest2d(latent, None, None)
    }
}
