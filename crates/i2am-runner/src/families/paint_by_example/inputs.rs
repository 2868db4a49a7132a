//! A sample to what Paint-by-Example reads. There are two published preparations, which differ in the mask at its edges and in the
//! reference, so the settings choose one.

use i2am_datasets::Sample;
use i2am_imaging::pillow_bicubic_rgb;
use i2am_nets::image_encoder::ImageEncoderConfig;
use tch::{Kind, Tensor};

use super::Preprocess;
use crate::families::common;
use crate::{RunnerError, pictures};

/// A sample as the networks take it, f32 on the CPU.
pub(super) struct Inputs {
    /// `[1, 3, H, W]` in `[-1, 1]`, 0 (mid-gray) in the masked region.
    pub(super) masked_image: Tensor,
    /// `[1, 1, h, w]`, 1 to keep, 0 to repaint; fractional at edges under [`Preprocess::Ldm`].
    pub(super) latent_mask: Tensor,
    /// `[1, 3, S, S]`, normalized as CLIP's input.
    pub(super) reference: Tensor,
    /// `[1, 1, H, W]`, 1 in the masked region.
    pub(super) hole: Tensor,
}

impl Inputs {
    /// Prepares `sample` for pictures of `(height, width)` and latents `factor` times smaller.
    pub(super) fn of(
        sample: &Sample,
        preprocess: Preprocess,
        (height, width): (i64, i64),
        factor: i64,
        encoder: &ImageEncoderConfig,
    ) -> Result<Self, RunnerError> {
        let (image, mask) = common::fitted(sample, (height, width))?;
        let keep = (-pictures::unit(&mask) + 1.0).ge(0.5).to_kind(Kind::Float);
        let latent = [height / factor, width / factor];
        let latent_mask = match preprocess {
            Preprocess::Ldm => keep.upsample_bilinear2d(latent, false, None, None),
            Preprocess::Diffusers => keep.upsample_nearest2d(latent, None, None),
        };
        let side = encoder.image_size as u32;
        let reference = match preprocess {
            Preprocess::Ldm => pillow_bicubic_rgb(&sample.reference, side as usize, side as usize),
            Preprocess::Diffusers => common::center(&sample.reference, side),
        };
        Ok(Self {
            masked_image: pictures::signed(&image) * &keep,
            latent_mask,
            reference: pictures::clip_normalised(&reference),
            hole: -keep + 1.0,
        })
    }
}
