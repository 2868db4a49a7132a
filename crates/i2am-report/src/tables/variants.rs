//! Tables with a line for each variant of a score: what was tried by model and variant, with intervals.

use i2am_quantity::{Better, Quantity, Role, number};

use super::lines::{Line, column, lines, parts};
use super::{bracketed, raw, raw_or_empty, text_of};
use crate::run::Run;
use crate::series::slug;
use crate::table::{Cell, Column, Rank, Table, ranks};

/// What distinguishes such a table from others.
pub(super) struct Variants {
    /// The quantities in it name it as their place.
    pub(super) name: &'static str,
    /// What a variant is.
    pub(super) heading: &'static str,
    pub(super) caption: &'static str,
}

/// Mean values by model and variant; `None` for runs that have none.
pub(super) fn table(runs: &[Run], variants: &Variants) -> Option<Table> {
    let found = lines(runs, variants.name);
    let value = found.first()?.value;
    let mut parts = parts(runs, variants.name);
    parts.retain(|part| part.role != Role::Value);
    let many = runs.len() > 1;
    let levels = found.iter().any(|line| line.row.level.is_some());
    let mut columns = Vec::new();
    if many {
        columns.push(Column::text("Run"));
    }
    columns.extend([Column::text("Model"), Column::text(variants.heading)]);
    if levels {
        columns.push(Column::text("Level"));
    }
    columns.extend([column(value), Column::number("95 % interval")]);
    columns.extend(parts.iter().map(|part| column(part)));
    columns.extend(["n", "Missing"].map(Column::number));

    let values: Vec<Option<(f64, String)>> = found
        .iter()
        .map(|line| line.row.mean.map(|mean| (mean, value.format(mean))))
        .collect();
    let ranked = value.better != Better::Neither;
    let ranks = if ranked {
        ranks(&values, |a, b| value.better.prefers(a, b))
    } else {
        vec![Rank::Plain; values.len()]
    };
    let best = if ranked {
        " Best in bold, second best underlined."
    } else {
        ""
    };
    let rows = found
        .iter()
        .zip(&values)
        .zip(ranks)
        .map(|((line, shown), rank)| {
            let row = line.row;
            let mut cells = Vec::new();
            if many {
                cells.push(Cell::new(&line.run.label));
            }
            cells.extend([Cell::new(&row.model), Cell::new(&row.convention)]);
            if levels {
                cells.push(Cell::new(text_of(row.level.as_ref())));
            }
            cells.push(Cell {
                text: shown
                    .as_ref()
                    .map_or_else(|| "–".to_owned(), |(_, text)| text.clone()),
                rank,
                detail: String::new(),
                marks: row.note.marks(),
            });
            let interval = line.run.interval(row);
            cells.push(Cell::new(
                interval.map_or_else(String::new, |[low, high]| {
                    bracketed(&value.format(low), &value.format(high))
                }),
            ));
            cells.extend(parts.iter().map(|part| Cell::new(part_text(line, part))));
            cells.extend([row.n, row.missing].map(|count| Cell::new(count.to_string())));
            cells
        });
    Some(Table {
        name: variants.name.to_owned(),
        caption: format!("{}{best}", variants.caption),
        columns,
        rows: rows.collect(),
        notes: vec!["Intervals: Student's t over samples.".to_owned()],
        raw: raw_rows(&found, value, &parts, &variants.heading.to_lowercase()),
        indexed: Vec::new(),
    })
}

/// Empty where there is none: a guess without a map always has a box.
fn part_text(line: &Line<'_>, part: &Quantity) -> String {
    line.mean(part.title).map_or_else(String::new, |mean| {
        if part.role == Role::Found {
            format!("{} %", number(100.0 * mean, 0))
        } else {
            part.format(mean)
        }
    })
}

fn raw_rows(
    found: &[Line<'_>],
    value: &Quantity,
    parts: &[&Quantity],
    heading: &str,
) -> Vec<Vec<String>> {
    let mut header = ["run", "model", heading, "direction", "level"]
        .map(str::to_owned)
        .to_vec();
    header.push(slug(value.title));
    header.extend(["sd", "low", "high"].map(str::to_owned));
    header.extend(parts.iter().map(|part| slug(part.title)));
    header.extend(["n", "missing", "note"].map(str::to_owned));
    let of_line = |line: &Line<'_>| {
        let row = line.row;
        let [low, high] = line
            .run
            .interval(row)
            .map_or_else(Default::default, |ends| ends.map(raw));
        let mut cells = vec![
            line.run.label.clone(),
            row.model.clone(),
            row.convention.clone(),
            text_of(row.direction),
            text_of(row.level.as_ref()),
            raw_or_empty(row.mean),
            raw_or_empty(row.sd),
            low,
            high,
        ];
        cells.extend(parts.iter().map(|part| raw_or_empty(line.mean(part.title))));
        cells.extend([
            row.n.to_string(),
            row.missing.to_string(),
            row.note.to_string(),
        ]);
        cells
    };
    std::iter::once(header)
        .chain(found.iter().map(of_line))
        .collect()
}
