//! How much attention falls near the matching place, beside what it would be by chance.

use std::collections::BTreeSet;

use i2am_results::AggregateRow;

use super::raw_or_empty;
use super::results::interval_of;
use crate::names::number;
use crate::plots::short_layer;
use crate::run::{Run, UNIFIED};
use crate::table::{Cell, Column, Table};

/// What the names of all its rows start with; these tables show them and no other.
pub(crate) const PREFIX: &str = "locality";
/// As in rows, with the words of a table.
const DIRECTIONS: [(&str, &str); 2] = [
    ("g2r", "generated to reference"),
    ("r2g", "reference to generated"),
];
const DECIMALS: usize = 3;
/// Levels of the second table, in its order.
const KINDS: [&str; 3] = ["time:", "head:", "layer:"];

/// Models against their controls, then level by level; none for runs that recorded nothing of it.
pub(super) fn tables(runs: &[Run]) -> Vec<Table> {
    let scores: Vec<Score<'_>> = runs.iter().flat_map(Score::of_run).collect();
    if scores.is_empty() {
        return Vec::new();
    }
    let many = runs.len() > 1;
    vec![of_models(&scores, many), of_levels(&scores, many)]
}

/// One score with its controls.
struct Score<'a> {
    run: &'a Run,
    near: &'a AggregateRow,
    gain: Option<f64>,
    shuffled: Option<f64>,
    uniform: Option<f64>,
}

impl<'a> Score<'a> {
    fn of_run(run: &'a Run) -> Vec<Self> {
        let is_score = |row: &&AggregateRow| row.metric == name("", &row.direction);
        let own = run.aggregate.iter().filter(is_score);
        own.map(|near| {
            let beside = |part: &str| {
                let metric = name(part, &near.direction);
                let same = |row: &&AggregateRow| {
                    row.metric == metric
                        && row.model == near.model
                        && row.level == near.level
                        && row.convention == near.convention
                };
                run.aggregate.iter().find(same)?.mean
            };
            Self {
                run,
                near,
                gain: beside("_gain"),
                shuffled: beside("_shuffled"),
                uniform: beside("_uniform"),
            }
        })
        .collect()
    }

    /// Run, if there are many, and model.
    fn subject(&self, many: bool) -> Vec<Cell> {
        let run = many.then(|| Cell::new(&self.run.label));
        let model = Cell::new(&self.near.model);
        run.into_iter().chain([model]).collect()
    }
}

/// `locality_gain_g2r`
fn name(part: &str, direction: &str) -> String {
    format!("{PREFIX}{part}_{direction}")
}

fn shown(value: Option<f64>) -> Cell {
    Cell::new(value.map_or_else(|| "–".to_owned(), |value| number(value, DECIMALS)))
}

fn subject_columns(many: bool) -> Vec<Column> {
    let run = many.then(|| Column::text("Run"));
    run.into_iter().chain([Column::text("Model")]).collect()
}

fn of_models(scores: &[Score<'_>], many: bool) -> Table {
    let mut columns = subject_columns(many);
    columns.push(Column::text("Direction"));
    columns.extend(
        [
            "Radius", "Near ↑", "Shuffled", "Uniform", "Gain ↑", "n", "Missing",
        ]
        .map(Column::number),
    );
    let unified = scores.iter().filter(|score| score.near.level == UNIFIED);
    let mut unified: Vec<&Score<'_>> = unified.collect();
    unified.sort_by_key(|score| {
        let AggregateRow {
            model,
            direction,
            convention,
            ..
        } = score.near;
        // Shorter numbers are smaller.
        (
            &score.run.label,
            model,
            direction,
            convention.len(),
            convention,
        )
    });
    let rows = unified.into_iter().map(|score| {
        let near = score.near;
        let words = DIRECTIONS.iter().find(|(own, _)| *own == near.direction);
        let mut row = score.subject(many);
        row.push(Cell::new(
            words.map_or(near.direction.as_str(), |(_, words)| words),
        ));
        row.push(Cell::new(near.convention.trim_start_matches("r=")));
        row.extend([near.mean, score.shuffled, score.uniform, score.gain].map(shown));
        row.extend([near.n, near.missing].map(|count| Cell::new(count.to_string())));
        row
    });
    Table {
        name: "locality".to_owned(),
        caption: "Locality: share of attention within a radius of the matching place of the other picture, mean over all spatial layers, \
                  heads, steps, positions and samples."
            .to_owned(),
        columns,
        rows: rows.collect(),
        notes: vec![
            "Radius in cells of the map looked at; 0 is the matching cell alone.".to_owned(),
            "Shuffled: the same share around the matching place of any other position, as of a map that looks at the same places \
             whatever position asks. Uniform: of even attention. Gain: 0 at shuffled, 1 with all attention near."
                .to_owned(),
        ],
        raw: raw(scores),
    }
}

/// One line for each level of each model, one column for each direction and radius.
fn of_levels(scores: &[Score<'_>], many: bool) -> Table {
    let mut columns = subject_columns(many);
    columns.push(Column::text("Level"));
    let mut kinds = Vec::new();
    for (direction, words) in DIRECTIONS {
        let own = scores
            .iter()
            .filter(|score| score.near.direction == direction);
        // Shorter numbers are smaller.
        let radius = own.map(|score| score.near.convention.as_str());
        let radii: BTreeSet<(usize, &str)> = radius.map(|text| (text.len(), text)).collect();
        kinds.extend(
            radii
                .into_iter()
                .map(|(_, radius)| (direction, words, radius)),
        );
    }
    columns.extend(kinds.iter().map(|(_, words, radius)| Column {
        variant: (*radius).to_owned(),
        ..Column::number(*words)
    }));
    let mut lines: Vec<&Score<'_>> = Vec::new();
    for kind in KINDS {
        for score in scores
            .iter()
            .filter(|score| score.near.level.starts_with(kind))
        {
            let same = |line: &&Score<'_>| same_line(line, score);
            if !lines.iter().any(same) {
                lines.push(score);
            }
        }
    }
    // Models one after the other, each with its levels in order: the sort is stable.
    lines.sort_by(|a, b| (&a.run.label, &a.near.model).cmp(&(&b.run.label, &b.near.model)));
    let rows = lines.iter().map(|line| {
        let mut row = line.subject(many);
        let level = &line.near.level;
        row.push(Cell::new(match level.strip_prefix("layer:") {
            Some(layer) => short_layer(layer),
            None => level.replace(':', " "),
        }));
        row.extend(kinds.iter().map(|(direction, _, radius)| {
            let is = |score: &&Score<'_>| {
                same_line(line, score)
                    && score.near.direction == *direction
                    && score.near.convention == *radius
            };
            scores
                .iter()
                .find(is)
                .map_or_else(Cell::default, |score| Cell {
                    detail: score.shuffled.map_or_else(String::new, |value| {
                        format!("({})", number(value, DECIMALS))
                    }),
                    ..shown(score.near.mean)
                })
        }));
        row
    });
    Table {
        name: "locality_levels".to_owned(),
        caption: "Locality by time, noisiest first, head and layer; in brackets the same share around shuffled matching places.".to_owned(),
        columns,
        rows: rows.collect(),
        notes: Vec::new(),
        raw: raw(scores),
    }
}

fn same_line(a: &Score<'_>, b: &Score<'_>) -> bool {
    std::ptr::eq(a.run, b.run) && a.near.model == b.near.model && a.near.level == b.near.level
}

fn raw(scores: &[Score<'_>]) -> Vec<Vec<String>> {
    let header = [
        "run",
        "model",
        "direction",
        "level",
        "radius",
        "near",
        "sd",
        "low",
        "high",
        "shuffled",
        "uniform",
        "gain",
        "n",
        "missing",
    ];
    let line = |score: &Score<'_>| {
        let near = score.near;
        let [low, high] = interval_of(near).map_or([None; 2], |ends| ends.map(Some));
        let mut line = vec![
            score.run.label.clone(),
            near.model.clone(),
            near.direction.clone(),
            near.level.clone(),
            near.convention.trim_start_matches("r=").to_owned(),
        ];
        let numbers = [
            near.mean,
            near.sd,
            low,
            high,
            score.shuffled,
            score.uniform,
            score.gain,
        ];
        line.extend(numbers.map(raw_or_empty));
        line.extend([near.n, near.missing].map(|count| count.to_string()));
        line
    };
    let header = header.map(str::to_owned).to_vec();
    std::iter::once(header)
        .chain(scores.iter().map(line))
        .collect()
}
