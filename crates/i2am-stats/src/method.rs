use std::fmt;

use crate::error::StatsError;
use crate::{kendall, pearson, spearman};

/// The coefficients of correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Of the values: how close they are to a line.
    Pearson,
    /// Of the ranks: how close they are to a monotone curve.
    Spearman,
    /// Tau-b: concordant less discordant pairs, with ties accounted for.
    Kendall,
}

impl Method {
    /// Every method; this order is the order everywhere.
    pub const ALL: [Self; 3] = [Self::Pearson, Self::Spearman, Self::Kendall];

    /// As written in configurations, flags and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
            Self::Kendall => "kendall",
        }
    }

    /// One line for people.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Pearson => "correlation of the values: how close they are to a line",
            Self::Spearman => "correlation of the ranks: how close they are to a monotone curve",
            Self::Kendall => "tau-b: concordant less discordant pairs, ties accounted for",
        }
    }

    /// The method of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// The coefficient of `x` and `y`, -1 to 1.
    ///
    /// # Errors
    /// As [`pearson`].
    pub fn coefficient(self, x: &[f64], y: &[f64]) -> Result<f64, StatsError> {
        match self {
            Self::Pearson => pearson(x, y),
            Self::Spearman => spearman(x, y),
            Self::Kendall => kendall(x, y),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
