//! Tables on the terminal.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use i2am_results::{AggregateRow, Change, Comparison, DebugRow, Stage, Verdict};

use crate::commands::{CorrelationLine, Line};
use crate::correlations;

/// A footnote that belongs to some maps wherever they are shown.
const ONE_TOKEN: &str = "\n* The reference is one pooled token: attention weights are 1 at every position, so the query and key\n  \
     weights that make this map cannot influence the picture.";
/// Lines that a comparison shows unless all are asked for; more are read in a file.
const MOST_CHANGES: usize = 40;

/// Levels that are shown; the others are in the files.
fn shown(row: &AggregateRow) -> bool {
    if row.metric.starts_with("locality") {
        // Its controls are in the report's table beside it.
        let is_control = row.metric.contains("_shuffled_") || row.metric.contains("_uniform_");
        return row.level == "unified" && !is_control;
    }
    row.stage == Stage::Measure
        || row.metric == "iou"
        || row.level == "unified"
        || row.level.starts_with("time:")
        || row.level.starts_with("resolution:")
}

/// Scores of two folders; with `names`, the values of single pairs below.
pub(crate) fn measured(lines: &[Line], names: Option<&[String]>) -> String {
    let count = |n: Option<usize>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.6}"));
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["metric", "variant", "value", "sd", "generated", "real"]);
    for line in lines {
        table.add_row([
            line.metric.to_owned(),
            line.variant.clone(),
            number(line.value),
            number(line.std),
            count(line.n_generated),
            count(line.n_real),
        ]);
    }
    align_right(&mut table, 2..6);
    let of_pairs: Vec<(&Line, &[Option<f64>])> = lines
        .iter()
        .filter_map(|line| Some((line, line.per_sample.as_deref()?)))
        .collect();
    let (Some(names), false) = (names, of_pairs.is_empty()) else {
        return table.to_string();
    };
    let mut single = Table::new();
    single.load_style(UTF8_FULL_CONDENSED);
    let titles = of_pairs
        .iter()
        .map(|(line, _)| format!("{} {}", line.metric, line.variant));
    single.set_header(["picture".to_owned()].into_iter().chain(titles));
    for (index, name) in names.iter().enumerate() {
        let values = of_pairs.iter().map(|(_, values)| number(values[index]));
        single.add_row([name.clone()].into_iter().chain(values));
    }
    align_right(&mut single, 1..of_pairs.len() + 1);
    format!("{table}\n{single}")
}

/// Correlations of columns, with what a reader must know below.
pub(crate) fn correlated(lines: &[CorrelationLine], level: f64, footnotes: &[String]) -> String {
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.4}"));
    let probability = |p: Option<f64>| match p {
        None => "-".to_owned(),
        Some(p) if p < 1e-4 => format!("{p:.1e}"),
        Some(p) => format!("{p:.4}"),
    };
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    let interval = format!("{:.0} % interval", level * 100.0);
    table.set_header([
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
        if !note.is_empty() {
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
                |interval| format!("{:+.3} to {:+.3}", interval.low, interval.high),
            ),
            probability(p.map(|p| p.value)),
            probability(line.p_holm),
            found.n.to_string(),
        ]);
    }
    align_right(&mut table, 4..10);
    let mut text = table.to_string();
    text.push_str("\noriented: positive means that a higher x goes with a better y");
    for note in notes.iter().chain(footnotes) {
        text.push('\n');
        text.push_str(note);
    }
    text
}

fn align_right(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The heads that look outside the mask most.
pub(crate) fn worst(rows: &[DebugRow]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "model",
        "worst",
        "layer, head, time group",
        "imacs",
        "sd",
        "n",
        "outside",
        "area",
    ]);
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", 100.0 * share))
    };
    for row in rows {
        let mark = if row.note == "one-token" { "*" } else { "" };
        let rank = row.rank.map_or_else(String::new, |rank| rank.to_string());
        table.add_row([
            row.model.clone(),
            format!("{}{mark} {rank}", row.direction),
            format!("{}, {}, {}", row.layer, row.head, row.time_group),
            number(row.imacs),
            number(row.sd),
            row.n.to_string(),
            percent(row.attention_outside),
            percent(row.area_outside),
        ]);
    }
    align_right(&mut table, 3..8);
    format!(
        "{table}\nThe worst heads: their mean score, and how much of their attention lies outside the mask beside how much of the area \
         does.\nAll are in debug/MODEL.csv; [intervene] tries what becomes of the picture without them."
    )
}

fn level_or_variant(row: &AggregateRow) -> String {
    match row.metric.as_str() {
        // A box has both: the map and how it was read.
        "iou" | "box_found" if !row.level.is_empty() => {
            format!("{} {}", row.level, row.convention)
        }
        metric if metric.starts_with("locality") => format!("{} {}", row.level, row.convention),
        _ if row.level.is_empty() => row.convention.clone(),
        _ => row.level.clone(),
    }
}

/// Means over samples: one line per model, direction and level.
pub(crate) fn summary(rows: &[AggregateRow]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "model",
        "score",
        "level or variant",
        "mean",
        "sd",
        "n",
        "missing",
    ]);
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let mut one_token = false;
    for row in rows.iter().filter(|row| shown(row)) {
        let mark = if row.note == "one-token" { "*" } else { "" };
        one_token |= !mark.is_empty();
        table.add_row([
            row.model.clone(),
            format!("{}{mark}", row.metric),
            level_or_variant(row),
            number(row.mean),
            number(row.sd),
            row.n.to_string(),
            row.missing.to_string(),
        ]);
    }
    align_right(&mut table, 3..7);
    let mut text = table.to_string();
    let noted = rows
        .iter()
        .filter(|row| row.stage == Stage::Measure && !row.note.is_empty());
    let notes: BTreeSet<String> = noted
        .map(|row| format!("\n{}: {}", row.metric, row.note))
        .collect();
    text.extend(notes);
    if one_token {
        text.push_str(ONE_TOKEN);
    }
    text
}

/// What moved between a baseline and a run, the worst first; `all` shows what did not, too.
pub(crate) fn compared(comparison: &Comparison, all: bool) -> String {
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
    if shown.iter().any(|change| change.note == "one-token") {
        text.push_str(ONE_TOKEN);
    }
    text
}

/// Level of a map, variant of another score.
fn place(change: &Change) -> &str {
    if change.level.is_empty() {
        &change.convention
    } else {
        &change.level
    }
}

fn changes(shown: &[&Change]) -> String {
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.6}"));
    let signed =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.6}"));
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
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
        let mark = if change.note == "one-token" { "*" } else { "" };
        let reason = if change.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", change.reason)
        };
        table.add_row([
            change.model.clone(),
            format!("{}{mark}", change.metric),
            place(change).to_owned(),
            change.sample.clone().unwrap_or_else(|| "all".to_owned()),
            number(change.old),
            number(change.new),
            signed(change.difference()),
            number(change.tolerance),
            format!("{}{reason}", change.verdict),
        ]);
    }
    align_right(&mut table, 4..8);
    table.to_string() + "\n"
}
