//! The file being parsed: its bytes, and its path for the errors.

use std::path::Path;

use crate::error::WeightError;
use crate::pickle::{self, Pickle, PickleError};

/// What a parser gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Source<'a> {
    /// Reads one pickle at the start of `bytes`, which lie in `record`.
    pub(crate) fn pickle(self, record: &str, bytes: &'a [u8]) -> Result<Pickle<'a>, WeightError> {
        pickle::parse(bytes).map_err(|failure| match failure.error {
            PickleError::Refused { global } => {
                self.unsafe_pickle(format!("{record}, pickle byte {}", failure.offset), global)
            }
            error => WeightError::Pickle {
                path: self.path.to_path_buf(),
                record: record.to_owned(),
                offset: failure.offset,
                problem: error.to_string(),
            },
        })
    }

    /// Whether a text can be the name of a tensor: messages show it as it is.
    pub(crate) fn check_name(self, name: &str) -> Result<(), WeightError> {
        const MOST: usize = 1024;
        if name.len() > MOST {
            return Err(self.limit("name of a tensor", MOST, "bytes"));
        }
        if name.contains(char::is_control) {
            let found = format!("`{}`", name.escape_debug());
            return Err(self.malformed("name of a tensor", "printable characters", found));
        }
        Ok(())
    }

    pub(crate) fn length(self, part: impl Into<String>, expected: u64, found: u64) -> WeightError {
        WeightError::Length {
            path: self.path.to_path_buf(),
            part: part.into(),
            expected,
            found,
        }
    }

    pub(crate) fn malformed(
        self,
        part: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> WeightError {
        WeightError::Malformed {
            path: self.path.to_path_buf(),
            part: part.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    pub(crate) fn unrecognized(self, found: impl Into<String>) -> WeightError {
        WeightError::Unrecognized {
            path: self.path.to_path_buf(),
            found: found.into(),
        }
    }

    pub(crate) fn unsupported(
        self,
        feature: impl Into<String>,
        advice: &'static str,
    ) -> WeightError {
        WeightError::Unsupported {
            path: self.path.to_path_buf(),
            feature: feature.into(),
            advice,
        }
    }

    pub(crate) fn unsafe_pickle(
        self,
        place: impl Into<String>,
        global: impl Into<String>,
    ) -> WeightError {
        WeightError::UnsafePickle {
            path: self.path.to_path_buf(),
            place: place.into(),
            global: global.into(),
        }
    }

    pub(crate) fn limit(
        self,
        part: impl Into<String>,
        limit: usize,
        what: &'static str,
    ) -> WeightError {
        WeightError::Limit {
            path: self.path.to_path_buf(),
            part: part.into(),
            limit,
            what,
        }
    }
}
