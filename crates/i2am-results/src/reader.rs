//! Reads `samples.csv` sample by sample, so that a large ledger is never in memory as a whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Take};
use std::ops::Range;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Terminator};
use i2am_files::{Action, FileError};
use i2am_quantity::{Outcome, Status};

use crate::error::ResultsError;
use crate::row::{
    COLUMNS, COLUMNS_WITHOUT_INPUTS, Row, SAMPLE, Stage, check_distinct, csv_problem,
};

/// Bytes looked at in one step while searching the last line end; a line is shorter than this nearly always.
const TAIL_CHUNK: u64 = 4096;

/// The column that tells a closing row from others.
const METRIC: usize = 8;

/// What has one closing row: one stage of one sample of one model. They are sorted as the rows of a ledger that is put in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SampleKey {
    pub(crate) stage: Stage,
    pub(crate) model: String,
    pub(crate) sample_id: String,
}

/// The rows of one sample, and the closing row that ends them.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) rows: Vec<Row>,
    pub(crate) closing: Row,
    /// Where in the file they are, closing row included.
    pub(crate) bytes: Range<u64>,
}

impl Batch {
    pub(crate) fn key(&self) -> SampleKey {
        SampleKey {
            stage: self.closing.stage,
            model: self.closing.model.clone(),
            sample_id: self.closing.sample_id.clone(),
        }
    }
}

/// The measurements in the ledger `samples_csv`, in file order, without closing rows and without those rows of failed
/// samples that a later attempt replaced. Rows of a sample that is still being written are left out.
///
/// # Errors
/// [`ResultsError::File`] and [`ResultsError::Damaged`]; the iterator ends after its first error.
pub fn read_rows(
    samples_csv: &Path,
) -> Result<impl Iterator<Item = Result<Row, ResultsError>> + use<>, ResultsError> {
    let batches = current_batches(samples_csv)?;
    Ok(batches.flat_map(|batch| match batch {
        Ok(batch) => batch.rows.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }))
}

/// The batches that count: of several for one key, the last.
pub(crate) fn current_batches(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Batch, ResultsError>> + use<>, ResultsError> {
    let last = BatchReader::open(path)?.last_of_each();
    let counts = move |batch: &Batch| {
        last.as_ref().is_none_or(|last| {
            last.get(&batch.key())
                .is_some_and(|&start| start == batch.bytes.start)
        })
    };
    Ok(BatchReader::open(path)?.filter(move |batch| batch.as_ref().map_or(true, &counts)))
}

/// What a ledger holds, without its rows.
#[derive(Debug)]
pub(crate) struct Contents {
    /// Every sample that has its closing row, and the offset of its first row in bytes.
    pub(crate) samples: BTreeMap<SampleKey, (u64, Sample)>,
    /// Offset in bytes behind the last closing row: all that follows belongs to an unfinished sample.
    pub(crate) end: u64,
    /// Whether it is to be written anew: samples were appended twice or out of order, or lines lack the newest columns.
    pub(crate) superseded: bool,
}

/// The last batch of a sample.
#[derive(Debug)]
pub(crate) struct Sample {
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Hash of the settings that its rows come from.
    pub(crate) config_hash: String,
    /// Fingerprint of the inputs that its rows come from; empty where they do not know it.
    pub(crate) inputs: String,
}

impl Contents {
    pub(crate) fn scan(path: &Path) -> Result<Self, ResultsError> {
        let mut reader = BatchReader::open(path)?;
        let mut contents = Self {
            samples: BTreeMap::new(),
            end: reader.start,
            superseded: reader.columns < COLUMNS.len(),
        };
        for batch in &mut reader {
            let batch = batch?;
            contents.end = batch.bytes.end;
            let key = batch.key();
            contents.superseded |= contents
                .samples
                .last_key_value()
                .is_some_and(|(last, _)| key <= *last);
            let sample = Sample {
                outcome: batch.closing.measurement.outcome,
                config_hash: batch.closing.config_hash,
                inputs: batch.closing.inputs,
            };
            contents.samples.insert(key, (batch.bytes.start, sample));
        }
        Ok(contents)
    }
}

/// Iterates over the whole batches of a ledger.
struct BatchReader {
    path: PathBuf,
    csv: csv::Reader<Take<File>>,
    record: StringRecord,
    /// Cells of a line.
    columns: usize,
    /// Offset of the next batch.
    start: u64,
    failed: bool,
}

impl BatchReader {
    fn open(path: &Path) -> Result<Self, ResultsError> {
        let failed = |cause| FileError::new(Action::Read, path, cause);
        let mut file = File::open(path).map_err(failed)?;
        let end = whole_lines(&mut file).map_err(failed)?;
        let mut csv = ReaderBuilder::new()
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(file.take(end));
        let columns = check_header(&mut csv).map_err(|problem| ResultsError::Damaged {
            path: path.to_owned(),
            line: 1,
            problem,
        })?;
        Ok(Self {
            path: path.to_owned(),
            start: csv.position().byte(),
            csv,
            record: StringRecord::new(),
            columns,
            failed: false,
        })
    }

    /// Where the last batch of each sample starts; none if no sample has several, as nearly always. Looks at closing rows only, and not
    /// behind a line that is damaged, which whoever reads the batches will meet.
    fn last_of_each(mut self) -> Option<BTreeMap<SampleKey, u64>> {
        let mut last: BTreeMap<SampleKey, u64> = BTreeMap::new();
        let mut is_repeated = false;
        while let Ok(true) = self.csv.read_record(&mut self.record) {
            if self.record.get(METRIC) != Some(SAMPLE) {
                continue;
            }
            let Ok(closing) = Row::parse(&self.record, self.columns) else {
                break;
            };
            let key = SampleKey {
                stage: closing.stage,
                model: closing.model,
                sample_id: closing.sample_id,
            };
            is_repeated |= last.insert(key, self.start).is_some();
            self.start = self.csv.position().byte();
        }
        is_repeated.then_some(last)
    }

    /// The next batch; `None` at the end and for a batch without closing row, which only the last one can be.
    fn next_batch(&mut self) -> Result<Option<Batch>, (u64, String)> {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let line = self.csv.position().line();
            let row = match self.csv.read_record(&mut self.record) {
                Ok(false) => return Ok(None),
                Ok(true) => {
                    Row::parse(&self.record, self.columns).map_err(|problem| (line, problem))?
                }
                Err(error) => return Err((line, csv_problem(&error))),
            };
            if let Some(first) = rows.first()
                && !first.same_sample(&row)
            {
                let problem = format!(
                    "the rows of sample `{}` of model `{}` end without a row `sample`",
                    first.sample_id, first.model
                );
                return Err((line, problem));
            }
            if !row.is_closing() {
                rows.push(row);
                continue;
            }
            let outcome = &row.measurement.outcome;
            if outcome.status() == Status::Ok && outcome.value() != Some(rows.len() as f64) {
                let expected = outcome.value().unwrap_or_default();
                let problem = format!("expected {expected} rows before it, found {}", rows.len());
                return Err((line, problem));
            }
            check_distinct(&rows).map_err(|problem| (line, problem))?;
            let bytes = self.start..self.csv.position().byte();
            self.start = bytes.end;
            return Ok(Some(Batch {
                rows,
                closing: row,
                bytes,
            }));
        }
    }
}

impl Iterator for BatchReader {
    type Item = Result<Batch, ResultsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let batch = self.next_batch().map_err(|(line, problem)| {
            self.failed = true;
            ResultsError::Damaged {
                path: self.path.clone(),
                line,
                problem,
            }
        });
        batch.transpose()
    }
}

/// The number of columns: all, or those of the version before.
fn check_header(csv: &mut csv::Reader<Take<File>>) -> Result<usize, String> {
    let found = csv.headers().map_err(|error| csv_problem(&error))?;
    if found == COLUMNS.as_slice() || *found == COLUMNS[..COLUMNS_WITHOUT_INPUTS] {
        return Ok(found.len());
    }
    Err(format!(
        "expected the columns {}, found {}",
        COLUMNS.join(","),
        found.iter().collect::<Vec<_>>().join(",")
    ))
}

/// Length of the whole lines of `file` in bytes, leaving it at its start: what follows the last line end was torn off.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut chunk = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(TAIL_CHUNK);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        file.take(end - start).read_to_end(&mut chunk)?;
        if let Some(position) = chunk.iter().rposition(|&byte| byte == b'\n') {
            end = start + position as u64 + 1;
            break;
        }
        end = start;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(end)
}
