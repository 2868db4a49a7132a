//! What the tables on the terminal have in common.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use i2am_quantity::{Note, Notes};

/// A table with this header and nothing in it.
pub(crate) fn with_header<Title: ToString>(titles: impl IntoIterator<Item = Title>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(titles.into_iter().map(|title| title.to_string()));
    table
}

/// `value` with `decimals` digits behind the point, or a dash.
pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// The same with its sign.
pub(crate) fn signed(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.decimals$}"))
}

/// The mark of a name whose value is of a map with a single reference token.
pub(crate) fn mark(notes: &Notes) -> &'static str {
    if notes.is_one_token() { "*" } else { "" }
}

/// The footnote that explains [`mark`], on a line of its own.
pub(crate) fn footnote() -> String {
    format!("\n* {}", Note::ONE_TOKEN_MEANS)
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
