//! One number with all that identifies it.

use crate::{Direction, Level, Notes, Outcome, Quantity};

/// One result of one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The direction of the map; none for what is not about a map.
    pub direction: Option<Direction>,
    /// The level of the map; none for what is not about a map.
    pub level: Option<Level>,
    /// Name of the quantity. A text, because a file may hold one that only another version of the program knows.
    pub metric: String,
    /// Version of the quantity, which goes up whenever its values can change.
    pub version: u32,
    /// The value, or why there is none.
    pub outcome: Outcome,
    /// The convention that the value was computed under, where one quantity has several: the attribution convention of a map, the
    /// variant of a metric (`gaussian`, `alex`); otherwise empty.
    pub convention: String,
    /// Remarks that belong to the value wherever it is shown; usually none.
    pub note: Notes,
}

impl Measurement {
    /// A value of `quantity` that is not about a map.
    pub fn of(quantity: &Quantity, outcome: Outcome) -> Self {
        Self {
            direction: None,
            level: None,
            metric: quantity.name.to_owned(),
            version: quantity.version,
            outcome,
            convention: String::new(),
            note: Notes::NONE,
        }
    }

    /// The same, about the map of `level` in `direction`.
    #[must_use]
    pub fn on_map(self, direction: Direction, level: Level) -> Self {
        Self {
            direction: Some(direction),
            level: Some(level),
            ..self
        }
    }

    /// The same, under the convention or variant `convention`.
    #[must_use]
    pub fn under(self, convention: impl Into<String>) -> Self {
        Self {
            convention: convention.into(),
            ..self
        }
    }

    /// The same, with `note`.
    #[must_use]
    pub fn with(self, note: Notes) -> Self {
        Self { note, ..self }
    }
}
