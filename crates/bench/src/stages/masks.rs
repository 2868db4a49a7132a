//! The masks that maps are scored against, at the size of the generated picture.

use anyhow::Result;
use i2am_attribution::{Direction, MaskEdges};
use i2am_datasets::{Goal, Sample};
use i2am_imaging::{GrayImage, Plane, gray_to_plane, opencv_linear_gray, pillow_bicubic_gray};

/// Why there is no score over the reference.
const NO_REFERENCE_MASK: &str = "the data set has no reference mask";
/// Why there is no score at all.
const EVERYTHING: &str = "everything is generated, there is no mask";

/// The hole of the generated picture and the object in the reference, 1 inside.
pub(super) struct Masks {
    /// None where everything is generated.
    pub(super) hole: Option<Plane>,
    pub(super) object: Option<Plane>,
}

impl Masks {
    /// The masks of `sample` at `[height, width]`.
    pub(super) fn of(
        sample: &Sample,
        goal: Goal,
        edges: MaskEdges,
        size: [usize; 2],
    ) -> Result<Self> {
        let hole = match goal {
            Goal::Repaint => Some(&sample.mask),
            Goal::Enlarge { .. } => None,
        };
        let [hole, object] = [hole, sample.reference_mask.as_ref()]
            .map(|mask| mask.map(|mask| fitted(mask, edges, size)).transpose());
        Ok(Self {
            hole: hole?,
            object: object?,
        })
    }

    /// The mask that maps of `direction` should respect, or why there is none.
    pub(super) fn of_direction(&self, direction: Direction) -> Result<&Plane, &'static str> {
        let hole = self.hole.as_ref().ok_or(EVERYTHING)?;
        match direction {
            Direction::ReferenceToGenerated => Ok(hole),
            Direction::GeneratedToReference => self.object.as_ref().ok_or(NO_REFERENCE_MASK),
        }
    }
}

fn fitted(mask: &GrayImage, edges: MaskEdges, [height, width]: [usize; 2]) -> Result<Plane> {
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
        let soft = fitted(&mask(), MaskEdges::Soft, [2, 2]).unwrap();
        assert_eq!(soft.data(), [1.0, 128.0 / 255.0, 1.0, 128.0 / 255.0]);
        let cut = fitted(&mask(), MaskEdges::Cut, [2, 2]).unwrap();
        assert!(cut.data().iter().all(|level| [0.0, 1.0].contains(level)));
        for edges in [MaskEdges::Soft, MaskEdges::Cut] {
            let same = fitted(&mask(), edges, [4, 4]).unwrap();
            assert_eq!(same.row(0), [1.0, 1.0, 1.0, 0.0]);
        }
    }
}
