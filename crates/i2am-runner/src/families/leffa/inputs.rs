//! A sample of a try-on data set to what Leffa reads.

use i2am_datasets::{Part, Sample};
use i2am_imaging::pillow_lanczos_gray;
use tch::Tensor;

use crate::families::fitting::{self, Fit};
use crate::{RunnerError, pictures};

/// A sample as the networks take it, f32 on the CPU. Pictures are `[1, 3, H, W]` in `[-1, 1]`.
#[derive(Debug)]
pub struct LeffaInputs {
    /// The person.
    pub person: Tensor,
    /// The garment.
    pub garment: Tensor,
    /// Map of the body's parts in colors.
    pub pose: Tensor,
    /// `[1, 1, H, W]`, 1 to repaint, 0 to keep.
    pub hole: Tensor,
    /// `[1, 1, H, W]`, 1 on the garment; `None` if the data set has no mask of it.
    pub garment_mask: Option<Tensor>,
}

impl LeffaInputs {
    /// Prepares `sample` for pictures of `(height, width)`: whatever its proportions, everything is stretched to that size.
    ///
    /// # Errors
    /// [`RunnerError::MissingPart`] for a sample without a body map, [`RunnerError::MaskSize`].
    pub fn of(sample: &Sample, (height, width): (i64, i64)) -> Result<Self, RunnerError> {
        fitting::check_mask(sample)?;
        let lacking = || RunnerError::MissingPart {
            sample: sample.id.clone(),
            family: super::INFO.name,
            part: Part::Densepose,
        };
        let pose = sample.densepose.as_ref().ok_or_else(lacking)?;
        let to = (height as u32, width as u32);
        let picture = |picture| pictures::centered(&fitting::rgb(picture, Fit::Stretch, to));
        let mask =
            |mask| fitting::binary(&fitting::mask(mask, Fit::Stretch, to, pillow_lanczos_gray));
        Ok(Self {
            person: picture(&sample.image),
            garment: picture(&sample.reference),
            pose: picture(pose),
            hole: mask(&sample.mask),
            garment_mask: sample.reference_mask.as_ref().map(mask),
        })
    }

    /// The person with mid-gray in the masked region.
    pub fn masked_person(&self) -> Tensor {
        &self.person * (-&self.hole + 1.0)
    }

    /// Mask and body map at the latent's size, `[1, 1, h, w]` and `[1, 3, h, w]`: of each cell the pixel at its top left.
    pub fn latent_maps(&self, factor: i64) -> [Tensor; 2] {
        let size = self.hole.size();
        let latent = [size[2] / factor, size[3] / factor];
        [&self.hole, &self.pose].map(|map| map.upsample_nearest2d(latent, None, None))
    }
}
