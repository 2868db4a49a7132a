use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

/// How far the scores of one metric may move.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// Which direction is better.
    pub better: Better,
    /// For the score of a model: a mean over samples, or the score of a set.
    pub mean: Bound,
    /// For the value of one sample; without it, as `mean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Bound>,
}

impl From<&Quantity> for Tolerance {
    fn from(quantity: &Quantity) -> Self {
        Self {
            better: quantity.better,
            mean: quantity.mean,
            sample: quantity.sample,
        }
    }
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
