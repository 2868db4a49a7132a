//! Models and their scores.

use std::collections::{BTreeMap, BTreeSet};

use i2am_quantity::Better;
use i2am_results::{AggregateRow, Stage};

use super::{TableConfig, bracketed, listed, raw, raw_or_empty, subjects};
use crate::order::best_first;
use crate::run::{Run, Subject};
use crate::series::Series;
use crate::table::{Cell, Column, Rank, Table, ranks};

/// The table; `None` before anything is scored.
pub(super) fn table(runs: &[Run], config: TableConfig) -> Option<Table> {
    let subjects = subjects(runs);
    let all = columns_of(runs);
    if all.is_empty() {
        return None;
    }
    let layout = Layout {
        runs,
        scores: all.iter().filter(|series| series.is_score()).collect(),
        subjects: &subjects,
        config,
        many: runs.len() > 1,
        many_datasets: datasets(runs).len() > 1,
    };
    let mut columns = layout.leading_columns();
    columns.extend(all.iter().map(|series| layout.heading(series)));
    columns.push(Column::number("n"));
    let scored: Vec<Vec<Cell>> = all.iter().map(|series| layout.cells(series)).collect();
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
        notes: layout.notes(&all),
        raw: layout.raw(&all),
        indexed: Vec::new(),
    })
}

/// Every series with samples that is a column of this table, in the order of columns.
fn columns_of(runs: &[Run]) -> Vec<Series> {
    let of_run = |run| {
        let rows = Run::headline(run).filter(|row| row.n > 0 || row.missing > 0);
        rows.map(move |row| run.series(row))
    };
    let found: BTreeSet<Series> = runs
        .iter()
        .flat_map(of_run)
        .filter(Series::is_column)
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
    /// Columns that are about maps.
    scores: Vec<&'a Series>,
    subjects: &'a [Subject],
    config: TableConfig,
    many: bool,
    many_datasets: bool,
}

impl Layout<'_> {
    fn row(&self, subject: &Subject, series: &Series) -> Option<&AggregateRow> {
        let run = &self.runs[subject.run];
        let of_model =
            |row: &&AggregateRow| row.model == subject.model && run.series(row) == *series;
        run.headline().find(of_model)
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

    fn heading(&self, series: &Series) -> Column {
        let arrow = series.better().arrow();
        let shared = series.is_score() && self.conventions().len() == 1;
        let title = series.title();
        Column {
            variant: if shared {
                String::new()
            } else {
                series.convention.clone()
            },
            ..Column::number(format!("{title}{} {arrow}", series.scale()).trim_end())
        }
    }

    /// The attribution conventions of all scores of maps.
    fn conventions(&self) -> BTreeSet<&str> {
        self.scores
            .iter()
            .map(|score| score.convention.as_str())
            .collect()
    }

    /// One cell for each subject. Ranks are among models on the same data.
    fn cells(&self, series: &Series) -> Vec<Cell> {
        let mut cells: Vec<Cell> = self
            .subjects
            .iter()
            .map(|subject| self.cell(subject, series))
            .collect();
        let better = series.better();
        if better == Better::Neither {
            return cells;
        }
        for data in datasets(self.runs) {
            let on_data = |subject: &Subject| dataset(&self.runs[subject.run]) == data;
            let values: Vec<Option<(f64, String)>> = self
                .subjects
                .iter()
                .map(|subject| {
                    let mean = self
                        .row(subject, series)
                        .filter(|_| on_data(subject))?
                        .mean?;
                    Some((mean, series.format(mean)))
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

    fn cell(&self, subject: &Subject, series: &Series) -> Cell {
        let Some(row) = self.row(subject, series) else {
            return Cell::default();
        };
        let Some(mean) = row.mean else {
            return Cell::new("–");
        };
        let mut details = Vec::new();
        if self.config.intervals
            && let Some([low, high]) = self.runs[subject.run].interval(row)
        {
            details.push(bracketed(&series.format(low), &series.format(high)));
        }
        if row.n != self.n(subject) {
            details.push(format!("(n {})", row.n));
        }
        Cell {
            text: series.format(mean),
            rank: Rank::Plain,
            detail: details.join(" "),
            marks: row.note.marks(),
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

    fn notes(&self, all: &[Series]) -> Vec<String> {
        let mut notes = Vec::new();
        // Runs with other metrics are in another order.
        let orders: BTreeSet<Vec<String>> =
            self.runs.iter().map(|run| best_first(run).by).collect();
        notes.extend(orders.iter().filter(|by| !by.is_empty()).map(|by| {
            format!(
                "Models stand in the order of their mean rank in {}.",
                listed(by)
            )
        }));
        if let (Some(first), 1) = (self.scores.first(), self.conventions().len()) {
            let titles: BTreeSet<&str> = self.scores.iter().map(|score| score.title()).collect();
            let titles = titles.into_iter().collect::<Vec<_>>().join(" and ");
            notes.push(format!(
                "{titles} of unified maps under the convention {}.",
                first.convention
            ));
        }
        if self.config.intervals {
            notes.push(
                "In brackets: 95 % interval of the mean over samples (Student's t).".to_owned(),
            );
        }
        notes.extend(super::footnotes(all.iter()));
        // What a metric says about itself: how few images it rests on, what was resized.
        let of_run = |run| {
            let rows = Run::headline(run);
            let noted = rows.filter(|row| row.stage == Stage::Measure && !row.note.is_empty());
            noted.map(move |row| format!("{}: {}.", run.series(row).title(), row.note))
        };
        let said: BTreeSet<String> = self.runs.iter().flat_map(of_run).collect();
        notes.extend(said);
        notes.extend(self.runs.iter().flat_map(Run::failures));
        notes.extend(self.without_values(all));
        notes
    }

    /// Which models have no value for some samples, and why: one sentence for all models of one column that say the same.
    fn without_values(&self, all: &[Series]) -> impl Iterator<Item = String> {
        let mut said: BTreeMap<(Series, String), Vec<String>> = BTreeMap::new();
        for run in self.runs {
            for row in run.headline() {
                let series = run.series(row);
                if let Some(why) = row.without_value()
                    && all.contains(&series)
                {
                    let models = said.entry((series, why)).or_default();
                    if !models.contains(&row.model) {
                        models.push(row.model.clone());
                    }
                }
            }
        }
        said.into_iter().map(|((series, why), models)| {
            format!("{} of {}: {why}.", series.title(), listed(&models))
        })
    }

    fn raw(&self, all: &[Series]) -> Vec<Vec<String>> {
        let mut header: Vec<String> = ["run", "dataset", "model"].map(str::to_owned).to_vec();
        for series in all {
            let slug = series.slug();
            let parts = ["", "_sd", "_low", "_high", "_n", "_note"];
            header.extend(parts.map(|part| format!("{slug}{part}")));
        }
        let line = |subject: &Subject| {
            let run = &self.runs[subject.run];
            let mut line = vec![run.label.clone(), dataset(run), subject.model.clone()];
            for series in all {
                line.extend(raw_cells(run, self.row(subject, series)));
            }
            line
        };
        let lines = self.subjects.iter().map(line);
        std::iter::once(header.clone()).chain(lines).collect()
    }
}

fn raw_cells(run: &Run, row: Option<&AggregateRow>) -> [String; 6] {
    let Some(row) = row else {
        return Default::default();
    };
    let interval = run
        .interval(row)
        .map_or_else(Default::default, |ends| ends.map(raw));
    let [low, high] = interval;
    [
        raw_or_empty(row.mean),
        raw_or_empty(row.sd),
        low,
        high,
        row.n.to_string(),
        row.note.to_string(),
    ]
}
