//! Boxes from maps, and what boxes cost nothing.

use i2am_results::AggregateRow;

use super::results::{interval_of, is_one_token};
use super::{bracketed, raw, raw_or_empty};
use crate::names::{Quantity, number};
use crate::run::{BOX_FOUND, Run};
use crate::table::{Cell, Column, Rank, Table, ranks};

/// The metric of a box, which this table shows and no other.
pub(super) const METRIC: &str = "iou";

/// Mean overlap by model and procedure; `None` for runs that detect nothing.
pub(super) fn table(runs: &[Run]) -> Option<Table> {
    let found = boxes(runs);
    if found.is_empty() {
        return None;
    }
    let many = runs.len() > 1;
    let levels = found.iter().any(|(_, row)| !row.level.is_empty());
    let mut columns = Vec::new();
    if many {
        columns.push(Column::text("Run"));
    }
    columns.extend([Column::text("Model"), Column::text("Procedure")]);
    if levels {
        columns.push(Column::text("Level"));
    }
    columns.extend(["IoU ↑", "95 % interval", "Box found", "n", "Missing"].map(Column::number));

    let quantity = Quantity::new(METRIC, 1, "");
    let values: Vec<Option<(f64, String)>> = found
        .iter()
        .map(|(_, row)| row.mean.map(|mean| (mean, quantity.format(mean))))
        .collect();
    let ranks = ranks(&values, |a, b| a > b);
    let rows = found
        .iter()
        .zip(&values)
        .zip(ranks)
        .map(|(((run, row), value), rank)| {
            let mut cells = Vec::new();
            if many {
                cells.push(Cell::new(&run.label));
            }
            cells.extend([Cell::new(&row.model), Cell::new(&row.convention)]);
            if levels {
                cells.push(Cell::new(&row.level));
            }
            cells.push(mean_cell(row, value.as_ref(), rank));
            let interval = interval_of(row).map_or_else(String::new, |[low, high]| {
                bracketed(&quantity.format(low), &quantity.format(high))
            });
            cells.push(Cell::new(interval));
            let share = share_found(run, row).map_or_else(String::new, |share| {
                format!("{} %", number(100.0 * share, 0))
            });
            cells.push(Cell::new(share));
            cells.push(Cell::new(row.n.to_string()));
            cells.push(Cell::new(row.missing.to_string()));
            cells
        });
    Some(Table {
        name: "detection".to_owned(),
        caption: "Detection: intersection over union of predicted and true boxes, mean over samples. Best in bold, second best \
                  underlined."
            .to_owned(),
        columns,
        rows: rows.collect(),
        notes: vec!["Intervals: Student's t over samples.".to_owned()],
        raw: raw_rows(&found),
    })
}

fn boxes(runs: &[Run]) -> Vec<(&Run, &AggregateRow)> {
    let mut found = Vec::new();
    for run in runs {
        let own = run.aggregate.iter().filter(|row| row.metric == METRIC);
        found.extend(own.map(|row| (run, row)));
    }
    found
}

/// Of baselines, which always have a box, nobody tells.
fn share_found(run: &Run, row: &AggregateRow) -> Option<f64> {
    let same = |other: &&AggregateRow| {
        other.metric == BOX_FOUND
            && other.model == row.model
            && other.level == row.level
            && other.convention == row.convention
    };
    run.aggregate.iter().find(same)?.mean
}

fn mean_cell(row: &AggregateRow, value: Option<&(f64, String)>, rank: Rank) -> Cell {
    Cell {
        text: value.map_or_else(|| "–".to_owned(), |(_, text)| text.clone()),
        rank,
        detail: String::new(),
        one_token: is_one_token(row),
    }
}

fn raw_rows(found: &[(&Run, &AggregateRow)]) -> Vec<Vec<String>> {
    let header = [
        "run",
        "model",
        "procedure",
        "direction",
        "level",
        "iou",
        "sd",
        "low",
        "high",
        "box_found",
        "n",
        "missing",
        "note",
    ];
    let line = |(run, row): &(&Run, &AggregateRow)| {
        let [low, high] = interval_of(row).map_or_else(Default::default, |ends| ends.map(raw));
        vec![
            run.label.clone(),
            row.model.clone(),
            row.convention.clone(),
            row.direction.clone(),
            row.level.clone(),
            raw_or_empty(row.mean),
            raw_or_empty(row.sd),
            low,
            high,
            raw_or_empty(share_found(run, row)),
            row.n.to_string(),
            row.missing.to_string(),
            row.note.clone(),
        ]
    };
    let header = header.map(str::to_owned).to_vec();
    std::iter::once(header)
        .chain(found.iter().map(line))
        .collect()
}
