//! The long rows of `samples.csv`: their columns, and how a row becomes a line and back.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use csv::StringRecord;
use i2am_quantity::{Direction, Measurement, Notes, Outcome, Status};

/// Columns of `samples.csv` before rows knew the inputs that they were computed from: all but the last.
pub(crate) const COLUMNS_WITHOUT_INPUTS: usize = COLUMNS.len() - 1;

/// The columns of `samples.csv` and `samples.parquet`, in order.
pub const COLUMNS: [&str; 17] = [
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
    "inputs",
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
    /// Whether maps point at what the image depends on.
    Faithfulness,
}

impl Stage {
    /// In the order in which they run.
    pub const ALL: [Self; 4] = [
        Self::Generate,
        Self::Score,
        Self::Measure,
        Self::Faithfulness,
    ];

    /// As written in the files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Score => "score",
            Self::Measure => "measure",
            Self::Faithfulness => "faithfulness",
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
    /// Fingerprint of the inputs that its stage computed from: [`SampleInputs::fingerprint`](crate::SampleInputs::fingerprint);
    /// empty where it is not known.
    pub inputs: String,
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
            && self.inputs == other.inputs
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
            direction.map_or("", Direction::as_str).into(),
            optional_cell(level.as_ref()),
            metric.as_str().into(),
            version.to_string().into(),
            outcome.value().map_or(Cow::Borrowed(""), number),
            outcome.status().as_str().into(),
            outcome.reason().into(),
            convention.as_str().into(),
            note.to_string().into(),
            self.config_hash.as_str().into(),
            self.inputs.as_str().into(),
        ]
    }

    /// The row of a ledger of `columns` columns that has these cells, or what is wrong with them.
    pub(crate) fn parse(record: &StringRecord, columns: usize) -> Result<Self, String> {
        if record.len() != columns {
            return Err(format!("expected {columns} cells, found {}", record.len()));
        }
        for (column, cell) in COLUMNS.iter().zip(record) {
            check_there(column, cell)?;
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
                direction: parse_optional(&record[6])?,
                level: parse_optional(&record[7])?,
                metric: text(8),
                version: record[9]
                    .parse()
                    .map_err(|error| format!("version `{}`: {error}", &record[9]))?,
                outcome: parse_outcome(&record[10], &record[11], &record[12])?,
                convention: text(13),
                note: Notes::from(&record[14]),
            },
            config_hash: text(15),
            inputs: record.get(16).unwrap_or_default().to_owned(),
        })
    }
}

/// Refuses two of `rows`, those of one sample, that are about the same thing.
pub(crate) fn check_distinct(rows: &[Row]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for Row { measurement, .. } in rows {
        let Measurement {
            direction,
            level,
            metric,
            version,
            convention,
            ..
        } = measurement;
        if !seen.insert((metric, version, direction, level, convention)) {
            let direction = direction.map_or("", Direction::as_str);
            let level = optional_cell(level.as_ref());
            return Err(format!(
                "two rows of metric `{metric}`, direction `{direction}`, level `{level}`"
            ));
        }
    }
    Ok(())
}

/// What keeps `cell` from standing in `column` of one line of a table.
pub(crate) fn check_cell(column: &str, cell: &str) -> Result<(), String> {
    if cell.contains(char::is_control) {
        return Err(format!(
            "`{column}` holds a line break or control character: {cell:?}"
        ));
    }
    check_there(column, cell)
}

/// Refuses an empty cell where one leads to files or tells rows apart.
fn check_there(column: &str, cell: &str) -> Result<(), String> {
    if cell.is_empty() && ["model", "sample_id", "metric"].contains(&column) {
        return Err(format!("`{column}` is empty"));
    }
    Ok(())
}

/// The cell of what may be absent.
pub(crate) fn optional_cell(value: Option<&impl fmt::Display>) -> Cow<'static, str> {
    value.map_or(Cow::Borrowed(""), |value| value.to_string().into())
}

/// What stands in the cell; none in an empty one.
pub(crate) fn parse_optional<T: FromStr<Err: fmt::Display>>(
    cell: &str,
) -> Result<Option<T>, String> {
    let parse = || cell.parse().map_err(|error: T::Err| error.to_string());
    (!cell.is_empty()).then(parse).transpose()
}

/// What is wrong with a line of a table of ours, without the place, which the caller names.
pub(crate) fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("expected {expected_len} cells as in the header, found {len}"),
        csv::ErrorKind::Deserialize { err, .. } => match err.field() {
            Some(column) => format!("column {}: {}", column + 1, err.kind()),
            None => err.kind().to_string(),
        },
        csv::ErrorKind::Utf8 { .. } => "expected text in UTF-8, found other bytes".to_owned(),
        _ => error.to_string(),
    }
}

/// The shortest text that reads back as the same f64.
pub(crate) fn number(value: f64) -> Cow<'static, str> {
    // `{:?}` rather than `{}`, which spells 1e-20 out; the sum is never -0.0.
    format!("{:?}", value + 0.0).into()
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
