//! A value, or the reason why there is none.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Stands for a reason that the caller left blank, so that an empty cell is never unexplained.
const NO_REASON: &str = "no reason given";

/// Whether a value is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The value was computed.
    Ok,
    /// The value is not defined for this sample (an empty mask, a single reference token).
    Empty,
    /// Computing the value went wrong.
    Failed,
}

impl Status {
    /// As written in the files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Empty => "empty",
            Self::Failed => "failed",
        }
    }

    /// The status that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::Empty, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A value that is NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a result must be finite, found {value}")]
pub struct NotFinite {
    /// What was found.
    pub value: f64,
}

/// A finite value, or none with the reason why. Nothing else can be built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Outcome {
    status: Status,
    value: Option<f64>,
    reason: String,
}

/// An outcome as it stands in a file, where it may have been edited.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    status: Status,
    value: Option<f64>,
    reason: String,
}

impl TryFrom<Parts> for Outcome {
    type Error = String;

    fn try_from(parts: Parts) -> Result<Self, String> {
        match (parts.status, parts.value) {
            (Status::Ok, Some(value)) => Self::ok(value).map_err(|error| error.to_string()),
            (status @ (Status::Empty | Status::Failed), None) => {
                Ok(Self::without_value(status, &parts.reason))
            }
            (status, None) => Err(format!("no value with status `{status}`")),
            (status, Some(value)) => Err(format!("value `{value}` with status `{status}`")),
        }
    }
}

impl Outcome {
    /// A computed value, in the unit of its metric.
    ///
    /// # Errors
    /// [`NotFinite`] for NaN and infinity.
    pub fn ok(value: f64) -> Result<Self, NotFinite> {
        if !value.is_finite() {
            return Err(NotFinite { value });
        }
        Ok(Self {
            status: Status::Ok,
            // Not -0.0.
            value: Some(value + 0.0),
            reason: String::new(),
        })
    }

    /// A computed value; failed where it is NaN or infinite.
    pub fn of(value: f64) -> Self {
        Self::ok(value).unwrap_or_else(Self::failed)
    }

    /// No value, because it is not defined for this sample.
    pub fn empty(reason: impl fmt::Display) -> Self {
        Self::without_value(Status::Empty, &reason.to_string())
    }

    /// No value, because something went wrong.
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::without_value(Status::Failed, &reason.to_string())
    }

    /// Whether there is a value.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The value; always finite.
    pub fn value(&self) -> Option<f64> {
        self.value
    }

    /// Why there is no value, on one line; empty exactly when there is one.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    fn without_value(status: Status, reason: &str) -> Self {
        let mut reason = one_line(reason);
        if reason.is_empty() {
            NO_REASON.clone_into(&mut reason);
        }
        Self {
            status,
            value: None,
            reason,
        }
    }
}

/// `text` with every run of white space and control characters (errors of libraries span lines) as one space.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_finite_is_refused() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = Outcome::ok(value).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("a result must be finite, found {value}")
            );
        }
        assert_eq!(Outcome::ok(-0.25).unwrap().value(), Some(-0.25));
        let zero = Outcome::ok(-0.0).unwrap().value().unwrap();
        assert!(zero.is_sign_positive());
    }

    #[test]
    fn no_value_comes_with_a_reason_on_one_line() {
        let outcome = Outcome::failed("net failed:\n  out of\tmemory\0\n");
        assert_eq!(outcome.reason(), "net failed: out of memory");
        assert_eq!(outcome.value(), None);
        assert_eq!(Outcome::empty(" \n").reason(), NO_REASON);
    }
}
