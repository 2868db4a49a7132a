//! A table, and the three forms it is written in.

mod csv_form;
mod latex;
mod markdown;

use i2am_quantity::Marks;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::ReportError;

/// A table. Text is Unicode; what a form cannot show it spells its own way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Name of its files, without ending.
    pub name: String,
    /// What it shows, a sentence.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, one cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// Sentences below it.
    pub notes: Vec<String>,
    /// The same with raw values, for programs: heading, then rows.
    #[serde(skip)]
    pub raw: Vec<Vec<String>>,
    /// Titles that its text may hold whose last letter is set lower: `IMACS_g`.
    #[serde(skip)]
    pub indexed: Vec<&'static str>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its heading.
    pub heading: String,
    /// Which definition of that, where there are several; smaller, below the heading.
    pub variant: String,
    /// Whether it holds numbers, which are set to the right.
    pub numeric: bool,
}

impl Column {
    pub(crate) fn text(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            variant: String::new(),
            numeric: false,
        }
    }

    pub(crate) fn number(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            variant: String::new(),
            numeric: true,
        }
    }
}

/// How a cell stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rank {
    /// It does not.
    #[default]
    Plain,
    /// Bold: the best of its column.
    Best,
    /// Underlined: the second best.
    Second,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Cell {
    /// What it says; empty where there is nothing to say.
    pub text: String,
    /// How that stands out.
    pub rank: Rank,
    /// Something smaller behind it: an interval, or how many samples it rests on.
    pub detail: String,
    /// The marks of footnotes that belong to it.
    pub marks: Marks,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

/// A title whose last letter is set lower, as what stands before the underscore and the letter.
pub(crate) fn index_of(title: &str) -> Option<(&str, &str)> {
    title.split_once('_').filter(|(_, index)| index.len() == 1)
}

impl Table {
    /// As Markdown.
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// As LaTeX: a `table` that needs the package `booktabs` and nothing else.
    pub fn latex(&self) -> String {
        latex::render(self)
    }

    /// As CSV, with raw values.
    pub fn csv(&self) -> String {
        csv_form::render(self)
    }

    /// The marks of all cells.
    pub fn marks(&self) -> Marks {
        self.rows.iter().flatten().map(|cell| cell.marks).collect()
    }

    /// Writes the three forms into `folder`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
        let forms = [
            ("md", self.markdown()),
            ("tex", self.latex()),
            ("csv", self.csv()),
        ];
        let mut written = Vec::new();
        for (ending, text) in forms {
            let path = folder.join(format!("{}.{ending}", self.name));
            i2am_files::write_atomic(&path, text)?;
            written.push(path);
        }
        Ok(written)
    }
}

/// Marks the best and the second best of `values`, each with the text that shows it. What looks the same ranks the same, and one
/// value alone is not the best of anything.
pub(crate) fn ranks(
    values: &[Option<(f64, String)>],
    prefers: impl Fn(f64, f64) -> bool,
) -> Vec<Rank> {
    let mut present: Vec<&(f64, String)> = values.iter().flatten().collect();
    if present.len() < 2 {
        return vec![Rank::Plain; values.len()];
    }
    present.sort_by(|(a, _), (b, _)| {
        let (a_first, b_first) = (prefers(*a, *b), prefers(*b, *a));
        b_first.cmp(&a_first)
    });
    let mut texts: Vec<&str> = present.iter().map(|(_, text)| text.as_str()).collect();
    texts.dedup();
    // All the same: nothing to point out.
    if texts.len() < 2 {
        return vec![Rank::Plain; values.len()];
    }
    let rank = |value: &Option<(f64, String)>| match value {
        Some((_, text)) if text == texts[0] => Rank::Best,
        Some((_, text)) if text == texts[1] => Rank::Second,
        _ => Rank::Plain,
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests;
