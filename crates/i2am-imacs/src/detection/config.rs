//! `[detection]` of a configuration.

use i2am_quantity::Level;
use serde::{Deserialize, Serialize};

use super::{BaselineName, BestFit, Older, Procedure, ProcedureName, Rect};

/// How an image without a box counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// As 0: a map that shows nothing has found nothing.
    #[default]
    CountAsZero,
    /// Not at all, as in the published scripts; neither does a random box that misses the object (overlap below 1e-5). That raises
    /// means.
    SkipMissing,
}

/// Below this, [`Aggregation::SkipMissing`] leaves a random box out.
const MISSED: f64 = 1e-5;

impl Aggregation {
    /// Whether a random box of this overlap is left out of the mean.
    pub fn skips_random(self, iou: f64) -> bool {
        self == Self::SkipMissing && iou < MISSED
    }
}

/// Which boxes are compared and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectionConfig {
    /// Levels of the maps over the generated picture that boxes are read off: `unified`, `time:0`, `head:3` ….
    pub levels: Vec<Level>,
    /// How boxes are read off maps.
    pub procedures: Vec<ProcedureName>,
    /// What they are compared with.
    pub baselines: Vec<BaselineName>,
    /// How an image without a box counts.
    pub aggregation: Aggregation,
    /// Numbers of the procedure `older`.
    pub older: Older,
    /// Numbers of the procedure `rect`.
    pub rect: Rect,
}

impl Default for DetectionConfig {
    fn default() -> Self {
        Self {
            levels: vec![Level::Unified],
            procedures: ProcedureName::ALL.to_vec(),
            baselines: BaselineName::ALL.to_vec(),
            aggregation: Aggregation::default(),
            older: Older::default(),
            rect: Rect::default(),
        }
    }
}

impl DetectionConfig {
    /// The procedures asked for.
    pub fn procedures(&self) -> Vec<&dyn Procedure> {
        let procedure = |name: &ProcedureName| -> &dyn Procedure {
            match name {
                ProcedureName::BestFit => &BestFit,
                ProcedureName::Older => &self.older,
                ProcedureName::Rect => &self.rect,
            }
        };
        self.procedures.iter().map(procedure).collect()
    }

    /// What is wrong with the settings: the key, what is expected there, what was found.
    ///
    /// # Errors
    /// A name twice, a square whose side is not odd, a percentile or threshold out of range.
    pub fn check(&self) -> Result<(), String> {
        once("detection.levels", &self.levels)?;
        once("detection.procedures", &self.procedures)?;
        once("detection.baselines", &self.baselines)?;
        let squares = [("older", self.older.square), ("rect", self.rect.square)];
        for (table, side) in squares {
            if side % 2 == 0 {
                return Err(format!(
                    "detection.{table}.square: expected an odd number of pixels, found {side}"
                ));
            }
        }
        let (threshold, percentile) = (self.older.threshold, self.rect.percentile);
        if !(0.0..=1.0).contains(&threshold) {
            return Err(format!(
                "detection.older.threshold: expected 0 to 1, found {threshold}"
            ));
        }
        if !(0.0..=100.0).contains(&percentile) {
            return Err(format!(
                "detection.rect.percentile: expected 0 to 100, found {percentile}"
            ));
        }
        Ok(())
    }
}

fn once<T: PartialEq + std::fmt::Display>(key: &str, names: &[T]) -> Result<(), String> {
    let repeated = names
        .iter()
        .enumerate()
        .find(|(place, name)| names[..*place].contains(name));
    match repeated {
        Some((_, name)) => Err(format!(
            "{key}: expected each name once, found `{name}` twice"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_unique_and_told_in_one_line() {
        let procedures = ProcedureName::ALL.map(|name| (name.as_str(), name.description()));
        let baselines = BaselineName::ALL.map(|name| (name.as_str(), name.description()));
        for names in [&procedures[..], &baselines[..]] {
            assert!(names.windows(2).all(|pair| pair[0].0 < pair[1].0));
            let told = |(_, line): &(_, &str)| !line.is_empty() && !line.contains('\n');
            assert!(names.iter().all(told));
        }
        let config = DetectionConfig::default();
        let found: Vec<_> = config.procedures().iter().map(|p| p.name()).collect();
        assert_eq!(found, ProcedureName::ALL);
    }

    #[test]
    fn settings_that_cannot_work_are_told_by_key() {
        let good = DetectionConfig::default();
        assert_eq!(good.check(), Ok(()));
        let refused = |config: DetectionConfig, key: &str| {
            let error = config.check().unwrap_err();
            assert!(error.starts_with(key), "{error}");
        };
        let mut bad = good.clone();
        bad.rect.square = 4;
        refused(bad, "detection.rect.square: expected an odd number");
        let mut bad = good.clone();
        bad.rect.percentile = f64::NAN;
        refused(bad, "detection.rect.percentile");
        let mut bad = good.clone();
        bad.older.threshold = 1.5;
        refused(bad, "detection.older.threshold");
        let mut bad = good;
        bad.procedures.push(ProcedureName::Rect);
        refused(
            bad,
            "detection.procedures: expected each name once, found `rect`",
        );
    }

    #[test]
    fn only_a_random_box_that_misses_is_skipped() {
        assert!(Aggregation::SkipMissing.skips_random(0.0));
        assert!(!Aggregation::SkipMissing.skips_random(1e-4));
        assert!(!Aggregation::CountAsZero.skips_random(0.0));
    }
}
