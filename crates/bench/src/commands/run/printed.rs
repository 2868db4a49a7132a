//! What a run ends with on the terminal.

use std::collections::BTreeSet;

use i2am_attribution::Level;
use i2am_quantity::{Place, Quantity, Role};
use i2am_results::{AggregateRow, DebugRow, Stage};

use crate::registry::quantities;
use crate::table;

/// Means over samples: one line per model, direction and level.
pub(super) fn summary(rows: &[AggregateRow]) -> String {
    let mut table = table::with_header([
        "model",
        "score",
        "level or variant",
        "mean",
        "sd",
        "n",
        "missing",
    ]);
    let number = |value| table::number(value, 4);
    let mut one_token = false;
    for row in rows.iter().filter(|row| shown(row)) {
        let mark = table::mark(&row.note);
        one_token |= row.note.is_one_token();
        table.add_row([
            row.model.clone(),
            format!("{}{mark}", row.metric),
            level_or_variant(row),
            number(row.mean),
            number(row.sd),
            row.n.to_string(),
            row.missing.to_string(),
        ]);
    }
    table::align_right(&mut table, 3..7);
    let mut text = table.to_string();
    let noted = rows
        .iter()
        .filter(|row| row.stage == Stage::Measure && !row.note.is_empty());
    let notes: BTreeSet<String> = noted
        .map(|row| format!("\n{}: {}", row.metric, row.note))
        .collect();
    text.extend(notes);
    if one_token {
        text.push_str(&table::footnote());
    }
    text
}

/// Levels that are shown; the others are in the files. Quantities with a table of their own have controls and more levels there.
fn shown(row: &AggregateRow) -> bool {
    let has_table = |known: &Quantity| matches!(known.place, Place::Table(_));
    let known = quantities().find(&row.metric);
    match (known.filter(|known| has_table(known)), &row.level) {
        (Some(known), None | Some(Level::Unified)) => known.role != Role::Control,
        (Some(_), Some(_)) => false,
        (None, None) => row.stage == Stage::Measure,
        (None, Some(level)) => matches!(
            level,
            Level::Unified | Level::Time(_) | Level::Resolution { .. }
        ),
    }
}

/// The level of a map, the variant of another quantity; what has a table of its own has both: the map, and how it was read.
fn level_or_variant(row: &AggregateRow) -> String {
    let place = quantities().find(&row.metric).map(|known| known.place);
    match (&row.level, place) {
        (Some(level), Some(Place::Table(_))) => format!("{level} {}", row.convention),
        (Some(level), _) => level.to_string(),
        (None, _) => row.convention.clone(),
    }
}

/// The heads that look outside the mask most.
pub(super) fn worst(rows: &[DebugRow]) -> String {
    let mut table = table::with_header([
        "model",
        "worst",
        "layer, head, time group",
        "imacs",
        "sd",
        "n",
        "outside",
        "area",
    ]);
    let number = |value| table::number(value, 4);
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", 100.0 * share))
    };
    for row in rows {
        let mark = table::mark(&row.note);
        let rank = row.rank.map_or_else(String::new, |rank| rank.to_string());
        table.add_row([
            row.model.clone(),
            format!("{}{mark} {rank}", row.direction),
            format!("{}, {}, {}", row.layer, row.head, row.time_group),
            number(row.imacs),
            number(row.sd),
            row.n.to_string(),
            percent(row.attention_outside),
            percent(row.area_outside),
        ]);
    }
    table::align_right(&mut table, 3..8);
    format!(
        "{table}\nThe worst heads: their mean score, and the share of their attention outside the mask, compared with the share of the area.\n\
         All heads are in debug/MODEL.csv; [intervene] generates the images again without some of them."
    )
}
