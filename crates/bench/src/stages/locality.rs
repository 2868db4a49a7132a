//! How much attention falls near the matching place: rows of records that hold it.

use i2am_attribution::{AttentionRecord, Direction, localities};
use i2am_results::{Measurement, Outcome};

/// Version of the score: goes up whenever a value can change.
const VERSION: u32 = 1;

/// Four rows for each level and radius: the score, its two controls, and how far it lies above one of them.
pub(super) fn rows(record: &AttentionRecord, direction: Direction) -> Vec<Measurement> {
    let mut rows = Vec::new();
    for found in localities(record, direction) {
        let value = |value| Outcome::ok(value).unwrap_or_else(Outcome::failed);
        let gain = match found.gain() {
            Some(gain) => value(gain),
            None => Outcome::empty("the windows cover the whole map"),
        };
        let row = |part: &str, outcome| Measurement {
            direction: direction.to_string(),
            level: found.level.to_string(),
            metric: format!("locality{part}_{direction}"),
            version: VERSION,
            outcome,
            convention: format!("r={}", found.radius),
            note: String::new(),
        };
        rows.extend([
            row("", value(found.near)),
            row("_gain", gain),
            row("_shuffled", value(found.shuffled)),
            row("_uniform", value(found.uniform)),
        ]);
    }
    rows
}
