//! What single positions, boxes and masked regions take from or give to the other image: rows and pictures.

use i2am_attribution::{
    AttributionMap, Convention, NoMap, Specific, SpecificConfig, normalise, specific_map,
};
use i2am_imaging::{Cell, CellSize, PictureGrid, Plane, outlined, overlay};
use i2am_quantity::{Better, Direction, Measurement, Outcome, Quantity};

use super::imacs::of_direction;
use super::{Canvas, Drawing, Drawn, Enabled, Recorded, ScoreInfo, ScoreInput, Scored, Settings};
use crate::{imacs, outside_share};

/// The share of a map's attention that lies outside the mask, 0 to 1.
pub(super) static ATTENTION_OUTSIDE: Quantity =
    Quantity::new("attention_outside", "Attention outside", Better::Neither).correlated();

/// Height of the two pictures side by side.
const HEIGHT: CellSize = CellSize::Height(320);

impl Settings for SpecificConfig {
    const INFO: &'static ScoreInfo = &ScoreInfo {
        name: "specific",
        enabled: Enabled::ByTable,
        needs_objects: false,
        recorded: false,
        quantities: &[&ATTENTION_OUTSIDE],
        summary: "maps of single positions, boxes and masked regions: IMACS and the share of attention outside the mask",
    };

    fn check(&self) -> Result<(), String> {
        self.check().map_err(|error| error.to_string())
    }

    fn record(&self, wanted: &mut Recorded) {
        if wanted.specific.is_empty() {
            wanted.specific.clone_from(&self.layers);
        }
    }

    fn check_recorded(&self, recorded: &Recorded) -> Result<(), String> {
        if !self.is_empty() && recorded.specific.is_empty() {
            return Err(
                "attribution.specific: expected `layers`, by name or with `*`, found none"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Two rows for each map: its score, and the share of its attention outside the mask.
    fn score(&self, input: &ScoreInput<'_>) -> Scored {
        let ScoreInput {
            record,
            convention,
            masks,
            ..
        } = *input;
        let mut scored = Scored::default();
        for asked in self.maps(record, masks.generated.as_ref(), masks.reference.as_ref()) {
            let direction = asked.direction;
            let map = specific_map(record, &asked.layer, &asked.positions, direction);
            let [score, share] = outcomes(input, direction, map.as_ref());
            let row = |quantity, outcome| {
                Measurement::of(quantity, outcome)
                    .on_map(direction, asked.level())
                    .under(convention.label())
            };
            scored.rows.extend([
                row(of_direction(direction), score),
                row(&ATTENTION_OUTSIDE, share),
            ]);
            if let Ok(map) = map {
                scored.drawings.push(Box::new(SpecificMap { asked, map }));
            }
        }
        scored
    }
}

fn outcomes(
    input: &ScoreInput<'_>,
    direction: Direction,
    map: Result<&AttributionMap, &NoMap>,
) -> [Outcome; 2] {
    let both = |reason: &dyn std::fmt::Display| [(); 2].map(|()| Outcome::empty(reason));
    let (map, mask) = match (map, input.masks.of_direction(direction)) {
        (Err(reason), _) => return both(reason),
        (Ok(_), Err(reason)) => return both(&reason),
        (Ok(map), Ok(mask)) => (map, mask),
    };
    let attribution = attribution(input.convention, map, direction, mask.size());
    let score = match imacs(&attribution, mask, input.imacs) {
        Ok(score) => Outcome::of(score.value),
        Err(reason) => Outcome::empty(reason),
    };
    let share = match outside_share(&map.plane, mask) {
        Some(share) => Outcome::of(share.attention),
        None => Outcome::empty("no attention"),
    };
    [score, share]
}

/// As other levels, but without the product with the reference mask: the map is of one place, and shows where it really looks.
fn attribution(
    convention: &Convention,
    map: &AttributionMap,
    direction: Direction,
    [height, width]: [usize; 2],
) -> Plane {
    normalise(&map.plane, convention, direction, height, width, None)
}

/// One map that was asked for.
struct SpecificMap {
    asked: Specific,
    map: AttributionMap,
}

impl Drawing for SpecificMap {
    fn is_asked_for(&self) -> bool {
        true
    }

    /// The positions outlined on their image, next to their map over the other one.
    fn draw(&self, canvas: &Canvas<'_>) -> Option<Drawn> {
        let Canvas {
            generated,
            reference,
            ..
        } = *canvas;
        let direction = self.asked.direction;
        let ([from, onto], [here, there]) = match direction {
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
        let attribution = attribution(canvas.convention, &self.map, direction, size);
        let marked = outlined(from, &self.asked.positions.to_plane());
        let covered = overlay(onto, &attribution, canvas.colors, canvas.strength);
        let level = self.asked.level().to_string();
        let mut sheet = PictureGrid::new();
        sheet.row(
            level.clone(),
            HEIGHT,
            [Cell::new(here, marked), Cell::new(there, covered)],
        );
        Some(Drawn {
            name: format!("{direction}.{level}"),
            sheet: None,
            picture: sheet.render(),
        })
    }
}
