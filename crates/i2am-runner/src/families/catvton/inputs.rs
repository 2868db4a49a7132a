//! A sample of a try-on data set to what `CatVTON` reads.

use i2am_datasets::Sample;
use i2am_imaging::{pillow_gaussian_blur, pillow_lanczos_gray};
use tch::Tensor;

use super::CatVtonPreprocess;
use crate::families::fitting::{self, Fit};
use crate::{RunnerError, pictures};

/// Blur of the demonstration's masks, in pixels.
const DEMO_BLUR: f64 = 9.0;

/// A sample as the networks take it, f32 on the CPU. Pictures are `[1, 3, H, W]` in `[-1, 1]`.
#[derive(Debug)]
pub struct CatVtonInputs {
    /// The person.
    pub person: Tensor,
    /// The garment.
    pub garment: Tensor,
    /// `[1, 1, H, W]`, 1 to repaint, 0 to keep.
    pub hole: Tensor,
    /// `[1, 1, H, W]`, 1 on the garment; `None` if the data set has no mask of it.
    pub garment_mask: Option<Tensor>,
}

impl CatVtonPreprocess {
    /// How the pictures of person and garment come to another size.
    pub(super) fn fits(self) -> [Fit; 2] {
        match self {
            Self::Script => [Fit::Stretch; 2],
            Self::Demo => [Fit::Crop, Fit::Pad],
        }
    }
}

impl CatVtonInputs {
    /// Prepares `sample` for pictures of `(height, width)`.
    ///
    /// # Errors
    /// [`RunnerError::MaskSize`].
    pub fn of(
        sample: &Sample,
        preprocess: CatVtonPreprocess,
        (height, width): (i64, i64),
    ) -> Result<Self, RunnerError> {
        fitting::check_mask(sample)?;
        let to = (height as u32, width as u32);
        let [person, garment] = preprocess.fits();
        let hole = fitting::mask(&sample.mask, person, to, pillow_lanczos_gray);
        let hole = match preprocess {
            CatVtonPreprocess::Script => hole,
            CatVtonPreprocess::Demo => pillow_gaussian_blur(&hole, DEMO_BLUR),
        };
        let garment_mask = sample.reference_mask.as_ref();
        Ok(Self {
            person: pictures::centered(&fitting::rgb(&sample.image, person, to)),
            garment: pictures::centered(&fitting::rgb(&sample.reference, garment, to)),
            hole: fitting::binary(&hole),
            garment_mask: garment_mask.map(|mask| fitting::lanczos_mask(mask, garment, to)),
        })
    }

    /// The person with mid-gray in the masked region.
    pub fn masked_person(&self) -> Tensor {
        &self.person * (-&self.hole + 1.0)
    }

    /// The mask at the latent's size, `[1, 1, h, w]`.
    pub fn latent_hole(&self, factor: i64) -> Tensor {
        let size = self.hole.size();
        let latent = [size[2] / factor, size[3] / factor];
        self.hole.upsample_nearest2d(latent, None, None)
    }
}
