//! `[faithfulness]`: whether maps point at what the image depends on.

use serde::{Deserialize, Serialize};

/// What is taken away from the networks, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Faithfulness {
    /// Samples, from the first of the data set on.
    pub(crate) samples: usize,
    /// Whether single passes are repeated, or whole samplings.
    pub(crate) form: Form,
    /// Which steps are repeated in the short form, as parts of the sampling: 0 is the first and noisiest, 1 the last.
    pub(crate) times: Vec<f64>,
    /// Rows and columns of the cells into which the reference is divided.
    pub(crate) cells: [usize; 2],
    /// How a cell is taken away.
    pub(crate) operators: Vec<Operator>,
    /// Groups of cells that are taken away one after the other for the curves of deletion; none for 0.
    pub(crate) curve_groups: usize,
    /// Whether layers, heads and time groups are switched off, one at a time.
    pub(crate) knock_out: bool,
    /// Whether values of the reference change places, layer by layer.
    pub(crate) where_whether: bool,
    /// Whether weights are replaced by random ones, layer by layer, and the reference by that of another sample.
    pub(crate) randomize: bool,
    /// Marks that are planted in the reference, one at a time; none for 0.
    pub(crate) marks: usize,
    /// Changed passes that run together.
    pub(crate) batch: usize,
}

/// How much of the sampling is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Form {
    /// Single passes at some steps of the sampling as it was.
    Short,
    /// The whole sampling.
    Full,
}

/// How a cell of the reference is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Operator {
    /// Positions of the generated image may not attend to it.
    Forbid,
    /// It is painted with the mean color of the rest.
    MeanColor,
    /// It is painted with the blurred reference.
    Blur,
    /// It is painted by noisy linear imputation from its surroundings.
    Imputation,
    /// It is painted with the same place of the next sample's reference.
    OtherReference,
}

impl Operator {
    /// Its name in configurations and rows.
    #[cfg(feature = "torch")]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Forbid => "forbid",
            Self::MeanColor => "mean-color",
            Self::Blur => "blur",
            Self::Imputation => "imputation",
            Self::OtherReference => "other-reference",
        }
    }
}

/// The most cells: each costs a pass of the networks.
const MOST_CELLS: usize = 1024;
/// The most marks: each costs a pass, and they all are kept at once.
const MOST_MARKS: usize = 64;

impl Default for Faithfulness {
    fn default() -> Self {
        Self {
            samples: 16,
            form: Form::Short,
            times: vec![0.5],
            cells: [6, 4],
            operators: vec![Operator::Forbid, Operator::MeanColor],
            curve_groups: 0,
            knock_out: false,
            where_whether: false,
            randomize: false,
            marks: 0,
            batch: 8,
        }
    }
}

impl Faithfulness {
    /// Whether the values can work.
    ///
    /// # Errors
    /// The key, what is expected there, and what was found.
    pub(crate) fn check(&self) -> Result<(), String> {
        let [rows, columns] = self.cells;
        let cells = rows.saturating_mul(columns);
        if rows == 0 || columns == 0 || !(2..=MOST_CELLS).contains(&cells) {
            return Err(format!(
                "faithfulness.cells: expected [rows, columns] of 2 to {MOST_CELLS} cells, found {:?}",
                self.cells
            ));
        }
        let in_range = |time: &f64| (0.0..=1.0).contains(time);
        if self.times.is_empty() || !self.times.iter().all(in_range) {
            return Err(format!(
                "faithfulness.times: expected at least one number from 0 to 1, found {:?}",
                self.times
            ));
        }
        if self.curve_groups == 1 || self.curve_groups > cells {
            return Err(format!(
                "faithfulness.curve_groups: expected 0, or 2 to {cells}, the number of cells, found {}",
                self.curve_groups
            ));
        }
        if self.randomize && self.form == Form::Full {
            return Err(
                "faithfulness.randomize: expected form = \"short\", found \"full\": a whole sampling with random weights ends in noise"
                    .to_owned(),
            );
        }
        if self.marks > MOST_MARKS {
            return Err(format!(
                "faithfulness.marks: expected 0 to {MOST_MARKS}, found {}",
                self.marks
            ));
        }
        if !(1..=MOST_CELLS).contains(&self.batch) {
            return Err(format!(
                "faithfulness.batch: expected 1 to {MOST_CELLS}, found {}",
                self.batch
            ));
        }
        if self.operators.is_empty() {
            return Err("faithfulness.operators: expected at least one, found none".to_owned());
        }
        Ok(())
    }

    /// The steps that are repeated of a sampling of `steps` steps, each once; none in the full form.
    #[cfg(feature = "torch")]
    pub(crate) fn steps(&self, steps: usize) -> Vec<usize> {
        if self.form == Form::Full {
            return Vec::new();
        }
        let last = steps.saturating_sub(1) as f64;
        let mut found: Vec<usize> = self
            .times
            .iter()
            .map(|time| (time * last).round() as usize)
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}
