//! How rows of this stage are named.

use i2am_quantity::{Measurement, Outcome, Quantity};

use super::scene::Scene;

/// Why a score is empty.
const CONSTANT: &str = "the map or the effect is the same everywhere";

/// What distinguishes rows of one quantity: what was taken away and how, and when.
pub(super) struct Name(String);

impl Name {
    pub(super) fn of(removed: &str, scene: &Scene<'_>) -> Self {
        Self(format!("{removed}, {}", scene.moment_name()))
    }

    /// Of no map.
    pub(super) fn alone(&self) -> String {
        self.0.clone()
    }

    /// Of the map, baseline or claim `map`.
    pub(super) fn map(&self, map: &str) -> String {
        format!("{}: {map}", self.0)
    }
}

pub(super) fn row(quantity: &'static Quantity, outcome: Outcome, variant: String) -> Measurement {
    Measurement::of(quantity, outcome).under(variant)
}

pub(super) fn or_constant(value: Option<f64>) -> Outcome {
    value.map_or_else(|| Outcome::empty(CONSTANT), Outcome::of)
}
