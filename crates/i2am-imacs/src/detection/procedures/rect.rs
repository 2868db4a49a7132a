use i2am_imaging::BoundingBox;
use serde::{Deserialize, Serialize};

use crate::detection::jet::jet_indices;
use crate::detection::morphology::{close, dilate, open};
use crate::detection::regions::{Regions, largest};
use crate::detection::{MapViews, Mask, NoBox, Procedure, ProcedureName};

/// The authors' second procedure, by which their published overlap is computed: the box with the most pixels above a percentile.
///
/// 1. The value as one of the 256 steps of jet; above the [`Rect::percentile`] of all values, which is 0 where most of the map
///    is 0.
/// 2. Opening, closing, dilation with a square of [`Rect::square`].
/// 3. Of all regions' bounding boxes the one with most set pixels in it, whichever region they belong to. That favours the
///    largest box, and one around others.
///
/// # Source
/// `qkrwnstj306/I2AM_PBE_Object_Detection`: `scripts/cal_bbox_region_rect.py` @ 27df587 (fixture `detection`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rect {
    /// The percentile, 0 to 100, between two values by linear interpolation.
    pub percentile: f64,
    /// Side of the square of the morphology, in pixels; odd.
    pub square: usize,
}

impl Default for Rect {
    fn default() -> Self {
        Self {
            percentile: 65.0,
            square: 5,
        }
    }
}

impl Rect {
    /// What steps 1 and 2 leave of a map of `height` x `width` steps of jet, row by row.
    ///
    /// # Panics
    /// If there are not `height * width` steps, at least one.
    pub fn mask(&self, steps: &[u8], height: usize, width: usize) -> Mask {
        assert_eq!(steps.len(), height * width, "steps of a map");
        let threshold = percentile(steps, self.percentile);
        let above = Mask::from_fn(height, width, |r, c| {
            f64::from(steps[r * width + c]) > threshold
        });
        let filled = close(&open(&above, self.square), self.square);
        dilate(&filled, self.square)
    }

    /// Step 3.
    ///
    /// # Errors
    /// [`NoBox::NothingLeft`] if nothing is set.
    pub fn bounds(&self, mask: &Mask) -> Result<BoundingBox, NoBox> {
        let regions = Regions::of(mask);
        let found = largest(&regions.all, |region| mask.count_in(&region.bounds));
        found
            .map(|region| region.bounds)
            .ok_or_else(|| NoBox::NothingLeft {
                step: format!("opening what lies above percentile {}", self.percentile),
            })
    }
}

/// The percentile by linear interpolation, NumPy's default.
fn percentile(steps: &[u8], percent: f64) -> f64 {
    let mut counts = [0_usize; 256];
    for &step in steps {
        counts[usize::from(step)] += 1;
    }
    let at_rank = |rank: usize| {
        let mut below = 0;
        let reaches = |count: &usize| {
            below += count;
            below > rank
        };
        counts.iter().position(reaches).unwrap_or(255) as f64
    };
    let place = percent.clamp(0.0, 100.0) / 100.0 * (steps.len() - 1) as f64;
    let (low, part) = (place.floor(), place.fract());
    let (low, high) = (at_rank(low as usize), at_rank(place.ceil() as usize));
    low + (high - low) * part
}

impl Procedure for Rect {
    fn name(&self) -> ProcedureName {
        ProcedureName::Rect
    }

    fn version(&self) -> u32 {
        1
    }

    fn locate(&self, map: &MapViews<'_>) -> Result<BoundingBox, NoBox> {
        let [height, width] = map.attribution.size();
        self.bounds(&self.mask(&jet_indices(map.attribution), height, width))
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "ranks are whole numbers")]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_lie_between_ranks() {
        let steps = [40, 10, 20, 30];
        assert_eq!(percentile(&steps, 0.0), 10.0);
        assert_eq!(percentile(&steps, 100.0), 40.0);
        assert!((percentile(&steps, 65.0) - 29.5).abs() < 1e-12);
        assert_eq!(percentile(&[7], 65.0), 7.0);
    }
}
