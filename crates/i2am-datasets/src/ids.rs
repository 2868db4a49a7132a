//! Sample ids are file names of results, and each names one sample.

use std::collections::BTreeMap;
use std::path::Path;

use crate::DatasetError;

/// The longest id in bytes: room is left for the ending of a file name, which most systems limit to 255.
const LONGEST: usize = 200;

/// What keeps `id` from being a file name on any of the usual systems.
pub(crate) fn objection(id: &str) -> Option<&'static str> {
    let forbidden = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
    if id.is_empty() {
        Some("it is empty")
    } else if id.len() > LONGEST {
        Some("it is longer than 200 bytes")
    } else if id.chars().any(forbidden) {
        Some(r#"it contains a control character or one of / \ : * ? " < > |"#)
    } else if id.starts_with('.') || id.ends_with('.') {
        Some("it starts or ends with a full stop")
    } else if id.trim() != id {
        Some("it starts or ends with white space")
    } else {
        None
    }
}

/// A sample as listed in a file: its line, its id, and whatever the layout keeps.
pub(crate) struct Listed<T> {
    pub(crate) line: u64,
    pub(crate) id: String,
    pub(crate) entry: T,
}

/// Checks that every id of the file at `path` can be a file name and is there once.
///
/// # Errors
/// [`DatasetError::Id`], [`DatasetError::DuplicateId`].
pub(crate) fn check<T>(path: &Path, listed: &[Listed<T>]) -> Result<(), DatasetError> {
    let mut seen = BTreeMap::new();
    for &Listed { line, ref id, .. } in listed {
        if let Some(reason) = objection(id) {
            return Err(DatasetError::Id {
                path: path.to_path_buf(),
                line,
                id: id.clone(),
                reason,
            });
        }
        if let Some(first) = seen.insert(id, line) {
            return Err(DatasetError::DuplicateId {
                path: path.to_path_buf(),
                line,
                first,
                id: id.clone(),
            });
        }
    }
    Ok(())
}

/// Keeps the first `limit` of the sorted samples, and makes sure that any are left.
///
/// # Errors
/// [`DatasetError::Empty`].
pub(crate) fn limited<T>(
    path: &Path,
    mut listed: Vec<Listed<T>>,
    limit: Option<usize>,
) -> Result<Vec<Listed<T>>, DatasetError> {
    let hint = match limit {
        Some(0) => ": its limit is 0",
        _ => "",
    };
    listed.truncate(limit.unwrap_or(usize::MAX));
    if listed.is_empty() {
        return Err(DatasetError::Empty {
            path: path.to_path_buf(),
            hint,
        });
    }
    Ok(listed)
}

/// A file name without its last ending.
pub(crate) fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}
