//! IMACS at every level: how well maps respect the mask.

use i2am_attribution::levels;
use i2am_quantity::{Better, Bound, Direction, Level, Measurement, Notes, Outcome, Quantity};
use serde::{Deserialize, Serialize};

use super::{Enabled, ScoreInfo, ScoreInput, Scored, Settings};
use crate::score;

/// IMACS over the generated image: [`score()`] of maps from the reference to the generated image against the masked region.
pub static IMACS_G: Quantity = quantity("imacs_g", "IMACS_g");
/// IMACS over the reference image: [`score()`] of maps from the generated to the reference image against the object's mask.
pub static IMACS_R: Quantity = quantity("imacs_r", "IMACS_r");

/// One position at the floor moves the score of a map by about 1e-4 (docs/regression.md has what other processors make of it).
const fn quantity(name: &'static str, title: &'static str) -> Quantity {
    Quantity::new(name, title, Better::Higher)
        .version(2)
        .decimals(3)
        .tolerance(Bound::absolute(2e-4), Some(Bound::absolute(5e-4)))
        .headline()
        .correlated()
}

/// The score over the side that maps of `direction` show.
pub(super) fn of_direction(direction: Direction) -> &'static Quantity {
    match direction {
        Direction::ReferenceToGenerated => &IMACS_G,
        Direction::GeneratedToReference => &IMACS_R,
    }
}

/// Its settings are [`ScoreInput::imacs`], which other scores use as well.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Score {}

impl Settings for Score {
    const INFO: &'static ScoreInfo = &ScoreInfo {
        name: "imacs",
        enabled: Enabled::Always,
        needs_objects: false,
        recorded: false,
        quantities: &[&IMACS_G, &IMACS_R],
        summary: "agreement of the map with the masked region (imacs_g) and with the object in the reference image (imacs_r), -penalty to 1",
    };

    fn score(&self, input: &ScoreInput<'_>) -> Scored {
        let directions = Direction::ALL.into_iter();
        Scored::rows(
            directions
                .flat_map(|direction| rows(input, direction))
                .collect(),
        )
    }
}

fn rows(input: &ScoreInput<'_>, direction: Direction) -> Vec<Measurement> {
    let ScoreInput {
        record,
        convention,
        masks,
        ..
    } = *input;
    // Where everything is generated no map has a mask, and where there is no map at all, one row says why there is nothing.
    let mut offered = if masks.generated.is_some() {
        levels(record, convention, direction)
    } else {
        Vec::new()
    };
    if offered.is_empty() {
        offered.push(Level::Unified);
    }
    let row = |level: Level| {
        let (outcome, note) = match scored(input, direction, &level) {
            Ok(found) => (Outcome::of(found.imacs.value), found.notes),
            Err(reason) => (Outcome::empty(reason), Notes::NONE),
        };
        Measurement::of(of_direction(direction), outcome)
            .on_map(direction, level)
            .under(convention.label())
            .with(note)
    };
    offered.into_iter().map(row).collect()
}

fn scored(
    input: &ScoreInput<'_>,
    direction: Direction,
    level: &Level,
) -> Result<crate::Score, String> {
    let mask = input.masks.of_direction(direction);
    let mask = mask.map_err(|reason| reason.to_string())?;
    score(
        input.record,
        input.convention,
        direction,
        level,
        mask,
        input.imacs,
    )
    .map_err(|reason| reason.to_string())
}
