//! The tables of a report.

mod correlations;
mod detection;
mod locality;
mod results;

use crate::run::{Run, Subject};
use crate::table::Table;

pub(crate) use locality::PREFIX as LOCALITY;

/// What tables say beyond values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableConfig {
    /// Whether means come with their 95 % interval.
    pub intervals: bool,
}

/// The tables that `runs` have something for, in the order of a reader.
pub(crate) fn all(runs: &[Run], config: TableConfig) -> Vec<Table> {
    let mut tables: Vec<Table> = results::table(runs, config).into_iter().collect();
    tables.extend(correlations::tables(runs));
    tables.extend(detection::table(runs));
    tables.extend(locality::tables(runs));
    tables
}

/// Every model of every run.
fn subjects(runs: &[Run]) -> Vec<Subject> {
    let of_run = |(index, run): (usize, &Run)| {
        let subject = move |model| Subject { run: index, model };
        run.models().into_iter().map(subject)
    };
    runs.iter().enumerate().flat_map(of_run).collect()
}

/// Low and high end in brackets.
fn bracketed(low: &str, high: &str) -> String {
    format!("[{low}, {high}]")
}

/// The shortest text that reads back as the same number, as in the files of a run.
fn raw(value: f64) -> String {
    format!("{value:?}")
}

fn raw_or_empty(value: Option<f64>) -> String {
    value.map_or_else(String::new, raw)
}
