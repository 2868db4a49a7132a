//! How large the masked region is: no score of a map, but a likely cause of high IMACS and of good metrics alike.

use i2am_quantity::{Better, Measurement, Outcome, Quantity};
use serde::{Deserialize, Serialize};

use super::{Enabled, ScoreInfo, ScoreInput, Scored, Settings};

/// The part of the image that is repainted, 0 to 1; rows of it are held constant in correlations.
pub static MASK_AREA: Quantity = Quantity::new("mask_area", "Mask area", Better::Neither);

/// It has no settings.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Score {}

impl Settings for Score {
    const INFO: &'static ScoreInfo = &ScoreInfo {
        name: "mask-area",
        enabled: Enabled::Always,
        needs_objects: false,
        recorded: false,
        quantities: &[&MASK_AREA],
        summary: "the part of the image that is repainted, 0 to 1: held constant in correlations",
    };

    fn score(&self, input: &ScoreInput<'_>) -> Scored {
        let mask = input.masks.generated.as_ref();
        let row =
            |mask: &i2am_imaging::Plane| Measurement::of(&MASK_AREA, Outcome::of(mask.mean()));
        Scored::rows(mask.map(row).into_iter().collect())
    }
}
