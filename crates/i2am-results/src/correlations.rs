//! `correlations.csv`: how the scores of a run correlate with its metrics.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use csv::StringRecord;
use i2am_quantity::{Direction, Level, Notes, Outcome};

use crate::error::ResultsError;
use crate::ledger::csv_lines;
use crate::row::{check_cell, csv_problem, number, optional_cell, parse_optional, parse_outcome};

/// The columns of `correlations.csv`, in order.
pub const CORRELATION_COLUMNS: [&str; 21] = [
    "unit",
    "model",
    "score",
    "direction",
    "level",
    "metric",
    "variant",
    "rival",
    "covariate",
    "method",
    "value",
    "oriented",
    "low",
    "high",
    "p",
    "p_by",
    "p_holm",
    "n",
    "status",
    "reason",
    "note",
];

/// What a correlation is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// One point per model: its means over the samples, or its scores of the whole set.
    Model,
    /// One point per sample, within one model.
    Sample,
    /// The correlations within the models, brought together.
    Pooled,
}

impl Unit {
    /// As written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Sample => "sample",
            Self::Pooled => "pooled",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Model, Self::Sample, Self::Pooled]
            .into_iter()
            .find(|unit| unit.as_str() == text)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One line of `correlations.csv`: a correlation, or where [`rival`](Self::rival) is set, a comparison of two.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrelationRow {
    /// What a point is.
    pub unit: Unit,
    /// The model whose samples are the points; empty for other units.
    pub model: String,
    /// The score: `imacs_g`, `imacs_r`.
    pub score: String,
    /// As [`Measurement::direction`](crate::Measurement::direction).
    pub direction: Option<Direction>,
    /// As [`Measurement::level`](crate::Measurement::level).
    pub level: Option<Level>,
    /// The metric: `fid`, `lpips` …
    pub metric: String,
    /// Its variant; empty when it has only one.
    pub variant: String,
    /// In a comparison, the score whose correlation with the metric is compared with that of `score`; empty otherwise.
    pub rival: String,
    /// What is held constant, several joined by `+`; empty for a plain correlation.
    pub covariate: String,
    /// `pearson`, `spearman`, `kendall`; in a comparison the test and the correlations it is about,
    /// `steiger:pearson`.
    pub method: String,
    /// The correlation, -1 to 1; in a comparison the test's z. Or why there is none.
    pub outcome: Outcome,
    /// The value with the sign turned, where lower is better, so that positive means that a higher score means a
    /// better metric (in a comparison: more so than a higher rival does). `None` without a value.
    pub oriented: Option<f64>,
    /// Low and high end of the interval of the value; always finite.
    pub interval: Option<[f64; 2]>,
    /// Two-sided p that there is no correlation, or in a comparison no difference.
    pub p: Option<f64>,
    /// How `p` was found: `exact`, `permutations`, `t`, `normal`; empty without one.
    pub p_by: String,
    /// `p` with Holm's correction over its family.
    pub p_holm: Option<f64>,
    /// Points: models, samples, or for [`Unit::Pooled`] the samples of all models.
    pub n: usize,
    /// As [`Measurement::note`](crate::Measurement::note).
    pub note: Notes,
}

impl CorrelationRow {
    fn cells(&self) -> [Cow<'_, str>; CORRELATION_COLUMNS.len()] {
        let optional = |value: Option<f64>| value.map_or(Cow::Borrowed(""), number);
        [
            self.unit.as_str().into(),
            self.model.as_str().into(),
            self.score.as_str().into(),
            self.direction.map_or("", Direction::as_str).into(),
            optional_cell(self.level.as_ref()),
            self.metric.as_str().into(),
            self.variant.as_str().into(),
            self.rival.as_str().into(),
            self.covariate.as_str().into(),
            self.method.as_str().into(),
            optional(self.outcome.value()),
            optional(self.oriented),
            optional(self.interval.map(|[low, _]| low)),
            optional(self.interval.map(|[_, high]| high)),
            optional(self.p),
            self.p_by.as_str().into(),
            optional(self.p_holm),
            self.n.to_string().into(),
            self.outcome.status().as_str().into(),
            self.outcome.reason().into(),
            self.note.to_string().into(),
        ]
    }

    fn parse(record: &StringRecord) -> Result<Self, String> {
        if record.len() != CORRELATION_COLUMNS.len() {
            let (expected, found) = (CORRELATION_COLUMNS.len(), record.len());
            return Err(format!("expected {expected} cells, found {found}"));
        }
        let text = |column: usize| record[column].to_owned();
        let optional = |column: usize| {
            let text = &record[column];
            if text.is_empty() {
                return Ok(None);
            }
            let value = text.parse().ok().filter(|value: &f64| value.is_finite());
            value.map(Some).ok_or_else(|| {
                let name = CORRELATION_COLUMNS[column];
                format!("{name} `{text}` is not a finite number")
            })
        };
        let interval = match (optional(12)?, optional(13)?) {
            (Some(low), Some(high)) => Some([low, high]),
            (None, None) => None,
            _ => return Err("one end of the interval is missing".to_owned()),
        };
        Ok(Self {
            unit: Unit::parse(&record[0])
                .ok_or_else(|| format!("unknown unit `{}`", &record[0]))?,
            model: text(1),
            score: text(2),
            direction: parse_optional(&record[3])?,
            level: parse_optional(&record[4])?,
            metric: text(5),
            variant: text(6),
            rival: text(7),
            covariate: text(8),
            method: text(9),
            outcome: parse_outcome(&record[10], &record[18], &record[19])?,
            oriented: optional(11)?,
            interval,
            p: optional(14)?,
            p_by: text(15),
            p_holm: optional(16)?,
            n: record[17]
                .parse()
                .map_err(|error| format!("n `{}`: {error}", &record[17]))?,
            note: Notes::from(&record[20]),
        })
    }

    fn check(&self) -> Result<(), String> {
        for (column, cell) in CORRELATION_COLUMNS.iter().zip(self.cells()) {
            // Only the rows of one model name it.
            if *column != "model" {
                check_cell(column, &cell)?;
            }
        }
        let ends = self.interval.iter().flatten();
        let numbers = ends.chain(
            [&self.oriented, &self.p, &self.p_holm]
                .into_iter()
                .flatten(),
        );
        match numbers.copied().find(|number| !number.is_finite()) {
            Some(number) => Err(format!("expected finite numbers, found {number}")),
            None => Ok(()),
        }
    }
}

/// Writes `rows` in the order given.
///
/// # Errors
/// [`ResultsError::InvalidScore`] for a number that is not finite or a name that cannot stand in a table;
/// [`ResultsError::File`].
pub(crate) fn write_correlations(path: &Path, rows: &[CorrelationRow]) -> Result<(), ResultsError> {
    for row in rows {
        row.check().map_err(|problem| ResultsError::InvalidScore {
            model: row.model.clone(),
            metric: row.metric.clone(),
            problem,
        })?;
    }
    let header = CORRELATION_COLUMNS.map(Cow::Borrowed);
    let lines = csv_lines(
        [header]
            .into_iter()
            .chain(rows.iter().map(CorrelationRow::cells)),
    );
    Ok(i2am_files::write_atomic(path, lines)?)
}

/// The rows of the file `path`, `correlations.csv` of a run.
///
/// # Errors
/// [`ResultsError::File`], also when there is no such file; [`ResultsError::DamagedTable`].
pub fn read_correlations(path: &Path) -> Result<Vec<CorrelationRow>, ResultsError> {
    let text = i2am_files::read_text(path)?;
    let damaged = |line: u64, problem: String| ResultsError::DamagedTable {
        path: path.to_owned(),
        line,
        problem,
        stage: "correlate",
    };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let header = reader
        .headers()
        .map_err(|error| damaged(1, csv_problem(&error)))?;
    if header != CORRELATION_COLUMNS.as_slice() {
        let found = header.iter().collect::<Vec<_>>().join(",");
        let expected = CORRELATION_COLUMNS.join(",");
        return Err(damaged(
            1,
            format!("expected the columns {expected}, found {found}"),
        ));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            damaged(line, csv_problem(&error))
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        rows.push(CorrelationRow::parse(&record).map_err(|problem| damaged(line, problem))?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
