//! How scores correlate with metrics: over models, within models, and which of two scores does so more.

use std::collections::BTreeSet;

use i2am_quantity::number;
use i2am_results::{CORRELATION_COLUMNS, CorrelationRow, Unit};

use super::{bracketed, raw, raw_or_empty, text_of};
use crate::level::is_whole;
use crate::run::Run;
use crate::table::{Cell, Column, Table};

/// Methods in the order of columns, with what their coefficient is called.
const METHODS: [(&str, &str); 3] = [
    ("pearson", "Pearson r"),
    ("spearman", "Spearman ρ"),
    ("kendall", "Kendall τ"),
];

/// The one column of a run's file that the table leaves out.
const STATUS: &str = "status";

/// Digits of coefficients.
const DECIMALS: usize = 2;

const ORIENTATION: &str = "Signs are turned where lower is better: positive means that the metric is better where the score is higher. \
p is two-sided, with Holm's correction where the run made one.";

type Found<'a> = (&'a Run, &'a CorrelationRow);

/// Over models and pooled over samples; within each model; comparisons of two scores. Those that `runs` have rows for.
pub(super) fn tables(runs: &[Run]) -> Vec<Table> {
    let rows = runs
        .iter()
        .flat_map(|run| run.correlations.iter().map(move |row| (run, row)));
    let all: Vec<Found<'_>> = rows.collect();
    let plain = |found: &&Found<'_>| found.1.rival.is_empty();
    let of = |kept: fn(Unit) -> bool| -> Vec<Found<'_>> {
        let of_unit = |found: &&Found<'_>| kept(found.1.unit);
        all.iter().filter(plain).filter(of_unit).copied().collect()
    };
    let across = Shape {
        name: "correlations",
        caption: "Correlation of scores of maps with metrics of images, over models and pooled over the samples within models.",
        runs,
        of_models: false,
    };
    let within = Shape {
        name: "correlations_within",
        caption: "Correlation of scores of maps with metrics of images over the samples of each model.",
        runs,
        of_models: true,
    };
    let tables = [
        across.table(&of(|unit| unit != Unit::Sample)),
        within.table(&of(|unit| unit == Unit::Sample)),
        comparisons(runs, &all),
    ];
    tables.into_iter().flatten().collect()
}

struct Shape<'a> {
    name: &'static str,
    caption: &'static str,
    runs: &'a [Run],
    of_models: bool,
}

/// What one row of the table is about; methods are its columns.
#[derive(Clone, PartialEq, Eq)]
struct Line<'a> {
    run: &'a str,
    unit: Unit,
    model: &'a str,
    score: String,
    metric: String,
    covariate: &'a str,
}

impl Shape<'_> {
    fn table(&self, found: &[Found<'_>]) -> Option<Table> {
        let shown: Vec<&Found<'_>> = found
            .iter()
            .filter(|(_, row)| is_whole(row.level.as_ref()))
            .collect();
        if shown.is_empty() {
            return None;
        }
        let mut lines: Vec<Line<'_>> = Vec::new();
        for (run, row) in &shown {
            let line = line_of(run, row);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        // A line without any value says nothing that its reason below does not.
        let has_value = |line: &Line<'_>| {
            let mut own = shown.iter().filter(|(run, row)| line_of(run, row) == *line);
            own.any(|(_, row)| row.oriented.is_some())
        };
        lines.retain(has_value);
        if lines.is_empty() {
            return None;
        }
        let given = lines.iter().any(|line| !line.covariate.is_empty());
        let many = self.runs.len() > 1;
        let methods: Vec<_> = METHODS
            .into_iter()
            .filter(|(name, _)| shown.iter().any(|(_, row)| row.method == *name))
            .collect();
        let mut columns = Vec::new();
        if many {
            columns.push(Column::text("Run"));
        }
        columns.push(Column::text(if self.of_models { "Model" } else { "Over" }));
        columns.extend([Column::text("Score"), Column::text("Metric")]);
        if given {
            columns.push(Column::text("Given"));
        }
        for (_, title) in &methods {
            columns.extend([Column::number(*title), Column::number("p")]);
        }
        columns.push(Column::number("n"));

        let row = |line: &Line<'_>| {
            let of_line: Vec<&CorrelationRow> = shown
                .iter()
                .filter(|(run, row)| line_of(run, row) == *line)
                .map(|(_, row)| *row)
                .collect();
            let mut cells = Vec::new();
            if many {
                cells.push(Cell::new(line.run));
            }
            cells.push(Cell::new(if self.of_models {
                line.model
            } else {
                over(line.unit)
            }));
            cells.push(Cell::new(&line.score));
            cells.push(Cell::new(&line.metric));
            if given {
                cells.push(Cell::new(
                    line.covariate.replace('_', " ").replace('+', ", "),
                ));
            }
            for (name, _) in &methods {
                cells.extend(coefficient(
                    of_line.iter().find(|row| row.method == *name).copied(),
                ));
            }
            let n = of_line.iter().map(|row| row.n).max().unwrap_or_default();
            cells.push(Cell::new(n.to_string()));
            cells
        };
        Some(Table {
            name: self.name.to_owned(),
            caption: self.caption.to_owned(),
            columns,
            rows: lines.iter().map(row).collect(),
            notes: notes(shown.iter().map(|(_, row)| *row)),
            raw: raw_rows(found),
            indexed: Vec::new(),
        })
    }
}

fn line_of<'a>(run: &'a Run, row: &'a CorrelationRow) -> Line<'a> {
    Line {
        run: &run.label,
        unit: row.unit,
        model: &row.model,
        score: run.title(&row.score, ""),
        metric: run.title(&row.metric, &row.variant),
        covariate: &row.covariate,
    }
}

/// Coefficient with its interval, and p.
fn coefficient(row: Option<&CorrelationRow>) -> [Cell; 2] {
    let Some(row) = row else {
        return Default::default();
    };
    let Some(value) = row.oriented else {
        return [Cell::new("–"), Cell::default()];
    };
    let interval = oriented_interval(row).map(|ends| ends.map(|end| number(end, DECIMALS)));
    let detail = interval.map_or_else(String::new, |[low, high]| bracketed(&low, &high));
    let cell = Cell {
        detail,
        marks: row.note.marks(),
        ..Cell::new(number(value, DECIMALS))
    };
    [cell, Cell::new(p_text(row.p_holm.or(row.p)))]
}

/// The interval with the sign of the oriented value.
pub(crate) fn oriented_interval(row: &CorrelationRow) -> Option<[f64; 2]> {
    let ([low, high], value, oriented) = (row.interval?, row.outcome.value()?, row.oriented?);
    let turned = value != 0.0 && value.signum() != oriented.signum();
    Some(if turned { [-high, -low] } else { [low, high] })
}

/// A p-value as tables have it; empty without one.
pub(crate) fn p_text(p: Option<f64>) -> String {
    match p {
        None => String::new(),
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        Some(p) => number(p, 3),
    }
}

fn over(unit: Unit) -> &'static str {
    match unit {
        Unit::Model => "models",
        Unit::Sample => "samples",
        Unit::Pooled => "samples, pooled",
    }
}

/// A remark with a capital and a full stop; a symbol at its start, `n`, stays as it is.
fn sentence(note: &str) -> String {
    let symbol = note.split(' ').next().is_some_and(|word| word.len() == 1);
    let mut letters = note.chars();
    let first = letters.next().filter(|_| !symbol);
    let mut text = match first {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => note.to_owned(),
    };
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

/// How the remark of a pooled row begins.
const POOLED: &str = "random effects over ";
const POOLING: &str =
    "Pooled by random effects over the models; tau² and I² of each row are in the CSV.";

/// What the numbers mean, then what rows say about themselves and why some have no value, each once.
fn notes<'a>(rows: impl Iterator<Item = &'a CorrelationRow>) -> Vec<String> {
    let mut said = BTreeSet::new();
    for row in rows {
        let of_row = row.note.remarks().chain([row.outcome.reason()]);
        for note in of_row.filter(|note| !note.is_empty()) {
            // Figures of a single row, a line each: for readers of the CSV.
            let pooled = note.starts_with(POOLED);
            said.insert(if pooled {
                POOLING.to_owned()
            } else {
                sentence(note)
            });
        }
    }
    std::iter::once(ORIENTATION.to_owned())
        .chain(said)
        .collect()
}

/// Which of two scores correlates more with a metric.
fn comparisons(runs: &[Run], all: &[Found<'_>]) -> Option<Table> {
    let found: Vec<Found<'_>> = all
        .iter()
        .filter(|(_, row)| !row.rival.is_empty() && row.oriented.is_some())
        .copied()
        .collect();
    if found.is_empty() {
        return None;
    }
    let many = runs.len() > 1;
    let mut columns = Vec::new();
    if many {
        columns.push(Column::text("Run"));
    }
    columns.extend(["Over", "Score", "Rival", "Metric", "Test"].map(Column::text));
    columns.extend(["z", "p", "n"].map(Column::number));
    let rows = found.iter().map(|(run, row)| {
        let mut cells = Vec::new();
        if many {
            cells.push(Cell::new(&run.label));
        }
        let over = if row.model.is_empty() {
            over(row.unit)
        } else {
            &row.model
        };
        let texts = [
            over.to_owned(),
            run.title(&row.score, ""),
            run.title(&row.rival, ""),
            run.title(&row.metric, &row.variant),
            row.method.replace(':', ", "),
            row.oriented
                .map_or_else(|| "–".to_owned(), |z| number(z, DECIMALS)),
            p_text(row.p_holm.or(row.p)),
            row.n.to_string(),
        ];
        cells.extend(texts.map(Cell::new));
        cells
    });
    let mut notes = notes(found.iter().map(|(_, row)| *row));
    "Positive z: the metric gets better with a higher score more than it does with a higher rival."
        .clone_into(&mut notes[0]);
    Some(Table {
        name: "correlations_compared".to_owned(),
        caption:
            "Which of two scores correlates more with a metric: tests for dependent correlations."
                .to_owned(),
        columns,
        rows: rows.collect(),
        notes,
        raw: raw_rows(&found),
        indexed: Vec::new(),
    })
}

fn raw_rows(found: &[Found<'_>]) -> Vec<Vec<String>> {
    // As in the file of the run, without the status, which value and reason show.
    let columns = CORRELATION_COLUMNS
        .iter()
        .filter(|column| **column != STATUS);
    let header = std::iter::once(&"run").chain(columns);
    let header: Vec<String> = header.map(|column| (*column).to_owned()).collect();
    let line = |(run, row): &Found<'_>| {
        let [low, high] = row
            .interval
            .map_or_else(Default::default, |ends| ends.map(raw));
        vec![
            run.label.clone(),
            row.unit.to_string(),
            row.model.clone(),
            row.score.clone(),
            text_of(row.direction),
            text_of(row.level.as_ref()),
            row.metric.clone(),
            row.variant.clone(),
            row.rival.clone(),
            row.covariate.clone(),
            row.method.clone(),
            raw_or_empty(row.outcome.value()),
            raw_or_empty(row.oriented),
            low,
            high,
            raw_or_empty(row.p),
            row.p_by.clone(),
            raw_or_empty(row.p_holm),
            row.n.to_string(),
            row.outcome.reason().to_owned(),
            row.note.to_string(),
        ]
    };
    std::iter::once(header)
        .chain(found.iter().map(line))
        .collect()
}
