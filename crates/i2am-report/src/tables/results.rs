//! Models and their scores.

use std::collections::BTreeSet;

use i2am_results::{AggregateRow, Stage};

use super::{TableConfig, bracketed, raw, raw_or_empty, subjects};
use crate::interval;
use crate::names::Quantity;
use crate::run::{Run, Subject};
use crate::table::{Cell, Column, Rank, Table, ranks};

/// The share of a picture that its mask takes is a covariate of correlations: it belongs to the data and is the same for every model.
const MASK_AREA: &str = "mask_area";

/// The table; `None` before anything is scored.
pub(super) fn table(runs: &[Run], config: TableConfig) -> Option<Table> {
    let subjects = subjects(runs);
    let quantities = quantities(runs);
    if quantities.is_empty() {
        return None;
    }
    let layout = Layout {
        runs,
        subjects: &subjects,
        config,
        many: runs.len() > 1,
        many_datasets: datasets(runs).len() > 1,
    };
    let mut columns = layout.leading_columns();
    columns.extend(quantities.iter().map(|quantity| layout.heading(quantity)));
    columns.push(Column::number("n"));
    let scored: Vec<Vec<Cell>> = quantities
        .iter()
        .map(|quantity| layout.cells(quantity))
        .collect();
    let rows = (0..subjects.len()).map(|index| {
        let mut row = layout.leading_cells(&subjects[index]);
        row.extend(scored.iter().map(|cells| cells[index].clone()));
        row.push(Cell::new(layout.n(&subjects[index]).to_string()));
        row
    });
    Some(Table {
        name: "results".to_owned(),
        caption: layout.caption(),
        columns,
        rows: rows.collect(),
        notes: layout.notes(&quantities),
        raw: layout.raw(&quantities),
    })
}

/// Every quantity with a value, in the order of columns; overlaps of boxes have a table of their own.
fn quantities(runs: &[Run]) -> Vec<Quantity> {
    let rows = runs.iter().flat_map(Run::headline);
    let found: BTreeSet<Quantity> = rows
        .filter(|row| ![super::detection::METRIC, MASK_AREA].contains(&row.metric.as_str()))
        .filter(|row| row.n > 0 || row.missing > 0)
        .map(Quantity::of)
        .collect();
    found.into_iter().collect()
}

fn datasets(runs: &[Run]) -> BTreeSet<String> {
    runs.iter().map(dataset).collect()
}

/// Name, split and pairing, as far as there are any.
fn dataset(run: &Run) -> String {
    let dataset = &run.manifest.dataset;
    let parts = [&dataset.name, &dataset.split, &dataset.pairing];
    let parts: Vec<&str> = parts
        .iter()
        .map(|part| part.as_str())
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" ")
}

struct Layout<'a> {
    runs: &'a [Run],
    subjects: &'a [Subject],
    config: TableConfig,
    many: bool,
    many_datasets: bool,
}

impl Layout<'_> {
    fn row(&self, subject: &Subject, quantity: &Quantity) -> Option<&AggregateRow> {
        let of_model =
            |row: &&AggregateRow| row.model == subject.model && Quantity::of(row) == *quantity;
        self.runs[subject.run].headline().find(of_model)
    }

    /// Samples that most of the model's scores rest on.
    fn n(&self, subject: &Subject) -> usize {
        let rows = self.runs[subject.run].headline();
        let own = rows.filter(|row| row.model == subject.model);
        own.map(|row| row.n).max().unwrap_or_default()
    }

    fn leading_columns(&self) -> Vec<Column> {
        let mut columns = Vec::new();
        if self.many {
            columns.push(Column::text("Run"));
        }
        if self.many_datasets {
            columns.push(Column::text("Data"));
        }
        columns.push(Column::text("Model"));
        columns
    }

    fn leading_cells(&self, subject: &Subject) -> Vec<Cell> {
        let run = &self.runs[subject.run];
        let mut cells = Vec::new();
        if self.many {
            cells.push(Cell::new(&run.label));
        }
        if self.many_datasets {
            cells.push(Cell::new(dataset(run)));
        }
        cells.push(Cell::new(&subject.model));
        cells
    }

    fn heading(&self, quantity: &Quantity) -> Column {
        let arrow = quantity.better().map_or("", |better| better.arrow());
        let is_map = quantity.metric.starts_with("imacs_");
        let shared = is_map && self.conventions().len() == 1;
        let title = quantity.title();
        Column {
            variant: if shared {
                String::new()
            } else {
                quantity.convention.clone()
            },
            ..Column::number(format!("{title}{} {arrow}", quantity.scale()).trim_end())
        }
    }

    /// The attribution conventions in use.
    fn conventions(&self) -> BTreeSet<&str> {
        let rows = self.runs.iter().flat_map(Run::headline);
        let scores =
            rows.filter(|row| row.stage == Stage::Score && row.metric.starts_with("imacs_"));
        scores.map(|row| row.convention.as_str()).collect()
    }

    /// One cell for each subject. Ranks are among models on the same data.
    fn cells(&self, quantity: &Quantity) -> Vec<Cell> {
        let mut cells: Vec<Cell> = self
            .subjects
            .iter()
            .map(|subject| self.cell(subject, quantity))
            .collect();
        let Some(better) = quantity.better() else {
            return cells;
        };
        for data in datasets(self.runs) {
            let on_data = |subject: &Subject| dataset(&self.runs[subject.run]) == data;
            let values: Vec<Option<(f64, String)>> = self
                .subjects
                .iter()
                .map(|subject| {
                    let mean = self
                        .row(subject, quantity)
                        .filter(|_| on_data(subject))?
                        .mean?;
                    Some((mean, quantity.format(mean)))
                })
                .collect();
            for (cell, rank) in cells
                .iter_mut()
                .zip(ranks(&values, |a, b| better.prefers(a, b)))
            {
                if rank != Rank::Plain {
                    cell.rank = rank;
                }
            }
        }
        cells
    }

    fn cell(&self, subject: &Subject, quantity: &Quantity) -> Cell {
        let Some(row) = self.row(subject, quantity) else {
            return Cell::default();
        };
        let Some(mean) = row.mean else {
            return Cell::new("–");
        };
        let mut details = Vec::new();
        if self.config.intervals
            && let Some([low, high]) = interval_of(row)
        {
            details.push(bracketed(&quantity.format(low), &quantity.format(high)));
        }
        if row.n != self.n(subject) {
            details.push(format!("(n {})", row.n));
        }
        Cell {
            text: quantity.format(mean),
            rank: Rank::Plain,
            detail: details.join(" "),
            one_token: is_one_token(row),
        }
    }

    fn caption(&self) -> String {
        let data: Vec<String> = datasets(self.runs).into_iter().collect();
        let data = data.join("; ");
        if self.subjects.len() < 2 {
            return format!("Results on {data}.");
        }
        format!("Results on {data}. Best in bold, second best underlined.")
    }

    fn notes(&self, quantities: &[Quantity]) -> Vec<String> {
        let mut notes = Vec::new();
        let conventions: Vec<&str> = self.conventions().into_iter().collect();
        if let [convention] = conventions[..] {
            notes.push(
                format!("IMACS of unified maps under the convention `{convention}`.")
                    .replace('`', ""),
            );
        }
        if self.config.intervals {
            notes.push(
                "In brackets: 95 % interval of the mean over samples (Student's t).".to_owned(),
            );
        }
        if quantities
            .iter()
            .any(|quantity| quantity.metric == "baseline")
        {
            notes
                .push("Baseline is LPIPS's formula without learned weights, not LPIPS.".to_owned());
        }
        // What a score says about itself: how few pictures it rests on, what was resized.
        let rows = self.runs.iter().flat_map(Run::headline);
        let noted = rows.filter(|row| row.stage == Stage::Measure && !row.note.is_empty());
        let said: BTreeSet<String> = noted
            .map(|row| format!("{}: {}.", Quantity::of(row).title(), row.note))
            .collect();
        notes.extend(said);
        notes
    }

    fn raw(&self, quantities: &[Quantity]) -> Vec<Vec<String>> {
        let mut header: Vec<String> = ["run", "dataset", "model"].map(str::to_owned).to_vec();
        for quantity in quantities {
            let slug = quantity.slug();
            let parts = ["", "_sd", "_low", "_high", "_n", "_note"];
            header.extend(parts.map(|part| format!("{slug}{part}")));
        }
        let line = |subject: &Subject| {
            let run = &self.runs[subject.run];
            let mut line = vec![run.label.clone(), dataset(run), subject.model.clone()];
            for quantity in quantities {
                line.extend(raw_cells(self.row(subject, quantity)));
            }
            line
        };
        let lines = self.subjects.iter().map(line);
        std::iter::once(header.clone()).chain(lines).collect()
    }
}

fn raw_cells(row: Option<&AggregateRow>) -> [String; 6] {
    let Some(row) = row else {
        return Default::default();
    };
    let interval = interval_of(row).map_or_else(Default::default, |ends| ends.map(raw));
    let [low, high] = interval;
    [
        raw_or_empty(row.mean),
        raw_or_empty(row.sd),
        low,
        high,
        row.n.to_string(),
        row.note.clone(),
    ]
}

/// Only a mean over samples has one: the deviation of KID is over subsets of the same pictures.
pub(super) fn interval_of(row: &AggregateRow) -> Option<[f64; 2]> {
    let over_samples = !["fid", "kid"].contains(&row.metric.as_str());
    over_samples
        .then(|| interval::of_mean(row.mean?, row.sd, row.n))
        .flatten()
}

pub(super) fn is_one_token(row: &AggregateRow) -> bool {
    row.note.split("; ").any(|note| note == "one-token")
}
