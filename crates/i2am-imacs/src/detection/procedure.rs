//! What reads a box off a map, and its name.

use std::fmt;

use i2am_imaging::{BoundingBox, Plane};
use serde::{Deserialize, Serialize};

/// A map as a procedure may want it.
#[derive(Debug, Clone, Copy)]
pub struct MapViews<'a> {
    /// The raw map at its own resolution, high where there is attribution.
    pub raw: &'a Plane,
    /// The attribution in `[0, 1]` at the size of the picture, as it is scored.
    pub attribution: &'a Plane,
}

/// Reads a box off a map.
pub trait Procedure {
    /// Its name in rows and configurations.
    fn name(&self) -> ProcedureName;

    /// Goes up whenever a box can change.
    fn version(&self) -> u32;

    /// The box, in pixels of [`MapViews::attribution`].
    ///
    /// # Errors
    /// [`NoBox`] if the map shows none.
    fn locate(&self, map: &MapViews<'_>) -> Result<BoundingBox, NoBox>;
}

/// Why a map has no box.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoBox {
    /// All values are equal, or some are not numbers.
    #[error("no box: the map is the same everywhere")]
    Flat,
    /// Nothing is left of the map after the steps of a published procedure.
    #[error("no box: {step} leaves nothing of the map")]
    NothingLeft {
        /// The last step.
        step: String,
    },
}

/// The procedures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcedureName {
    /// [`super::BestFit`]
    BestFit,
    /// [`super::Older`]
    Older,
    /// [`super::Rect`]
    Rect,
}

impl ProcedureName {
    /// All of them, in the order of listings.
    pub const ALL: [Self; 3] = [Self::BestFit, Self::Older, Self::Rect];

    /// The name as written in configurations and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BestFit => "best-fit",
            Self::Older => "older",
            Self::Rect => "rect",
        }
    }

    /// One line for listings.
    pub fn description(self) -> &'static str {
        match self {
            Self::BestFit => {
                "the box that explains most of the map: no threshold, no morphology, one exact optimum"
            }
            Self::Older => {
                "the authors' cal_bbox_region.py: luminance of jet colors from 0.5 on, large regions, opening"
            }
            Self::Rect => {
                "the authors' cal_bbox_region_rect.py: above the 65th percentile, opening, closing, dilation"
            }
        }
    }
}

impl fmt::Display for ProcedureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
