//! A sample to what Paint-by-Example reads. There are two published preparations, which differ in the mask at its edges and in the
//! reference, so the settings choose one.

use i2am_datasets::Sample;
use i2am_imaging::{GrayImage, RgbImage, pillow_bicubic_gray, pillow_bicubic_rgb};
use i2am_nets::image_encoder::ImageEncoderConfig;
use tch::{Kind, Tensor};

use super::Preprocess;
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
        let (image, mask) = fitted(sample, height as usize, width as usize)?;
        let keep = (-pictures::unit(&mask) + 1.0).ge(0.5).to_kind(Kind::Float);
        let latent = [height / factor, width / factor];
        let latent_mask = match preprocess {
            Preprocess::Ldm => keep.upsample_bilinear2d(latent, false, None, None),
            Preprocess::Diffusers => keep.upsample_nearest2d(latent, None, None),
        };
        let side = encoder.image_size as u32;
        let reference = match preprocess {
            Preprocess::Ldm => pillow_bicubic_rgb(&sample.reference, side as usize, side as usize),
            Preprocess::Diffusers => center(&sample.reference, side),
        };
        Ok(Self {
            masked_image: pictures::signed(&image) * &keep,
            latent_mask,
            reference: pictures::clip_normalised(&reference),
            hole: -keep + 1.0,
        })
    }
}

/// Image and mask at the model's size.
fn fitted(
    sample: &Sample,
    height: usize,
    width: usize,
) -> Result<(RgbImage, GrayImage), RunnerError> {
    let size = |(width, height): (u32, u32)| (height, width);
    let (expected, found) = (
        size(sample.image.dimensions()),
        size(sample.mask.dimensions()),
    );
    if expected != found {
        return Err(RunnerError::MaskSize {
            sample: sample.id.clone(),
            expected,
            found,
        });
    }
    if expected == (height as u32, width as u32) {
        return Ok((sample.image.clone(), sample.mask.clone()));
    }
    Ok((
        pillow_bicubic_rgb(&sample.image, height, width),
        pillow_bicubic_gray(&sample.mask, height, width),
    ))
}

/// The shorter edge brought to `side`, then the middle square: CLIP's own preparation.
fn center(image: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let short = width.min(height);
    // The library cuts the longer edge down to whole pixels.
    let scaled = |edge: u32| (u64::from(side) * u64::from(edge) / u64::from(short)) as u32;
    let (new_width, new_height) = (scaled(width), scaled(height));
    let resized = pillow_bicubic_rgb(image, new_height as usize, new_width as usize);
    let (left, top) = ((new_width - side) / 2, (new_height - side) / 2);
    RgbImage::from_fn(side, side, |x, y| *resized.get_pixel(left + x, top + y))
}
