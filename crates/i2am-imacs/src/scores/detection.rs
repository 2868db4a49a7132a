//! Detection: a box read off a map, how far it overlaps the true one, and what boxes without a map would do.

mod pictures;

use i2am_attribution::{Polarity, attribution_map, levels, normalise};
use i2am_imaging::{BoundingBox, Plane};
use i2am_quantity::{Better, Direction, Level, Measurement, Notes, Outcome, Quantity, Role};

use super::{Enabled, ScoreInfo, ScoreInput, Scored, Settings};
use crate::detection::{
    Aggregation, BaselineName, DetectionConfig, MapViews, NoBox, Procedure, iou,
};

/// Intersection over union of the predicted and the true box, 0 to 1. Each procedure has a version of its own.
pub(super) static IOU: Quantity = Quantity::new("iou", "IoU", Better::Higher)
    .decimals(3)
    .in_table("detection")
    .correlated();
/// 1 where a map has a box, 0 where it has none.
pub(super) static BOX_FOUND: Quantity =
    Quantity::new("box_found", "Box found", Better::Neither).part_of("detection", Role::Found);

const DIRECTION: Direction = Direction::ReferenceToGenerated;

impl Settings for DetectionConfig {
    const INFO: &'static ScoreInfo = &ScoreInfo {
        name: "detection",
        enabled: Enabled::ByTask,
        needs_objects: true,
        recorded: false,
        quantities: &[&IOU, &BOX_FOUND],
        summary: "overlap of a box read off the map with the true box of the object (iou), and whether there is a box (box_found)",
    };

    fn check(&self) -> Result<(), String> {
        self.check()
    }

    fn score(&self, input: &ScoreInput<'_>) -> Scored {
        let Some(truth) = input.object else {
            let reason = "the data set knows no object in this sample";
            let row = Measurement::of(&IOU, Outcome::failed(reason));
            return Scored::rows(vec![row]);
        };
        let mut detected = Detected {
            rows: Vec::new(),
            boxes: Boxes {
                truth,
                guesses: Vec::new(),
            },
        };
        for level in &self.levels {
            let map = map_of(input, level);
            for procedure in self.procedures() {
                detected.search(self.aggregation, procedure, level, map.as_ref());
            }
        }
        for &name in &self.baselines {
            detected.compare(self.aggregation, name, input);
        }
        let Detected { rows, boxes } = detected;
        Scored {
            rows,
            drawings: boxes.drawings(),
        }
    }
}

struct Detected {
    rows: Vec<Measurement>,
    boxes: Boxes,
}

/// Boxes in one generated image, in its pixels.
struct Boxes {
    truth: BoundingBox,
    guesses: Vec<Guess>,
}

/// A box and what it was read off.
#[derive(Debug, Clone)]
struct Guess {
    name: String,
    /// The level of its map; none for a baseline.
    level: Option<Level>,
    /// The box and its overlap.
    found: Option<(BoundingBox, f64)>,
}

/// A map ready to be searched.
struct Searched {
    raw: Plane,
    attribution: Plane,
    note: Notes,
}

/// The map of `level` over the generated image, or why there is none.
fn map_of(input: &ScoreInput<'_>, level: &Level) -> Result<Searched, String> {
    let ScoreInput {
        record,
        convention,
        size: [height, width],
        ..
    } = *input;
    if !levels(record, convention, DIRECTION).contains(level) {
        return Err(format!(
            "the record has no map of level `{level}`; the rows of imacs_g name those that it has"
        ));
    }
    let map = attribution_map(record, convention, DIRECTION, level)
        .map_err(|reason| reason.to_string())?;
    let attribution = normalise(&map.plane, convention, DIRECTION, height, width, None);
    let raw = match convention.direction(DIRECTION).polarity {
        Polarity::Direct => map.plane,
        Polarity::Inverted => map.plane.scale(-1.0),
    };
    Ok(Searched {
        raw,
        attribution,
        note: map.notes.clone(),
    })
}

impl Detected {
    /// Two rows: how far the box overlaps the true one, and whether there is a box.
    fn search(
        &mut self,
        aggregation: Aggregation,
        procedure: &dyn Procedure,
        level: &Level,
        map: Result<&Searched, &String>,
    ) {
        let name = procedure.name();
        let row = |quantity, outcome, note| {
            let mut row = Measurement::of(quantity, outcome)
                .on_map(DIRECTION, level.clone())
                .under(name.to_string())
                .with(note);
            row.version = procedure.version();
            row
        };
        let found = match map {
            Err(reason) => {
                let empty = |quantity| row(quantity, Outcome::empty(reason), Notes::NONE);
                self.rows.extend([empty(&IOU), empty(&BOX_FOUND)]);
                None
            }
            Ok(map) => {
                let found = procedure.locate(&MapViews {
                    raw: &map.raw,
                    attribution: &map.attribution,
                });
                let found = found.map(|found| (found, iou(&found, &self.boxes.truth)));
                let (is_found, why) = match &found {
                    Ok(_) => (1.0, String::new()),
                    Err(reason) => (0.0, reason.to_string()),
                };
                self.rows.extend([
                    row(&IOU, overlap(aggregation, &found), map.note.clone()),
                    row(&BOX_FOUND, Outcome::of(is_found), Notes::from(why)),
                ]);
                found.ok()
            }
        };
        self.boxes.guesses.push(Guess {
            name: name.to_string(),
            level: Some(level.clone()),
            found,
        });
    }

    /// One row for a box guessed without a map.
    fn compare(&mut self, aggregation: Aggregation, name: BaselineName, input: &ScoreInput<'_>) {
        let guess = name.guess(input.size, &self.boxes.truth, input.seed);
        let overlap = iou(&guess, &self.boxes.truth);
        let skipped = name == BaselineName::Random && aggregation.skips_random(overlap);
        let outcome = if skipped {
            Outcome::empty("the random box misses the object")
        } else {
            Outcome::of(overlap)
        };
        self.rows
            .push(Measurement::of(&IOU, outcome).under(format!("baseline:{name}")));
        self.boxes.guesses.push(Guess {
            name: name.to_string(),
            level: None,
            found: Some((guess, overlap)),
        });
    }
}

/// The overlap, or what its absence counts as.
fn overlap(aggregation: Aggregation, found: &Result<(BoundingBox, f64), NoBox>) -> Outcome {
    match (found, aggregation) {
        (Ok((_, overlap)), _) => Outcome::of(*overlap),
        (Err(_), Aggregation::CountAsZero) => Outcome::of(0.0),
        (Err(reason), Aggregation::SkipMissing) => Outcome::empty(reason),
    }
}
