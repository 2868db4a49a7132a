//! JSON files: sorted, with a line for each value, so that two of them can be compared line by line.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::ResultsError;

/// What the file `path` holds.
///
/// # Errors
/// [`ResultsError::File`], and [`ResultsError::Damaged`] for what cannot be read.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ResultsError> {
    let text = i2am_files::read_text(path)?;
    serde_json::from_str(&text).map_err(|error| ResultsError::Damaged {
        path: path.to_owned(),
        line: error.line() as u64,
        problem: json_problem(&error),
    })
}

/// What is wrong with a JSON file, and where.
pub(crate) fn json_problem(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Eof => format!(
            "expected more, found the end of the file at line {} column {}",
            error.line(),
            error.column()
        ),
        Category::Syntax => format!("expected JSON: {error}"),
        Category::Data | Category::Io => error.to_string(),
    }
}

/// A member of an object.
pub(crate) fn member(name: &str, value: &str) -> String {
    format!("{}: {value}", compact(name))
}

/// `items`, each on lines of its own.
pub(crate) fn block([open, close]: [char; 2], items: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from(open);
    let mut items = items.into_iter().peekable();
    if items.peek().is_none() {
        text.push(close);
        return text;
    }
    while let Some(item) = items.next() {
        let comma = if items.peek().is_some() { "," } else { "" };
        let item = item.replace('\n', "\n  ");
        write!(text, "\n  {item}{comma}").expect("writing to a String cannot fail");
    }
    text.push('\n');
    text.push(close);
    text
}

/// `value` on one line.
pub(crate) fn compact(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("plain data has a JSON text")
}

/// `value` over several lines.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain data has a JSON text")
}
