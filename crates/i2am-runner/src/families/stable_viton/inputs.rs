//! A sample of a try-on data set to what StableVITON reads, in the arithmetic of the published reader.

use i2am_datasets::{Part, Sample};
use i2am_imaging::{GrayImage, RgbImage, opencv_linear_gray, opencv_linear_rgb};
use tch::Tensor;

use crate::{RunnerError, pictures};

/// The published reader takes a cloth mask that covers less of its picture than this (122,880 of 1024 x 768 pixels) for a failed
/// one, and everything for garment.
const LEAST_CLOTH: f64 = 122_880.0 / (1024.0 * 768.0);

/// A sample as the networks take it, f32 on the CPU. Pictures are `[1, 3, H, W]` in `[-1, 1]`.
#[derive(Debug)]
pub struct StableVitonInputs {
    /// The person.
    pub person: Tensor,
    /// The person with the masked region in gray.
    pub agnostic: Tensor,
    /// Map of the body's parts.
    pub densepose: Tensor,
    /// The garment.
    pub cloth: Tensor,
    /// `[1, 1, H, W]`, 1 to keep, 0 to repaint; fractional at edges, because a mask is made binary before it is resized.
    pub keep: Tensor,
    /// `[1, 1, H, W]`, 1 on the garment, fractional at edges; `None` if the data set has no mask of it.
    pub cloth_mask: Option<Tensor>,
}

impl StableVitonInputs {
    /// Prepares `sample` for pictures of `(height, width)`: whatever its proportions, everything is stretched to that size.
    ///
    /// # Errors
    /// [`RunnerError::MissingPart`] for a sample without agnostic picture or body map, [`RunnerError::MaskSize`].
    pub fn of(sample: &Sample, (height, width): (i64, i64)) -> Result<Self, RunnerError> {
        let size = (height as usize, width as usize);
        let part = |part: Part, picture: Option<&RgbImage>| match picture {
            Some(picture) => Ok(picture_at(picture, size)),
            None => Err(RunnerError::MissingPart {
                sample: sample.id.clone(),
                family: super::INFO.name,
                part,
            }),
        };
        let rows_columns = |(width, height): (u32, u32)| (height, width);
        let expected = rows_columns(sample.image.dimensions());
        let found = rows_columns(sample.mask.dimensions());
        if expected != found {
            return Err(RunnerError::MaskSize {
                sample: sample.id.clone(),
                expected,
                found,
            });
        }
        Ok(Self {
            person: picture_at(&sample.image, size),
            agnostic: part(Part::Agnostic, sample.agnostic.as_ref())?,
            densepose: part(Part::Densepose, sample.densepose.as_ref())?,
            cloth: picture_at(&sample.reference, size),
            keep: keep(&sample.mask, size),
            cloth_mask: sample
                .reference_mask
                .as_ref()
                .map(|mask| cloth_mask(mask, size)),
        })
    }

    /// The garment as CLIP's input, `[1, 3, side, side]`: from the resized picture, stretched to a square without antialias.
    pub fn clip(&self, side: i64) -> Tensor {
        let square = self
            .cloth
            .upsample_bilinear2d([side, side], false, None, None);
        pictures::clip_normalise_unit(&((square + 1.0) / 2.0))
    }

    /// The mask at the latent's size, `[1, 1, h, w]`, without antialias.
    pub fn latent_keep(&self, factor: i64) -> Tensor {
        let size = self.keep.size();
        let latent = [size[2] / factor, size[3] / factor];
        self.keep.upsample_bilinear2d(latent, false, None, None)
    }
}

fn picture_at(picture: &RgbImage, (height, width): (usize, usize)) -> Tensor {
    pictures::centered(&opencv_linear_rgb(picture, height, width))
}

fn keep(mask: &GrayImage, (height, width): (usize, usize)) -> Tensor {
    let mut keep = opencv_linear_gray(mask, height, width);
    for level in keep.iter_mut() {
        *level = 255 - *level;
    }
    pictures::unit(&keep)
}

fn cloth_mask(mask: &GrayImage, (height, width): (usize, usize)) -> Tensor {
    let covered = mask.as_raw().iter().filter(|&&level| level > 0).count();
    if (covered as f64) < LEAST_CLOTH * mask.as_raw().len() as f64 {
        let all = GrayImage::from_pixel(width as u32, height as u32, [255].into());
        return pictures::unit(&all);
    }
    pictures::unit(&opencv_linear_gray(mask, height, width))
}

#[cfg(test)]
mod tests {
    use i2am_imaging::GrayImage;
    use tch::Kind;

    use super::{cloth_mask, keep};

    fn half_masked(rows: u32) -> GrayImage {
        GrayImage::from_fn(768, 1024, |_, y| [if y < rows { 255 } else { 0 }].into())
    }

    /// 122,880 pixels at 1024 x 768 are 160 rows.
    #[test]
    fn a_small_cloth_mask_counts_as_failed() {
        let share = |rows| {
            cloth_mask(&half_masked(rows), (512, 384))
                .mean(Kind::Double)
                .double_value(&[])
        };
        assert!((share(160) - 160.0 / 1024.0).abs() < 1e-9);
        assert!((share(159) - 1.0).abs() < 1e-9);
    }

    /// Halving a picture whose edge lies between two output pixels leaves it sharp; one pixel further it is half kept.
    #[test]
    fn masks_are_kept_soft() {
        let row = |rows, y: i64| keep(&half_masked(rows), (512, 384)).double_value(&[0, 0, y, 7]);
        assert_eq!(
            [row(300, 149), row(300, 150)].map(f64::to_bits),
            [0.0, 1.0].map(f64::to_bits)
        );
        // 255 - 128, since two of four levels of 255 make 128.
        assert!((row(301, 150) - 127.0 / 255.0).abs() < 1e-6);
    }
}
