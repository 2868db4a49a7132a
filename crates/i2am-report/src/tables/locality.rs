//! How much attention falls near the matching place, compared with what it would be by chance.

use std::collections::BTreeSet;

use i2am_quantity::{Direction, Level, Quantity, Role};

use super::lines::{Line, column, lines, parts};
use super::{raw_or_empty, text_of};
use crate::level::{group, label};
use crate::run::Run;
use crate::series::slug;
use crate::table::{Cell, Column, Table};

const NAME: &str = "locality";

/// Both directions, in the order of these tables.
const DIRECTIONS: [Direction; 2] = [
    Direction::GeneratedToReference,
    Direction::ReferenceToGenerated,
];

/// Models compared with their controls, then level by level; none for runs that recorded nothing of it.
pub(super) fn tables(runs: &[Run]) -> Vec<Table> {
    let lines = lines(runs, NAME);
    if lines.is_empty() {
        return Vec::new();
    }
    let parts = parts(runs, NAME);
    let many = runs.len() > 1;
    vec![
        of_models(&lines, &parts, many),
        of_levels(&lines, &parts, many),
    ]
}

/// Run, if there are many, and model.
fn subject(line: &Line<'_>, many: bool) -> Vec<Cell> {
    let run = many.then(|| Cell::new(&line.run.label));
    let model = Cell::new(&line.row.model);
    run.into_iter().chain([model]).collect()
}

fn subject_columns(many: bool) -> Vec<Column> {
    let run = many.then(|| Column::text("Run"));
    run.into_iter().chain([Column::text("Model")]).collect()
}

fn shown(quantity: &Quantity, value: Option<f64>) -> Cell {
    Cell::new(value.map_or_else(|| "–".to_owned(), |value| quantity.format(value)))
}

/// Sorts radii, of which shorter numbers are smaller.
fn by_size(radius: &str) -> (usize, &str) {
    (radius.len(), radius)
}

fn of_models(lines: &[Line<'_>], parts: &[&Quantity], many: bool) -> Table {
    let mut columns = subject_columns(many);
    columns.push(Column::text("Direction"));
    columns.push(Column::number("Radius"));
    columns.extend(parts.iter().map(|part| column(part)));
    columns.extend(["n", "Missing"].map(Column::number));
    let unified = lines
        .iter()
        .filter(|line| line.row.level == Some(Level::Unified));
    let mut unified: Vec<&Line<'_>> = unified.collect();
    unified.sort_by_key(|line| {
        let direction = DIRECTIONS.map(Some);
        let direction = direction
            .iter()
            .position(|known| *known == line.row.direction);
        let radius = by_size(&line.row.convention);
        (&line.run.label, &line.row.model, direction, radius)
    });
    let rows = unified.into_iter().map(|line| {
        let row = line.row;
        let mut cells = subject(line, many);
        cells.push(Cell::new(row.direction.map_or("", Direction::words)));
        cells.push(Cell::new(row.convention.trim_start_matches("r=")));
        cells.extend(parts.iter().map(|part| shown(part, line.mean(part.title))));
        cells.extend([row.n, row.missing].map(|count| Cell::new(count.to_string())));
        cells
    });
    let footnotes = |is_value: bool| {
        let own = parts
            .iter()
            .filter(|part| (part.role == Role::Value) == is_value);
        let texts = own.map(|part| part.footnote);
        texts
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    Table {
        name: NAME.to_owned(),
        caption: "Locality: share of attention within a radius of the matching place of the other image, mean over all spatial layers, \
                  heads, steps, positions and samples."
            .to_owned(),
        columns,
        rows: rows.collect(),
        notes: [true, false]
            .map(footnotes)
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect(),
        raw: raw(lines, parts),
        indexed: Vec::new(),
    }
}

/// One line for each level of each model, one column for each direction and radius.
fn of_levels(lines: &[Line<'_>], parts: &[&Quantity], many: bool) -> Table {
    let mut columns = subject_columns(many);
    columns.push(Column::text("Level"));
    let mut kinds = Vec::new();
    for direction in DIRECTIONS {
        let own = lines
            .iter()
            .filter(|line| line.row.direction == Some(direction));
        let radii: BTreeSet<(usize, &str)> =
            own.map(|line| by_size(&line.row.convention)).collect();
        kinds.extend(radii.into_iter().map(|(_, radius)| (direction, radius)));
    }
    columns.extend(kinds.iter().map(|(direction, radius)| Column {
        variant: (*radius).to_owned(),
        ..Column::number(direction.words())
    }));
    // Models one after the other, each with its levels in order: the sort is stable.
    let mut sorted: Vec<(usize, &Line<'_>)> = lines
        .iter()
        .filter_map(|line| Some((group_of(line)?, line)))
        .collect();
    sorted.sort_by_key(|(group, line)| (&line.run.label, &line.row.model, *group));
    let mut firsts: Vec<&Line<'_>> = Vec::new();
    for (_, line) in sorted {
        if !firsts.iter().any(|first| is_same(first, line)) {
            firsts.push(line);
        }
    }
    let control = parts.iter().find(|part| part.role == Role::Control);
    let rows = firsts.iter().map(|first| {
        let mut row = subject(first, many);
        row.push(Cell::new(words(first)));
        row.extend(kinds.iter().map(|(direction, radius)| {
            let is = |line: &&Line<'_>| {
                is_same(first, line)
                    && line.row.direction == Some(*direction)
                    && line.row.convention == *radius
            };
            let Some(line) = lines.iter().find(is) else {
                return Cell::default();
            };
            let by_chance = control.and_then(|part| Some((part, line.mean(part.title)?)));
            Cell {
                detail: by_chance.map_or_else(String::new, |(part, mean)| {
                    format!("({})", part.format(mean))
                }),
                ..shown(line.value, line.row.mean)
            }
        }));
        row
    });
    Table {
        name: format!("{NAME}_levels"),
        caption: "Locality by time, noisiest first, head and layer; in brackets the same share around shuffled matching places.".to_owned(),
        columns,
        rows: rows.collect(),
        notes: Vec::new(),
        raw: raw(lines, parts),
        indexed: Vec::new(),
    }
}

/// The group of a line of the second table; the first has those over everything.
fn group_of(line: &Line<'_>) -> Option<usize> {
    let level = line.row.level.as_ref()?;
    let is_shown = matches!(level, Level::Time(_) | Level::Head(_) | Level::Layer(_));
    group(level).filter(|_| is_shown)
}

/// `time 0`, `head 1`, `up.1.0`
fn words(line: &Line<'_>) -> String {
    match &line.row.level {
        Some(level @ Level::Layer(_)) => label(level),
        level => text_of(level.as_ref()).replace(':', " "),
    }
}

fn is_same(a: &Line<'_>, b: &Line<'_>) -> bool {
    std::ptr::eq(a.run, b.run) && a.row.model == b.row.model && a.row.level == b.row.level
}

fn raw(lines: &[Line<'_>], parts: &[&Quantity]) -> Vec<Vec<String>> {
    let is_value = |part: &&&Quantity| part.role == Role::Value;
    let slugs = |wanted: bool| {
        let own = parts.iter().filter(move |part| is_value(part) == wanted);
        own.map(|part| slug(part.title))
    };
    let fixed = |names: &'static [&str]| names.iter().map(|name| (*name).to_owned());
    let header = fixed(&["run", "model", "direction", "level", "radius"])
        .chain(slugs(true))
        .chain(fixed(&["sd", "low", "high"]))
        .chain(slugs(false))
        .chain(fixed(&["n", "missing"]));
    let of_line = |line: &Line<'_>| {
        let row = line.row;
        let [low, high] = line
            .run
            .interval(row)
            .map_or([None; 2], |ends| ends.map(Some));
        let mut cells = vec![
            line.run.label.clone(),
            row.model.clone(),
            text_of(row.direction),
            text_of(row.level.as_ref()),
            row.convention.trim_start_matches("r=").to_owned(),
        ];
        cells.extend([row.mean, row.sd, low, high].map(raw_or_empty));
        let others = parts.iter().filter(|part| !is_value(part));
        cells.extend(others.map(|part| raw_or_empty(line.mean(part.title))));
        cells.extend([row.n, row.missing].map(|count| count.to_string()));
        cells
    };
    std::iter::once(header.collect())
        .chain(lines.iter().map(of_line))
        .collect()
}
