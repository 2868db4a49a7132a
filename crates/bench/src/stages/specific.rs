//! What single positions, boxes and masked regions take from or give to the other picture: rows and pictures.

use i2am_attribution::{
    AttentionRecord, AttributionMap, Direction, NoMap, Specific, normalise, specific_map,
};
use i2am_imacs::{imacs, outside_share};
use i2am_imaging::{Cell, CellSize, PictureGrid, Plane, RgbImage, outlined, overlay};
use i2am_results::{Measurement, Outcome};

use super::masks::Masks;
use super::score::{VERSION, metric_of};
use crate::plan::Plan;

/// Height of the two pictures side by side.
const HEIGHT: CellSize = CellSize::Height(320);

/// One map that was asked for.
pub(super) struct SpecificMap {
    pub(super) asked: Specific,
    map: Result<AttributionMap, NoMap>,
}

/// The maps that `[attribution.specific]` asks for.
pub(super) fn maps(plan: &Plan, record: &AttentionRecord, masks: &Masks) -> Vec<SpecificMap> {
    let asked = plan
        .config
        .specific
        .maps(record, masks.hole.as_ref(), masks.object.as_ref());
    let made = |asked: Specific| SpecificMap {
        map: specific_map(record, &asked.layer, &asked.positions, asked.direction),
        asked,
    };
    asked.into_iter().map(made).collect()
}

/// Two rows for each map: its score, and the share of its attention outside the mask.
pub(super) fn rows(plan: &Plan, maps: &[SpecificMap], masks: &Masks) -> Vec<Measurement> {
    let mut rows = Vec::new();
    for map in maps {
        let direction = map.asked.direction;
        let mask = masks.of_direction(direction);
        let [score, share] = map.outcomes(plan, mask);
        let row = |metric: &str, version, outcome| Measurement {
            direction: direction.to_string(),
            level: map.asked.level(),
            metric: metric.to_owned(),
            version,
            outcome,
            convention: plan.config.convention.label(),
            note: String::new(),
        };
        rows.push(row(metric_of(direction), VERSION, score));
        rows.push(row("attention_outside", 1, share));
    }
    rows
}

impl SpecificMap {
    fn outcomes(&self, plan: &Plan, mask: Result<&Plane, &'static str>) -> [Outcome; 2] {
        let both = |reason: &dyn std::fmt::Display| [(); 2].map(|()| Outcome::empty(reason));
        let (map, mask) = match (&self.map, mask) {
            (Err(reason), _) => return both(reason),
            (Ok(_), Err(reason)) => return both(&reason),
            (Ok(map), Ok(mask)) => (map, mask),
        };
        let value = |value| Outcome::ok(value).unwrap_or_else(Outcome::failed);
        let attribution = self.attribution(plan, map, mask.size());
        let score = match imacs(&attribution, mask, &plan.config.imacs) {
            Ok(score) => value(score.value),
            Err(reason) => Outcome::empty(reason),
        };
        let share = match outside_share(&map.plane, mask) {
            Some(share) => value(share.attention),
            None => Outcome::empty("no attention"),
        };
        [score, share]
    }

    /// As other levels, but without the product with the reference mask: the map is of one place, and shows where it really looks.
    fn attribution(&self, plan: &Plan, map: &AttributionMap, [height, width]: [usize; 2]) -> Plane {
        let convention = &plan.config.convention;
        let direction = self.asked.direction;
        normalise(&map.plane, convention, direction, height, width, None)
    }

    /// The positions outlined on their picture, beside their map over the other one. None where there is no map.
    ///
    /// `generated` and `reference` have the same size.
    pub(super) fn picture(
        &self,
        plan: &Plan,
        generated: &RgbImage,
        reference: &RgbImage,
    ) -> Option<RgbImage> {
        let map = self.map.as_ref().ok()?;
        let settings = &plan.config.pictures;
        let ([from, onto], [here, there]) = match self.asked.direction {
            Direction::GeneratedToReference => (
                [generated, reference],
                ["generated", "takes from the reference"],
            ),
            Direction::ReferenceToGenerated => (
                [reference, generated],
                ["reference", "goes to the generated picture"],
            ),
        };
        let size = [onto.height(), onto.width()].map(|length| length as usize);
        let attribution = self.attribution(plan, map, size);
        let marked = outlined(from, &self.asked.positions.to_plane());
        let covered = overlay(onto, &attribution, settings.colors, settings.strength);
        let mut sheet = PictureGrid::new();
        sheet.row(
            self.asked.level(),
            HEIGHT,
            [Cell::new(here, marked), Cell::new(there, covered)],
        );
        Some(sheet.render())
    }

    /// The name of its picture.
    pub(super) fn file_name(&self) -> String {
        let level = self.asked.level().replace(':', "-").replace('/', ".");
        format!("{}.{level}.png", self.asked.direction)
    }
}
