//! The append-only ledger `samples.csv`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use i2am_files::{Action, FileError};
use i2am_quantity::{Measurement, Notes, Outcome, Status};

use crate::config_hash::ConfigHashes;
use crate::error::ResultsError;
use crate::inputs::{Inputs, Standing};
use crate::reader::{Batch, Contents, Sample, SampleKey, current_batches};
use crate::row::{
    COLUMNS, DatasetName, Row, SAMPLE, SampleResult, Stage, check_cell, check_distinct,
};

/// Version of the closing row, written where measurements have that of their metric.
pub(crate) const CLOSING_VERSION: u32 = 1;

/// `samples.csv`, open for appending. The crate's documentation says how a sample counts as done.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    /// Length up to and including the last closing row, in bytes.
    len: u64,
    samples: BTreeMap<SampleKey, Sample>,
    /// Whether it holds rows that count no more, that are out of order, or that are to be written anew.
    superseded: bool,
    /// What it holds that does not count; nothing once it is compacted.
    outdated: Outdated,
    dataset: DatasetName,
    config_hashes: ConfigHashes,
    inputs: Inputs,
}

/// What a ledger holds from other settings or other inputs than those of today.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outdated {
    /// The stages with rows from other settings.
    pub(crate) stages: BTreeSet<Stage>,
    /// Id and model of the samples whose inputs changed since.
    pub(crate) changed: BTreeSet<(String, String)>,
    /// Id and model of the samples that the data set has no more.
    pub(crate) gone: BTreeSet<(String, String)>,
    /// Whether rows that count do not know which inputs they come from.
    pub(crate) unrecorded: bool,
}

impl Outdated {
    /// The samples of `contents` that have not the inputs `inputs`; of their stages nothing is known yet.
    fn of(contents: &Contents, inputs: &Inputs) -> Self {
        let mut outdated = Self::default();
        for (key, (_, sample)) in &contents.samples {
            let samples = match inputs.standing(&key.sample_id, &sample.inputs) {
                Standing::Current => continue,
                Standing::Changed => &mut outdated.changed,
                Standing::Gone => &mut outdated.gone,
            };
            samples.insert((key.sample_id.clone(), key.model.clone()));
        }
        outdated
    }

    /// Id and model of the samples whose rows of all stages go.
    pub(crate) fn samples(&self) -> impl Iterator<Item = &(String, String)> {
        self.changed.iter().chain(&self.gone)
    }

    /// Whether the rows of all stages of this sample go.
    fn holds(&self, key: &SampleKey) -> bool {
        let sample = (key.sample_id.clone(), key.model.clone());
        self.changed.contains(&sample) || self.gone.contains(&sample)
    }
}

impl Ledger {
    /// Opens or creates the ledger `path` and cuts an unfinished sample off its end.
    ///
    /// Rows of a later stage than [`Stage::Generate`] that carry another hash than that of `config_hashes` do not count, nor
    /// do rows of any stage that come from other inputs than `inputs`; [`compact`](Self::compact) must remove them before
    /// anything is appended. Rows that do not know their inputs count as rows of those.
    ///
    /// # Errors
    /// [`ResultsError::Damaged`], and [`ResultsError::ConfigChanged`] when pictures come from other settings.
    pub(crate) fn open(
        path: PathBuf,
        dataset: DatasetName,
        config_hashes: ConfigHashes,
        inputs: Inputs,
    ) -> Result<Self, ResultsError> {
        if !path.exists() {
            i2am_files::write_atomic(&path, csv_lines([COLUMNS]))?;
        }
        let contents = Contents::scan(&path)?;
        let mut outdated = Outdated::of(&contents, &inputs);
        let mut samples = BTreeMap::new();
        for (key, (_, mut sample)) in contents.samples {
            let expected = config_hashes.of_stage(key.stage).hash();
            let today = inputs.fingerprint(&key.sample_id);
            if outdated.holds(&key) {
                continue;
            }
            if sample.config_hash == expected {
                if sample.inputs.is_empty() && !today.is_empty() {
                    outdated.unrecorded = true;
                    today.clone_into(&mut sample.inputs);
                }
                samples.insert(key, sample);
            } else if key.stage == Stage::Generate {
                return Err(ResultsError::ConfigChanged {
                    path,
                    expected: expected.to_owned(),
                    found: sample.config_hash,
                    changes: String::new(),
                });
            } else {
                outdated.stages.insert(key.stage);
            }
        }
        let file = open_to_append(&path)?;
        let ledger = Self {
            file,
            len: contents.end,
            samples,
            superseded: contents.superseded || outdated != Outdated::default(),
            outdated,
            dataset,
            config_hashes,
            inputs,
            path,
        };
        ledger.cut_tail().map_err(|cause| ledger.failed(cause))?;
        Ok(ledger)
    }

    /// Whether [`compact`](Self::compact) has nothing to do.
    pub(crate) fn is_in_order(&self) -> bool {
        !self.superseded
    }

    /// Each sample that has its closing row, sorted.
    pub(crate) fn samples(&self) -> &BTreeMap<SampleKey, Sample> {
        &self.samples
    }

    /// What is still there and does not count.
    pub(crate) fn outdated(&self) -> &Outdated {
        &self.outdated
    }

    /// What the rows are computed from.
    pub(crate) fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The same, to add to it.
    pub(crate) fn inputs_mut(&mut self) -> &mut Inputs {
        &mut self.inputs
    }

    /// Writes all rows of one sample at once and waits until they are on the disk.
    ///
    /// On an error nothing of the sample counts, and it can be appended again.
    pub(crate) fn append(&mut self, result: &SampleResult) -> Result<(), ResultsError> {
        let key = SampleKey {
            stage: result.stage,
            model: result.model.clone(),
            sample_id: result.sample_id.clone(),
        };
        let before = self.samples.get(&key);
        if before.is_some_and(|before| before.outcome.status() == Status::Ok) {
            return Err(ResultsError::AlreadyDone {
                stage: key.stage,
                model: key.model,
                sample_id: key.sample_id,
            });
        }
        let out_of_order = self
            .samples
            .last_key_value()
            .is_some_and(|(last, _)| key <= *last);
        let outcome = match &result.failure {
            Some(reason) => Outcome::failed(reason),
            None => Outcome::ok(result.measurements.len() as f64)?,
        };
        let lines = self.encode(result, &outcome)?;
        self.write(&lines).map_err(|cause| self.failed(cause))?;
        let sample = Sample {
            outcome,
            config_hash: self.config_hashes.of_stage(key.stage).hash().to_owned(),
            inputs: self.inputs.fingerprint(&key.sample_id).to_owned(),
        };
        self.len += lines.len() as u64;
        self.superseded |= out_of_order;
        self.samples.insert(key, sample);
        Ok(())
    }

    /// Puts the ledger in order: by stage, model and id, so that a run that was interrupted, repaired or computed in parts leaves the
    /// same file as one that was not.
    ///
    /// Removes the rows of failed samples that a later attempt replaced, so that other programs need not know of them,
    /// and those from other settings and other inputs. Rows that do not know their inputs get those of today.
    pub(crate) fn compact(&mut self) -> Result<(), ResultsError> {
        if !self.superseded {
            return Ok(());
        }
        let mut batches = BTreeMap::new();
        for batch in current_batches(&self.path)? {
            let batch = batch?;
            let key = batch.key();
            let expected = self.config_hashes.of_stage(key.stage).hash();
            if batch.closing.config_hash != expected || self.outdated.holds(&key) {
                continue;
            }
            let Batch { rows, closing, .. } = batch;
            let mut inputs = closing.inputs.clone();
            if inputs.is_empty() {
                self.inputs
                    .fingerprint(&closing.sample_id)
                    .clone_into(&mut inputs);
            }
            let recorded = |row| Row {
                inputs: inputs.clone(),
                ..row
            };
            let rows: Vec<Row> = rows.into_iter().chain([closing]).map(recorded).collect();
            batches.insert(key, csv_lines(rows.iter().map(Row::cells)));
        }
        let mut new = csv_lines([COLUMNS]);
        new.extend(batches.into_values().flatten());
        i2am_files::write_atomic(&self.path, &new)?;
        self.file = open_to_append(&self.path)?;
        self.len = new.len() as u64;
        self.superseded = false;
        self.outdated = Outdated::default();
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
            inputs: self.inputs.fingerprint(&result.sample_id).to_owned(),
        };
        let closing = Measurement {
            direction: None,
            level: None,
            metric: SAMPLE.to_owned(),
            version: CLOSING_VERSION,
            outcome: outcome.clone(),
            convention: String::new(),
            note: Notes::NONE,
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
    for (index, row) in rows.iter().enumerate() {
        for (column, cell) in COLUMNS.iter().zip(row.cells()) {
            check_cell(column, &cell)?;
        }
        if row.is_closing() && index + 1 < rows.len() {
            return Err(format!("no metric may be called `{SAMPLE}`"));
        }
    }
    check_distinct(rows)
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
