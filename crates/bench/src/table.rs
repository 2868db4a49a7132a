//! Tables on the terminal.

use std::collections::BTreeSet;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use i2am_results::{AggregateRow, DebugRow, Stage};

use crate::commands::Line;

/// Levels that are shown; the others are in the files.
fn shown(row: &AggregateRow) -> bool {
    row.stage == Stage::Measure
        || row.level == "unified"
        || row.level.starts_with("time:")
        || row.level.starts_with("resolution:")
}

/// Scores of two folders; with `names`, the values of single pairs below.
pub(crate) fn measured(lines: &[Line], names: Option<&[String]>) -> String {
    let count = |n: Option<usize>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.6}"));
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["metric", "variant", "value", "sd", "generated", "real"]);
    for line in lines {
        table.add_row([
            line.metric.to_owned(),
            line.variant.clone(),
            number(line.value),
            number(line.std),
            count(line.n_generated),
            count(line.n_real),
        ]);
    }
    align_right(&mut table, 2..6);
    let of_pairs: Vec<(&Line, &[Option<f64>])> = lines
        .iter()
        .filter_map(|line| Some((line, line.per_sample.as_deref()?)))
        .collect();
    let (Some(names), false) = (names, of_pairs.is_empty()) else {
        return table.to_string();
    };
    let mut single = Table::new();
    single.load_style(UTF8_FULL_CONDENSED);
    let titles = of_pairs
        .iter()
        .map(|(line, _)| format!("{} {}", line.metric, line.variant));
    single.set_header(["picture".to_owned()].into_iter().chain(titles));
    for (index, name) in names.iter().enumerate() {
        let values = of_pairs.iter().map(|(_, values)| number(values[index]));
        single.add_row([name.clone()].into_iter().chain(values));
    }
    align_right(&mut single, 1..of_pairs.len() + 1);
    format!("{table}\n{single}")
}

fn align_right(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The heads that look outside the mask most.
pub(crate) fn worst(rows: &[DebugRow]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "model",
        "worst",
        "layer, head, time group",
        "imacs",
        "sd",
        "n",
        "outside",
        "area",
    ]);
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", 100.0 * share))
    };
    for row in rows {
        let mark = if row.note == "one-token" { "*" } else { "" };
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
    align_right(&mut table, 3..8);
    format!(
        "{table}\nThe worst heads: their mean score, and how much of their attention lies outside the mask beside how much of the area \
         does.\nAll are in debug/MODEL.csv; [intervene] tries what becomes of the picture without them."
    )
}

/// Means over samples: one line per model, direction and level.
pub(crate) fn summary(rows: &[AggregateRow]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "model",
        "score",
        "level or variant",
        "mean",
        "sd",
        "n",
        "missing",
    ]);
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let mut one_token = false;
    for row in rows.iter().filter(|row| shown(row)) {
        let mark = if row.note == "one-token" { "*" } else { "" };
        one_token |= !mark.is_empty();
        table.add_row([
            row.model.clone(),
            format!("{}{mark}", row.metric),
            if row.level.is_empty() {
                row.convention.clone()
            } else {
                row.level.clone()
            },
            number(row.mean),
            number(row.sd),
            row.n.to_string(),
            row.missing.to_string(),
        ]);
    }
    align_right(&mut table, 3..7);
    let mut text = table.to_string();
    let noted = rows
        .iter()
        .filter(|row| row.stage == Stage::Measure && !row.note.is_empty());
    let notes: BTreeSet<String> = noted
        .map(|row| format!("\n{}: {}", row.metric, row.note))
        .collect();
    text.extend(notes);
    if one_token {
        text.push_str(
            "\n* The reference is one pooled token: attention weights are 1 at every position, so the query and key\n  \
             weights that make this map cannot influence the picture.",
        );
    }
    text
}
