//! The append-only ledger `samples.csv`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use i2am_files::{Action, FileError};

use crate::config_hash::ConfigHashes;
use crate::error::ResultsError;
use crate::outcome::{Outcome, Status};
use crate::reader::{Batch, Contents, SampleKey, current_batches};
use crate::row::{COLUMNS, DatasetName, Measurement, Row, SAMPLE, SampleResult, Stage, check_cell};

/// Version of the closing row, written where measurements have that of their metric.
const CLOSING_VERSION: u32 = 1;

/// `samples.csv`, open for appending. The crate's documentation says how a sample counts as done.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    /// Length up to and including the last closing row, in bytes.
    len: u64,
    samples: BTreeMap<SampleKey, Outcome>,
    /// Whether it holds rows that count no more.
    superseded: bool,
    /// The stages of which it holds rows from other settings; none once it is compacted.
    outdated: BTreeSet<Stage>,
    dataset: DatasetName,
    config_hashes: ConfigHashes,
}

impl Ledger {
    /// Opens or creates the ledger `path` and cuts an unfinished sample off its end.
    ///
    /// Rows of a later stage than [`Stage::Generate`] that carry another hash than that of `config_hashes` do not count;
    /// [`compact`](Self::compact) must remove them before anything is appended.
    ///
    /// # Errors
    /// [`ResultsError::Damaged`], and [`ResultsError::ConfigChanged`] when pictures come from other settings.
    pub(crate) fn open(
        path: PathBuf,
        dataset: DatasetName,
        config_hashes: ConfigHashes,
    ) -> Result<Self, ResultsError> {
        if !path.exists() {
            i2am_files::write_atomic(&path, csv_lines([COLUMNS]))?;
        }
        let contents = Contents::scan(&path)?;
        let mut samples = BTreeMap::new();
        let mut outdated = BTreeSet::new();
        for (key, sample) in contents.samples {
            let expected = config_hashes.of_stage(key.stage).hash();
            if sample.config_hash == expected {
                samples.insert(key, sample.outcome);
            } else if key.stage == Stage::Generate {
                return Err(ResultsError::ConfigChanged {
                    path,
                    expected: expected.to_owned(),
                    found: sample.config_hash,
                    changes: String::new(),
                });
            } else {
                outdated.insert(key.stage);
            }
        }
        let file = open_to_append(&path)?;
        let ledger = Self {
            file,
            len: contents.end,
            samples,
            superseded: contents.superseded || !outdated.is_empty(),
            outdated,
            dataset,
            config_hashes,
            path,
        };
        ledger.cut_tail().map_err(|cause| ledger.failed(cause))?;
        Ok(ledger)
    }

    /// How each sample that has its closing row ended, sorted.
    pub(crate) fn samples(&self) -> &BTreeMap<SampleKey, Outcome> {
        &self.samples
    }

    /// The stages of which rows from other settings are still there.
    pub(crate) fn outdated(&self) -> &BTreeSet<Stage> {
        &self.outdated
    }

    /// Writes all rows of one sample at once and waits until they are on the disk.
    ///
    /// On an error nothing of the sample counts, and it can be appended again.
    pub(crate) fn append(&mut self, result: &SampleResult) -> Result<(), ResultsError> {
        let key = SampleKey {
            model: result.model.clone(),
            sample_id: result.sample_id.clone(),
            stage: result.stage,
        };
        let before = self.samples.get(&key);
        if before.is_some_and(|outcome| outcome.status() == Status::Ok) {
            return Err(ResultsError::AlreadyDone {
                stage: key.stage,
                model: key.model,
                sample_id: key.sample_id,
            });
        }
        let replaces = before.is_some();
        let outcome = match &result.failure {
            Some(reason) => Outcome::failed(reason),
            None => Outcome::ok(result.measurements.len() as f64)?,
        };
        let lines = self.encode(result, &outcome)?;
        self.write(&lines).map_err(|cause| self.failed(cause))?;
        self.len += lines.len() as u64;
        self.superseded |= replaces;
        self.samples.insert(key, outcome);
        Ok(())
    }

    /// Removes the rows of failed samples that a later attempt replaced, so that other programs need not know of them,
    /// and those from other settings.
    pub(crate) fn compact(&mut self) -> Result<(), ResultsError> {
        if !self.superseded {
            return Ok(());
        }
        let old = i2am_files::read(&self.path)?;
        let mut new = csv_lines([COLUMNS]);
        for batch in current_batches(&self.path)? {
            let Batch { closing, bytes, .. } = batch?;
            if closing.config_hash != self.config_hashes.of_stage(closing.stage).hash() {
                continue;
            }
            new.extend_from_slice(&old[bytes.start as usize..bytes.end as usize]);
        }
        i2am_files::write_atomic(&self.path, &new)?;
        self.file = open_to_append(&self.path)?;
        self.len = new.len() as u64;
        self.superseded = false;
        self.outdated.clear();
        Ok(())
    }

    fn encode(&self, result: &SampleResult, outcome: &Outcome) -> Result<Vec<u8>, ResultsError> {
        let row = |measurement| Row {
            model: result.model.clone(),
            dataset: self.dataset.clone(),
            sample_id: result.sample_id.clone(),
            stage: result.stage,
            measurement,
            config_hash: self.config_hashes.of_stage(result.stage).hash().to_owned(),
        };
        let closing = Measurement {
            direction: String::new(),
            level: String::new(),
            metric: SAMPLE.to_owned(),
            version: CLOSING_VERSION,
            outcome: outcome.clone(),
            convention: String::new(),
            note: String::new(),
        };
        let measurements = result.measurements.iter().cloned();
        let rows: Vec<Row> = measurements.chain([closing]).map(row).collect();
        check(&rows).map_err(|problem| ResultsError::InvalidRow {
            model: result.model.clone(),
            sample_id: result.sample_id.clone(),
            problem,
        })?;
        Ok(csv_lines(rows.iter().map(Row::cells)))
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        // A write that failed half way (disk full) may have left a piece of a sample.
        self.cut_tail()?;
        self.file.write_all(lines)?;
        self.file.sync_data()
    }

    fn cut_tail(&self) -> io::Result<()> {
        if self.file.metadata()?.len() != self.len {
            self.file.set_len(self.len)?;
            self.file.sync_data()?;
        }
        Ok(())
    }

    fn failed(&self, cause: io::Error) -> ResultsError {
        FileError::new(Action::Write, &self.path, cause).into()
    }
}

fn open_to_append(path: &Path) -> Result<File, FileError> {
    OpenOptions::new()
        .append(true)
        .open(path)
        .map_err(|cause| FileError::new(Action::Write, path, cause))
}

/// What keeps `rows`, the last of them closing, from being one sample that reads back as it is.
fn check(rows: &[Row]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, cell) in COLUMNS.iter().zip(row.cells()) {
            check_cell(column, &cell)?;
        }
        if row.is_closing() && index + 1 < rows.len() {
            return Err(format!("no metric may be called `{SAMPLE}`"));
        }
        let Measurement {
            direction,
            level,
            metric,
            version,
            convention,
            ..
        } = &row.measurement;
        if !seen.insert((metric, version, direction, level, convention)) {
            return Err(format!(
                "two rows of metric `{metric}`, direction `{direction}`, level `{level}`"
            ));
        }
    }
    Ok(())
}

/// `records` as lines of CSV.
pub(crate) fn csv_lines<const N: usize, Cell: AsRef<str>>(
    records: impl IntoIterator<Item = [Cell; N]>,
) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer
            .write_record(record.iter().map(AsRef::as_ref))
            .expect("records of one width are written to memory");
    }
    writer.into_inner().expect("flushing to memory cannot fail")
}

#[cfg(test)]
mod tests;
