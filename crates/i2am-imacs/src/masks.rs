//! The masks that maps are scored against, at the size of the generated image.

use i2am_attribution::MaskEdges;
use i2am_imaging::{
    GrayImage, ImagingError, Plane, gray_to_plane, opencv_linear_gray, pillow_bicubic_gray,
};
use i2am_quantity::Direction;

/// Why there is no mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoMask {
    /// The whole image is generated, as in super-resolution.
    #[error("everything is generated, there is no mask")]
    EverythingGenerated,
    /// The data set has no mask of the object in the reference image.
    #[error("the data set has no reference mask")]
    NoReferenceMask,
}

/// The masked region of the generated image and the object in the reference image, 1 inside.
#[derive(Debug, Clone, PartialEq)]
pub struct Masks {
    /// The region that is repainted; none where everything is generated.
    pub generated: Option<Plane>,
    /// The object in the reference image; none where the data set has no mask of it.
    pub reference: Option<Plane>,
}

impl Masks {
    /// The mask that maps of `direction` should respect.
    ///
    /// # Errors
    /// Why there is none.
    pub fn of_direction(&self, direction: Direction) -> Result<&Plane, NoMask> {
        let generated = self.generated.as_ref().ok_or(NoMask::EverythingGenerated)?;
        match direction {
            Direction::ReferenceToGenerated => Ok(generated),
            Direction::GeneratedToReference => {
                self.reference.as_ref().ok_or(NoMask::NoReferenceMask)
            }
        }
    }
}

/// `mask`, white inside, as a plane of `[height, width]` with 1 inside.
///
/// # Errors
/// An image without pixels.
pub fn fitted_mask(
    mask: &GrayImage,
    edges: MaskEdges,
    [height, width]: [usize; 2],
) -> Result<Plane, ImagingError> {
    let same = mask.dimensions() == (width as u32, height as u32);
    let cut = |plane: Plane| plane.map(|level| if level > 0.5 { 1.0 } else { 0.0 });
    Ok(match edges {
        // As the models see masks: resized like Pillow, then cut.
        MaskEdges::Cut if same => cut(gray_to_plane(mask)?),
        MaskEdges::Cut => cut(gray_to_plane(&pillow_bicubic_gray(mask, height, width))?),
        // As the published code reads them.
        MaskEdges::Soft => {
            let mut cut = mask.clone();
            for level in cut.pixels_mut() {
                level.0[0] = if level.0[0] >= 128 { 255 } else { 0 };
            }
            gray_to_plane(&opencv_linear_gray(&cut, height, width))?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask() -> GrayImage {
        // Columns 0 to 2 of 4 are masked, with a faint pixel that the cut removes.
        GrayImage::from_fn(4, 4, |x, y| {
            [if x < 3 { 255 } else { 40 * u8::from(y == 0) }].into()
        })
    }

    #[test]
    fn a_soft_edge_counts_in_part() {
        let soft = fitted_mask(&mask(), MaskEdges::Soft, [2, 2]).unwrap();
        assert_eq!(soft.data(), [1.0, 128.0 / 255.0, 1.0, 128.0 / 255.0]);
        let cut = fitted_mask(&mask(), MaskEdges::Cut, [2, 2]).unwrap();
        assert!(cut.data().iter().all(|level| [0.0, 1.0].contains(level)));
        for edges in [MaskEdges::Soft, MaskEdges::Cut] {
            let same = fitted_mask(&mask(), edges, [4, 4]).unwrap();
            assert_eq!(same.row(0), [1.0, 1.0, 1.0, 0.0]);
        }
    }
}
