//! What moved, on the terminal.

use std::fmt::Write as _;

use i2am_results::{Change, Comparison, Verdict};

use crate::table;

/// Lines that a comparison shows unless all are asked for; more are read in a file.
const MOST_CHANGES: usize = 40;

/// What moved between a baseline and a run, the worst first; `all` shows what did not, too.
pub(super) fn compared(comparison: &Comparison, all: bool) -> String {
    let mut shown: Vec<&Change> = comparison
        .changes
        .iter()
        .filter(|change| all || change.verdict != Verdict::Same)
        .collect();
    if !all {
        shown.sort_by_key(|change| change.verdict);
    }
    let most = if all { shown.len() } else { MOST_CHANGES };
    let hidden = shown.len().saturating_sub(most);
    shown.truncate(most);
    let mut text = String::new();
    if !shown.is_empty() {
        text = changes(&shown);
    }
    if hidden > 0 {
        let _ = writeln!(text, "and {hidden} more, which --all shows");
    }
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .filter(|&verdict| comparison.count(verdict) > 0)
        .map(|verdict| format!("{} {verdict}", comparison.count(verdict)))
        .collect();
    let _ = write!(
        text,
        "{} values compared: {}",
        comparison.changes.len(),
        counts.join(", ")
    );
    if let Some(change) = comparison.closest() {
        let _ = write!(
            text,
            "\nclosest to the end of its tolerance: {} {}{}, at {:.0} % of it",
            change.metric,
            place(change),
            change
                .sample
                .as_ref()
                .map_or_else(String::new, |id| format!(" of sample {id}")),
            change.used().unwrap_or_default() * 100.0
        );
    }
    let marks = shown.iter().map(|change| change.note.marks()).collect();
    text.push_str(&table::footnotes(marks));
    text
}

/// Level of a map, variant of another score.
pub(super) fn place(change: &Change) -> String {
    match &change.level {
        Some(level) => level.to_string(),
        None => change.convention.clone(),
    }
}

fn changes(shown: &[&Change]) -> String {
    let number = |value| table::number(value, 6);
    let signed = |value| table::signed(value, 6);
    let mut table = table::with_header([
        "model",
        "score",
        "level or variant",
        "sample",
        "old",
        "new",
        "difference",
        "tolerance",
        "verdict",
    ]);
    for change in shown {
        let mark = change.note.marks().text();
        let reason = if change.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", change.reason)
        };
        table.add_row([
            change.model.clone(),
            format!("{}{mark}", change.metric),
            place(change),
            change.sample.clone().unwrap_or_else(|| "all".to_owned()),
            number(change.old),
            number(change.new),
            signed(change.difference()),
            number(change.tolerance),
            format!("{}{reason}", change.verdict),
        ]);
    }
    table::align_right(&mut table, 4..8);
    table.to_string() + "\n"
}
