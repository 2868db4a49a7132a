//! Detection: a box off a map of every sample, how far it overlaps the true one, and what boxes without a map would do.

mod pictures;

use anyhow::{Context as _, Result};
use i2am_attribution::{AttentionRecord, Direction, Polarity, attribution_map, levels, normalise};
use i2am_datasets::Sample;
use i2am_imacs::detection::{
    Aggregation, BaselineName, BoxSeed, DetectionConfig, MapViews, NoBox, iou,
};
use i2am_imaging::{BoundingBox, Plane};
use i2am_results::{Measurement, Outcome};

use crate::plan::Plan;

pub(super) use pictures::BoxPicture;

const DIRECTION: Direction = Direction::ReferenceToGenerated;
/// Version of the overlap and of the baselines; procedures have their own.
const VERSION: u32 = 1;

/// What was found in one generated picture.
pub(super) struct Detected {
    pub(super) rows: Vec<Measurement>,
    /// The true box, in the picture's pixels like all others.
    truth: BoundingBox,
    guesses: Vec<Guess>,
}

/// A box and what it was read off.
struct Guess {
    name: String,
    /// The level of its map; none for a baseline.
    level: Option<String>,
    /// The box and its overlap.
    found: Option<(BoundingBox, f64)>,
}

/// A map ready to be searched.
struct Searched {
    raw: Plane,
    attribution: Plane,
    one_token: bool,
}

/// Boxes of sample `index` in a generated picture of `size` (height, width); none if the task is another one.
///
/// # Errors
/// A data set that knows no object in this sample.
pub(super) fn detect(
    plan: &Plan,
    record: &AttentionRecord,
    sample: &Sample,
    index: usize,
    size: [usize; 2],
) -> Result<Option<Detected>> {
    let Some(config) = &plan.config.detection else {
        return Ok(None);
    };
    let object = plan.dataset.object(index);
    let object = object.context("the data set knows no object in this sample")?;
    let annotated = [
        sample.image.height() as usize,
        sample.image.width() as usize,
    ];
    let mut detected = Detected {
        rows: Vec::new(),
        truth: object.scaled(annotated, size),
        guesses: Vec::new(),
    };
    for level in &config.levels {
        let map = map_of(plan, record, level, size);
        detected.search(config, level, map.as_ref().map_err(String::as_str));
    }
    let seed = BoxSeed {
        seed: plan.config.seed,
        dataset: plan.dataset.name(),
        sample: &sample.id,
    };
    for &name in &config.baselines {
        detected.compare(config.aggregation, name, size, seed);
    }
    Ok(Some(detected))
}

/// The map called `level` over the generated picture, or why there is none.
fn map_of(
    plan: &Plan,
    record: &AttentionRecord,
    level: &str,
    [height, width]: [usize; 2],
) -> Result<Searched, String> {
    let convention = &plan.config.convention;
    let offered = levels(record, convention, DIRECTION);
    let Some(level) = offered.iter().find(|known| known.to_string() == level) else {
        return Err(
            "the record has no map of this level; rows of imacs_g name those it has".to_owned(),
        );
    };
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
        one_token: map.one_token,
    })
}

impl Detected {
    /// Two rows per procedure: how far its box overlaps the true one, and whether there is a box.
    fn search(&mut self, config: &DetectionConfig, level: &str, map: Result<&Searched, &str>) {
        for procedure in config.procedures() {
            let name = procedure.name();
            let mut row = |metric: &str, outcome: Outcome, note: &str| {
                self.rows.push(Measurement {
                    direction: DIRECTION.to_string(),
                    level: level.to_owned(),
                    metric: metric.to_owned(),
                    version: procedure.version(),
                    outcome,
                    convention: name.to_string(),
                    note: note.to_owned(),
                });
            };
            let found = match map {
                Err(reason) => {
                    row("iou", Outcome::empty(reason), "");
                    row("box_found", Outcome::empty(reason), "");
                    None
                }
                Ok(map) => {
                    let note = if map.one_token { "one-token" } else { "" };
                    let found = procedure.locate(&MapViews {
                        raw: &map.raw,
                        attribution: &map.attribution,
                    });
                    let found = found.map(|found| (found, iou(&found, &self.truth)));
                    row("iou", overlap(config.aggregation, &found), note);
                    let (is_found, why) = match &found {
                        Ok(_) => (1.0, String::new()),
                        Err(reason) => (0.0, reason.to_string()),
                    };
                    row("box_found", value(is_found), &why);
                    found.ok()
                }
            };
            self.guesses.push(Guess {
                name: name.to_string(),
                level: Some(level.to_owned()),
                found,
            });
        }
    }

    /// One row for a box guessed without a map.
    fn compare(
        &mut self,
        aggregation: Aggregation,
        name: BaselineName,
        size: [usize; 2],
        seed: BoxSeed<'_>,
    ) {
        let guess = name.guess(size, &self.truth, seed);
        let overlap = iou(&guess, &self.truth);
        let skipped = name == BaselineName::Random && aggregation.skips_random(overlap);
        self.rows.push(Measurement {
            direction: String::new(),
            level: String::new(),
            metric: "iou".to_owned(),
            version: VERSION,
            outcome: if skipped {
                Outcome::empty("the random box misses the object")
            } else {
                value(overlap)
            },
            convention: format!("baseline:{name}"),
            note: String::new(),
        });
        self.guesses.push(Guess {
            name: name.to_string(),
            level: None,
            found: Some((guess, overlap)),
        });
    }
}

/// The overlap, or what its absence counts as.
fn overlap(aggregation: Aggregation, found: &Result<(BoundingBox, f64), NoBox>) -> Outcome {
    match (found, aggregation) {
        (Ok((_, overlap)), _) => value(*overlap),
        (Err(_), Aggregation::CountAsZero) => value(0.0),
        (Err(reason), Aggregation::SkipMissing) => Outcome::empty(reason),
    }
}

fn value(number: f64) -> Outcome {
    Outcome::ok(number).unwrap_or_else(Outcome::failed)
}
