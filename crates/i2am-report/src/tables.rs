//! The tables of a report.

mod correlations;
mod correspondence;
mod detection;
mod faithfulness;
mod lines;
mod locality;
mod paired;
mod results;
mod variants;

use std::collections::BTreeSet;

pub(crate) use correlations::{oriented_interval, p_text};

use i2am_quantity::Quantities;

use crate::order::best_first;
use crate::run::{Run, Subject};
use crate::series::Series;
use crate::table::{Table, index_of};

/// What tables say beyond values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableConfig {
    /// Whether means come with their 95 % interval.
    pub intervals: bool,
}

/// The tables that `runs` have something for, in the order of a reader.
pub(crate) fn all(runs: &[Run], config: TableConfig, quantities: Quantities<'_>) -> Vec<Table> {
    let mut tables: Vec<Table> = results::table(runs, config).into_iter().collect();
    tables.extend(correlations::tables(runs));
    let variants = [
        detection::DETECTION,
        faithfulness::FAITHFULNESS,
        faithfulness::AGREEMENT,
        faithfulness::COUNTERFACTUAL,
        faithfulness::MARK,
        faithfulness::KNOCK_OUT,
        faithfulness::WORTH,
        faithfulness::RANDOMIZED,
        correspondence::HITS,
        correspondence::DISTANCES,
    ];
    tables.extend(
        variants
            .iter()
            .filter_map(|kind| variants::table(runs, kind)),
    );
    tables.extend(paired::table(runs));
    tables.extend(locality::tables(runs));
    let indexed = |title: &&str| index_of(title).is_some();
    let indexed: Vec<&'static str> = quantities.iter().map(|q| q.title).filter(indexed).collect();
    for table in &mut tables {
        table.indexed.clone_from(&indexed);
    }
    under_protocols(runs, tables)
}

/// The main table alone.
pub(crate) fn results(runs: &[Run], config: TableConfig) -> Option<Table> {
    let table = results::table(runs, config).into_iter().collect();
    under_protocols(runs, table).pop()
}

/// `tables` with a note of the protocols that their numbers stand under.
fn under_protocols(runs: &[Run], mut tables: Vec<Table>) -> Vec<Table> {
    let protocols: BTreeSet<&str> = runs.iter().map(Run::protocol).collect();
    for table in &mut tables {
        table
            .notes
            .extend(protocols.iter().copied().map(str::to_owned));
    }
    tables
}

/// Every model of every run, those of a run best first.
fn subjects(runs: &[Run]) -> Vec<Subject> {
    let of_run = |(index, run): (usize, &Run)| {
        let subject = move |model| Subject { run: index, model };
        best_first(run).models.into_iter().map(subject)
    };
    runs.iter().enumerate().flat_map(of_run).collect()
}

/// What readers of these columns have to know, each sentence once.
fn footnotes<'a>(columns: impl Iterator<Item = &'a Series>) -> Vec<String> {
    let mut texts = Vec::new();
    for text in columns.map(Series::footnote) {
        if !text.is_empty() && !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.into_iter().map(str::to_owned).collect()
}

/// `a, b and c`.
pub(crate) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
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

/// As in the files of a run: empty for none.
fn text_of(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}
