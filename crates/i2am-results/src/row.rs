//! The long rows of `samples.csv`: their columns, and how a row becomes a line and back.

use std::borrow::Cow;
use std::fmt;

use csv::StringRecord;

use crate::outcome::{Outcome, Status};

/// The columns of `samples.csv` and `samples.parquet`, in order.
pub const COLUMNS: [&str; 16] = [
    "model",
    "dataset",
    "split",
    "pairing",
    "sample_id",
    "stage",
    "direction",
    "level",
    "metric",
    "version",
    "value",
    "status",
    "reason",
    "convention",
    "note",
    "config_hash",
];

/// The `metric` of the closing row that ends the rows of a sample; no measurement may be called so.
pub const SAMPLE: &str = "sample";

/// The stages that write rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Image and attention record; usually no more than the closing row.
    Generate,
    /// IMACS and what else is read off attribution maps.
    Score,
    /// Metrics of one generated image (LPIPS, SSIM, PSNR).
    Measure,
}

impl Stage {
    /// In the order in which they run.
    pub const ALL: [Self; 3] = [Self::Generate, Self::Score, Self::Measure];

    /// As written in the files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Score => "score",
            Self::Measure => "measure",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where the samples of a run come from; the same in all its rows.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct DatasetName {
    /// Name of the dataset.
    pub name: String,
    /// Which part of it; empty when it has none.
    pub split: String,
    /// `paired` or `unpaired`; empty when the dataset knows no pairs.
    pub pairing: String,
}

/// One result of one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// `r2g` or `g2r`; empty for what is not about a map.
    pub direction: String,
    /// `unified`, `time:0`, `head:3` …; empty for what is not about a map.
    pub level: String,
    /// Name of the metric.
    pub metric: String,
    /// Version of the metric, which goes up whenever its values can change.
    pub version: u32,
    /// The value, or why there is none.
    pub outcome: Outcome,
    /// The convention that the value was computed under, where one metric has several: the attribution convention of a
    /// map, the variant of a metric (`gaussian`, `alex`); otherwise empty.
    pub convention: String,
    /// A remark that belongs to the value wherever it is shown, such as `one-token`; usually empty.
    pub note: String,
}

/// All that one stage found out about one sample of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleResult {
    /// The stage that ran.
    pub stage: Stage,
    /// Name of the model.
    pub model: String,
    /// Id of the sample in its dataset.
    pub sample_id: String,
    /// The rows to record.
    pub measurements: Vec<Measurement>,
    /// Why the stage did not get through with this sample; `None` when it did.
    pub failure: Option<String>,
}

/// One line of `samples.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Name of the model.
    pub model: String,
    /// Name, split and pairing of the dataset: three columns.
    pub dataset: DatasetName,
    /// Id of the sample in its dataset.
    pub sample_id: String,
    /// The stage that wrote the row.
    pub stage: Stage,
    /// What was measured, and the outcome.
    pub measurement: Measurement,
    /// Hash of the settings that its stage ran under: [`ConfigHash`](crate::ConfigHash).
    pub config_hash: String,
}

impl Row {
    /// Whether this is the row that ends a sample rather than a measurement.
    pub fn is_closing(&self) -> bool {
        self.measurement.metric == SAMPLE
    }

    /// Whether both rows come from one stage of one sample.
    pub(crate) fn same_sample(&self, other: &Self) -> bool {
        self.sample_id == other.sample_id
            && self.model == other.model
            && self.stage == other.stage
            && self.dataset == other.dataset
            && self.config_hash == other.config_hash
    }

    /// The cells, in the order of [`COLUMNS`].
    pub(crate) fn cells(&self) -> [Cow<'_, str>; COLUMNS.len()] {
        let Measurement {
            direction,
            level,
            metric,
            version,
            outcome,
            convention,
            note,
        } = &self.measurement;
        [
            self.model.as_str().into(),
            self.dataset.name.as_str().into(),
            self.dataset.split.as_str().into(),
            self.dataset.pairing.as_str().into(),
            self.sample_id.as_str().into(),
            self.stage.as_str().into(),
            direction.as_str().into(),
            level.as_str().into(),
            metric.as_str().into(),
            version.to_string().into(),
            outcome.value().map_or(Cow::Borrowed(""), number),
            outcome.status().as_str().into(),
            outcome.reason().into(),
            convention.as_str().into(),
            note.as_str().into(),
            self.config_hash.as_str().into(),
        ]
    }

    /// The row that has these cells, or what is wrong with them.
    pub(crate) fn parse(record: &StringRecord) -> Result<Self, String> {
        if record.len() != COLUMNS.len() {
            return Err(format!(
                "expected {} cells, found {}",
                COLUMNS.len(),
                record.len()
            ));
        }
        let text = |column: usize| record[column].to_owned();
        Ok(Self {
            model: text(0),
            dataset: DatasetName {
                name: text(1),
                split: text(2),
                pairing: text(3),
            },
            sample_id: text(4),
            stage: Stage::parse(&record[5])
                .ok_or_else(|| format!("unknown stage `{}`", &record[5]))?,
            measurement: Measurement {
                direction: text(6),
                level: text(7),
                metric: text(8),
                version: record[9]
                    .parse()
                    .map_err(|error| format!("version `{}`: {error}", &record[9]))?,
                outcome: parse_outcome(&record[10], &record[11], &record[12])?,
                convention: text(13),
                note: text(14),
            },
            config_hash: text(15),
        })
    }
}

/// What keeps `cell` from standing in `column` of one line of a table.
pub(crate) fn check_cell(column: &str, cell: &str) -> Result<(), String> {
    if cell.contains(char::is_control) {
        return Err(format!(
            "`{column}` holds a line break or control character: {cell:?}"
        ));
    }
    if cell.is_empty() && ["model", "sample_id", "metric"].contains(&column) {
        return Err(format!("`{column}` is empty"));
    }
    Ok(())
}

/// The shortest text that reads back as the same f64.
pub(crate) fn number(value: f64) -> Cow<'static, str> {
    // `{:?}` rather than `{}`, which spells 1e-20 out.
    format!("{value:?}").into()
}

pub(crate) fn parse_outcome(value: &str, status: &str, reason: &str) -> Result<Outcome, String> {
    match Status::parse(status).ok_or_else(|| format!("unknown status `{status}`"))? {
        Status::Ok => value
            .parse()
            .ok()
            .and_then(|value| Outcome::ok(value).ok())
            .ok_or_else(|| format!("value `{value}` is not a finite number")),
        _ if !value.is_empty() => Err(format!("value `{value}` with status `{status}`")),
        Status::Empty => Ok(Outcome::empty(reason)),
        Status::Failed => Ok(Outcome::failed(reason)),
    }
}

#[cfg(test)]
mod tests;
