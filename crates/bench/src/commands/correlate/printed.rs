//! Correlations on the terminal.

use std::collections::BTreeSet;

use super::Line;
use crate::{correlations, table};

/// Correlations of columns, with what a reader must know below.
pub(super) fn correlated(lines: &[Line], level: f64, footnotes: &[String]) -> String {
    let number = |value| table::signed(value, 4);
    let probability = |p: Option<f64>| match p {
        None => "-".to_owned(),
        // What a 64-bit float cannot hold is not 0.
        Some(p) if p < 1e-300 => "< 1e-300".to_owned(),
        Some(p) if p < 1e-4 => format!("{p:.1e}"),
        Some(p) => format!("{p:.4}"),
    };
    let interval = format!("{:.0} % interval", level * 100.0);
    let mut table = table::with_header([
        "x",
        "y",
        "held constant",
        "method",
        "value",
        "oriented",
        &interval,
        "p",
        "Holm",
        "n",
    ]);
    let mut notes: BTreeSet<String> = BTreeSet::new();
    for line in lines {
        let found = &line.found;
        notes.extend(
            found
                .value
                .err()
                .map(|reason| format!("{} with {}: {reason}", line.x, line.y)),
        );
        let note = correlations::note(found);
        if let Some(common) = correlations::by_jackknife(found) {
            notes.insert(common);
        } else if !note.is_empty() {
            notes.insert(if found.allows_a_claim() {
                format!("{} with {}, {}: {note}", line.x, line.y, found.method)
            } else {
                format!("{} with {}: {note}", line.x, line.y)
            });
        }
        let p = found.p.ok().filter(|_| found.value.is_ok());
        table.add_row([
            line.x.clone(),
            line.y.clone(),
            line.covariates.join(", "),
            found.method.to_string(),
            number(found.value.ok()),
            number(line.oriented()),
            found.interval.map_or_else(
                |_| "-".to_owned(),
                |interval| {
                    let end = |value| table::signed(Some(value), 3);
                    format!("{} to {}", end(interval.low), end(interval.high))
                },
            ),
            probability(p.map(|p| p.value)),
            probability(line.p_holm),
            found.n.to_string(),
        ]);
    }
    table::align_right(&mut table, 4..10);
    let mut text = table.to_string();
    text.push_str("\noriented: positive means that a higher x comes with a better y");
    for note in notes.iter().chain(footnotes) {
        text.push('\n');
        text.push_str(note);
    }
    text
}
