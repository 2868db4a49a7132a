use anyhow::Result;
use i2am_imacs::scores::MASK_AREA;
use i2am_quantity::Level;
use i2am_stats::{Method, Settings};
use serde::{Deserialize, Serialize};

use super::{Document, Table};
use crate::suggest;

/// `[statistics]`: how correlations are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Statistics {
    /// `pearson`, `spearman`, `kendall`.
    pub(crate) methods: Vec<String>,
    /// Resamples of an interval.
    pub(crate) resamples: usize,
    /// Random permutations of a test, where there are too many to try all.
    pub(crate) permutations: usize,
    /// Chance that an interval covers the true value, 0 to 1.
    pub(crate) level: f64,
    /// Of resamples and permutations.
    pub(crate) seed: u64,
    /// What is held constant in a second set of correlations over the samples of a model.
    pub(crate) covariates: Vec<String>,
    /// Levels of the scores that are correlated: they make the family of tests that Holm's correction is over.
    pub(crate) levels: Vec<Level>,
    /// Whether variants of a model count as models of their own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) variants: bool,
}

impl Default for Statistics {
    fn default() -> Self {
        let Settings {
            methods,
            resamples,
            permutations,
            level,
            seed,
        } = Settings::default();
        Self {
            methods: methods.iter().map(ToString::to_string).collect(),
            resamples,
            permutations,
            level,
            seed,
            covariates: vec![MASK_AREA.name.to_owned()],
            levels: vec![Level::Unified],
            variants: false,
        }
    }
}

impl Statistics {
    /// The table `[statistics]` of `document`, or what holds without one.
    ///
    /// # Errors
    /// An unknown key or method, a number outside its range.
    pub(crate) fn read<'a>(document: &Document<'a>, table: Option<Table<'a>>) -> Result<Self> {
        let statistics: Self = table
            .map(|table| document.parse(table))
            .transpose()?
            .unwrap_or_default();
        statistics
            .settings()
            .map_err(|problem| document.refuse(&format!("statistics.{problem}")))?;
        Ok(statistics)
    }

    /// As the statistics take them, or what is wrong with which key.
    pub(crate) fn settings(&self) -> Result<Settings, String> {
        let method = |name: &String| {
            Method::find(name).ok_or_else(|| {
                let help = suggest::help(name, Method::ALL.map(Method::as_str));
                format!("methods: no method `{name}`: {help}")
            })
        };
        for (key, count) in [
            ("resamples", self.resamples),
            ("permutations", self.permutations),
        ] {
            if count == 0 {
                return Err(format!("{key}: expected at least 1, found 0"));
            }
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            let found = self.level;
            return Err(format!(
                "level: expected a number between 0 and 1, found {found}"
            ));
        }
        Ok(Settings {
            methods: self.methods.iter().map(method).collect::<Result<_, _>>()?,
            resamples: self.resamples,
            permutations: self.permutations,
            level: self.level,
            seed: self.seed,
        })
    }
}
