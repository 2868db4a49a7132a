//! How far a value may be from an earlier one.

use serde::{Deserialize, Serialize};

/// How far a value may be from an earlier one: as far as the larger of two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// In the unit of the quantity; finite, at least 0.
    pub absolute: f64,
    /// As a fraction of the earlier value's magnitude; finite, at least 0.
    pub relative: f64,
}

impl Bound {
    /// A bound in the unit of the quantity.
    pub const fn absolute(absolute: f64) -> Self {
        Self {
            absolute,
            relative: 0.0,
        }
    }

    /// A bound as a fraction of the earlier value's magnitude.
    pub const fn relative(relative: f64) -> Self {
        Self {
            absolute: 0.0,
            relative,
        }
    }

    /// How far a value may be from `old`.
    pub fn allowed(&self, old: f64) -> f64 {
        self.absolute.max(self.relative * old.abs())
    }

    /// What is wrong with it, if anything is.
    pub fn problem(&self) -> Option<String> {
        let bounds = [("absolute", self.absolute), ("relative", self.relative)];
        let usable = |value: f64| value.is_finite() && value >= 0.0;
        let (name, found) = bounds.into_iter().find(|&(_, value)| !usable(value))?;
        Some(format!(
            "{name}: expected a finite number, at least 0, found {found}"
        ))
    }
}
