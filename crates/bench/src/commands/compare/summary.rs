//! A comparison as Markdown, for the summary of a job on GitHub.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use i2am_files::{Action, FileError};
use i2am_results::{Change, Comparison, Verdict};

use super::printed::place;

/// Rows of the table; more are read in a file.
const MOST_ROWS: usize = 50;

/// What moved, the worst first; nothing but a sentence if nothing did.
pub(super) fn markdown(comparison: &Comparison) -> String {
    let mut moved: Vec<&Change> = comparison
        .changes
        .iter()
        .filter(|change| change.verdict != Verdict::Same)
        .collect();
    moved.sort_by_key(|change| change.verdict);
    let title = if comparison.is_worse() {
        "worse than the baseline"
    } else {
        "not worse than the baseline"
    };
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .filter(|verdict| comparison.count(*verdict) > 0)
        .map(|verdict| format!("{} {verdict}", comparison.count(verdict)))
        .collect();
    let mut text = format!(
        "### bench compare: {title}\n\n{} values compared: {}\n",
        comparison.changes.len(),
        counts.join(", ")
    );
    if !moved.is_empty() {
        text.push_str(
            "\n| model | score | level or variant | sample | old | new | tolerance | verdict |\n",
        );
        text.push_str("| --- | --- | --- | --- | ---: | ---: | ---: | --- |\n");
    }
    let number = |value: Option<f64>| crate::table::number(value, 6);
    for change in moved.iter().take(MOST_ROWS) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            cell(&change.model),
            cell(&change.metric),
            cell(&place(change)),
            cell(change.sample.as_deref().unwrap_or("all")),
            number(change.old),
            number(change.new),
            number(change.tolerance),
            change.verdict
        );
    }
    if moved.len() > MOST_ROWS {
        let _ = writeln!(text, "\nand {} more", moved.len() - MOST_ROWS);
    }
    for note in &comparison.notes {
        let _ = writeln!(text, "\n{}", cell(note));
    }
    text
}

/// Adds `text` to the end of the file `path`, since a job has one summary for all its steps.
pub(super) fn append(path: &Path, text: &str) -> Result<(), FileError> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|cause| FileError::new(Action::Write, path, cause))
}

/// Text as it may stand in a cell of a table.
fn cell(text: &str) -> String {
    let text = text
        .replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('<', "&lt;");
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_stays_one_cell() {
        assert_eq!(cell("a|b\n<c>"), "a\\|b &lt;c>");
    }
}
