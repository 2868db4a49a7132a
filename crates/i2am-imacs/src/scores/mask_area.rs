//! How large the masked region is: no score of a map, but a likely cause of high IMACS and of good metrics alike.

use i2am_quantity::{Better, Measurement, Outcome, Quantity};
use serde_json::Value;

use super::{ConfigValue, Configured, Enabled, MapScore, ScoreInfo, ScoreInput, Scored};
use crate::settings::nothing;

/// The part of the image that is repainted, 0 to 1; rows of it are held constant in correlations.
pub static MASK_AREA: Quantity = Quantity::new("mask_area", "Mask area", Better::Neither);

static INFO: ScoreInfo = ScoreInfo {
    name: "mask-area",
    enabled: Enabled::Always,
    recorded: false,
    quantities: &[&MASK_AREA],
    summary: "the part of the image that is repainted, 0 to 1: held constant in correlations",
};

#[derive(Debug)]
pub(super) struct Score;

impl MapScore for Score {
    fn info(&self) -> &'static ScoreInfo {
        &INFO
    }

    fn configure(&self, table: ConfigValue<'_>) -> Result<Box<dyn Configured>, toml::de::Error> {
        nothing(table)?;
        Ok(Box::new(Self))
    }
}

impl Configured for Score {
    fn info(&self) -> &'static ScoreInfo {
        &INFO
    }

    fn settings(&self) -> Value {
        Value::Null
    }

    fn score(&self, input: &ScoreInput<'_>) -> Scored {
        let mask = input.masks.generated.as_ref();
        let row =
            |mask: &i2am_imaging::Plane| Measurement::of(&MASK_AREA, Outcome::of(mask.mean()));
        Scored::rows(mask.map(row).into_iter().collect())
    }
}
