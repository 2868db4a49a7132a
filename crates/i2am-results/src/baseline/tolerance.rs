use serde::{Deserialize, Serialize};

/// Which way a score goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Higher is better.
    Higher,
    /// Lower is better.
    Lower,
    /// Neither: a change is told, but is no failure.
    Neither,
}

/// How far a value may be from an earlier one: as far as the larger of two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// In the unit of the score; finite, at least 0.
    pub absolute: f64,
    /// As a part of the earlier value's size; finite, at least 0.
    pub relative: f64,
}

impl Bound {
    /// How far a value may be from `old`.
    pub fn allowed(&self, old: f64) -> f64 {
        self.absolute.max(self.relative * old.abs())
    }

    /// What is wrong with it, if anything is.
    fn problem(&self) -> Option<String> {
        let bounds = [("absolute", self.absolute), ("relative", self.relative)];
        let usable = |value: f64| value.is_finite() && value >= 0.0;
        let (name, found) = bounds.into_iter().find(|&(_, value)| !usable(value))?;
        Some(format!(
            "{name}: expected a finite number, at least 0, found {found}"
        ))
    }
}

/// How far the scores of one metric may move.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// Which way they go.
    pub better: Better,
    /// For the score of a model: a mean over samples, or the score of a set.
    pub mean: Bound,
    /// For the value of one sample; without it, as `mean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Bound>,
}

impl Tolerance {
    /// The bound for the value of one sample.
    pub fn of_sample(&self) -> Bound {
        self.sample.unwrap_or(self.mean)
    }

    /// What is wrong with it, if anything is.
    pub(super) fn problem(&self) -> Option<String> {
        let bounds = [("mean", Some(self.mean)), ("sample", self.sample)];
        bounds
            .into_iter()
            .find_map(|(name, bound)| Some(format!("{name}.{}", bound?.problem()?)))
    }
}
