//! Tables on the terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use i2am_results::AggregateRow;

/// Levels that are shown; the others are in the files.
fn shown(row: &AggregateRow) -> bool {
    row.metric.starts_with("imacs")
        && (row.level == "unified"
            || row.level.starts_with("time:")
            || row.level.starts_with("resolution:"))
}

/// Means over samples: one line per model, direction and level.
pub(crate) fn summary(rows: &[AggregateRow]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["model", "score", "level", "mean", "sd", "n", "missing"]);
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let mut one_token = false;
    for row in rows.iter().filter(|row| shown(row)) {
        let mark = if row.note == "one-token" { "*" } else { "" };
        one_token |= !mark.is_empty();
        table.add_row([
            row.model.clone(),
            format!("{}{mark}", row.metric),
            row.level.clone(),
            number(row.mean),
            number(row.sd),
            row.n.to_string(),
            row.missing.to_string(),
        ]);
    }
    for column in 3..7 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = table.to_string();
    if one_token {
        text.push_str(
            "\n* The reference is one pooled token: attention weights are 1 at every position, so the query and key\n  \
             weights that make this map cannot influence the picture.",
        );
    }
    text
}
