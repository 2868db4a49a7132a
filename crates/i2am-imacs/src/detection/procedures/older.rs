use i2am_imaging::{BoundingBox, GrayImage};
use serde::{Deserialize, Serialize};

use crate::detection::jet::jet_luma;
use crate::detection::morphology::open;
use crate::detection::outline::enclosed_area;
use crate::detection::regions::{Regions, largest};
use crate::detection::{MapViews, Mask, NoBox, Procedure, ProcedureName};

/// The authors' first procedure: the largest of the large bright regions of the map in jet colors.
///
/// 1. Luminance of the color, 0 to 1, at least [`Older::threshold`]; a frame of [`Older::frame`] pixels is cleared.
/// 2. Regions of at least [`Older::least_pixels`] pixels, 8-connected.
/// 3. Opening with a square of [`Older::square`].
/// 4. The bounding box of the region whose outline encloses most.
///
/// Jet's luminance does not rise with the value: it is at least 0.5 for values from about 0.29 to 0.82, so that the highest
/// values, in red, are **left out**.
///
/// # Source
/// `qkrwnstj306/I2AM_PBE_Object_Detection`: `scripts/cal_bbox_region.py` @ 27df587 (fixture `detection`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Older {
    /// Least luminance, 0 to 1.
    pub threshold: f64,
    /// Width of the frame that is cleared, in pixels.
    pub frame: usize,
    /// Least size of a region, in pixels; chosen by the authors for a picture of 369 x 369.
    pub least_pixels: usize,
    /// Side of the square of the opening, in pixels; odd.
    pub square: usize,
}

impl Default for Older {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            frame: 2,
            least_pixels: 1000,
            square: 5,
        }
    }
}

impl Older {
    /// What steps 1 to 3 leave of a map's picture in gray.
    ///
    /// # Panics
    /// If the picture has no pixel.
    pub fn mask(&self, luma: &GrayImage) -> Mask {
        let (height, width) = (luma.height() as usize, luma.width() as usize);
        let inner =
            |place: usize, length: usize| place >= self.frame && place + self.frame < length;
        let bright = Mask::from_fn(height, width, |r, c| {
            let level = f64::from(luma.get_pixel(c as u32, r as u32).0[0]);
            inner(r, height) && inner(c, width) && level / 255.0 >= self.threshold
        });
        let regions = Regions::of(&bright);
        let large = Mask::from_fn(height, width, |r, c| {
            let region = regions.at(r, c);
            region.is_some_and(|region| region.pixels >= self.least_pixels)
        });
        open(&large, self.square)
    }

    /// Step 4.
    ///
    /// # Errors
    /// [`NoBox::NothingLeft`] if nothing is set.
    pub fn bounds(&self, mask: &Mask) -> Result<BoundingBox, NoBox> {
        let regions = Regions::of(mask);
        let found = largest(&regions.all, |region| enclosed_area(mask, region.first));
        found
            .map(|region| region.bounds)
            .ok_or_else(|| NoBox::NothingLeft {
                step: format!(
                    "opening the regions of at least {} pixels",
                    self.least_pixels
                ),
            })
    }
}

impl Procedure for Older {
    fn name(&self) -> ProcedureName {
        ProcedureName::Older
    }

    fn version(&self) -> u32 {
        1
    }

    fn locate(&self, map: &MapViews<'_>) -> Result<BoundingBox, NoBox> {
        self.bounds(&self.mask(&jet_luma(map.attribution)))
    }
}
