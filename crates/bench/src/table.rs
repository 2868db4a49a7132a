//! What the tables on the terminal have in common.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use i2am_quantity::Marks;

mod shown;

pub(crate) use shown::{WIDTH, shown, wrapped};

/// A table with this header and nothing in it.
pub(crate) fn with_header<Title: ToString>(titles: impl IntoIterator<Item = Title>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(titles.into_iter().map(|title| title.to_string()));
    table
}

/// `value` with `decimals` digits behind the point, or a dash.
pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(
        || "-".to_owned(),
        |value| positive_zero(format!("{value:.decimals$}"), ""),
    )
}

/// The same with its sign.
pub(crate) fn signed(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(
        || "-".to_owned(),
        |value| positive_zero(format!("{value:+.decimals$}"), "+"),
    )
}

/// `text`, with `sign` before it instead of a minus if it is a zero: rounding makes one of what is a little less.
fn positive_zero(text: String, sign: &str) -> String {
    match text.strip_prefix('-') {
        Some(digits) if !digits.contains(|c: char| ('1'..='9').contains(&c)) => {
            format!("{sign}{digits}")
        }
        _ => text,
    }
}

/// The footnotes that explain `marks`, each on a line of its own.
pub(crate) fn footnotes(marks: Marks) -> String {
    let lines = marks.meanings();
    let lines: Vec<String> = lines
        .map(|(mark, meaning)| format!("\n{mark} {meaning}"))
        .collect();
    lines.concat()
}

/// A direction or level as files hold it: empty where there is none.
pub(crate) fn text(part: Option<impl ToString>) -> String {
    part.map_or_else(String::new, |part| part.to_string())
}

/// Aligns numbers.
pub(crate) fn align_right(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_zero_has_a_minus() {
        for value in [0.0, -0.0, -4e-7] {
            assert_eq!(number(Some(value), 6), "0.000000");
            assert_eq!(signed(Some(value), 4), "+0.0000");
        }
        assert_eq!(number(Some(-0.4), 0), "0");
        assert_eq!(number(Some(-0.05), 2), "-0.05");
        assert_eq!(signed(Some(-0.05), 2), "-0.05");
    }
}
