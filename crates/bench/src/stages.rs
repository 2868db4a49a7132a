//! The stages of a run, in order.

#[cfg(feature = "torch")]
pub(crate) mod faithfulness;
#[cfg(feature = "torch")]
pub(crate) mod generate;
pub(crate) mod score;
#[cfg(feature = "torch")]
pub(crate) mod workers;

pub(crate) mod debug;
pub(crate) mod made;
pub(crate) mod measure;

pub(crate) mod correlate;
pub(crate) mod report;

mod pictures;

use anyhow::{Result, bail};
use i2am_files::FileError;
use i2am_imaging::ImagingError;
use i2am_metrics::MetricError;
use i2am_results::{Measurement, ResultsError, RunFolder, SampleResult, Stage};
#[cfg(feature = "torch")]
use i2am_runner::RunnerError;

#[cfg(feature = "torch")]
use crate::cli::StageName;
#[cfg(feature = "torch")]
use crate::plan::Plan;
use crate::progress;

/// Whether networks have to run for what `folder` lacks.
#[cfg(feature = "torch")]
pub(crate) fn run_networks(plan: &Plan, folder: &RunFolder) -> bool {
    let lacks = |stage: &StageName| match stage {
        StageName::Generate => {
            let mut models = plan.models.iter();
            models.any(|entry| !generate::left(plan, folder, &entry.name).is_empty())
        }
        StageName::Measure => measure::is_left(plan, folder),
        StageName::Faithfulness => faithfulness::is_left(plan, folder),
        StageName::Score | StageName::Correlate | StageName::Report => false,
    };
    plan.stages.iter().any(lacks)
}

/// Notes how `stage` ended for the sample `id` of `model`: with rows, or with an error that costs this sample and no other.
///
/// # Errors
/// An error that every sample after it would meet too, and a ledger that cannot be written.
pub(crate) fn note(
    folder: &mut RunFolder,
    stage: Stage,
    [model, id]: [&str; 2],
    made: Result<Vec<Measurement>>,
) -> Result<()> {
    let mut result = SampleResult {
        stage,
        model: model.to_owned(),
        sample_id: id.to_owned(),
        measurements: Vec::new(),
        failure: None,
    };
    match made {
        Ok(measurements) => result.measurements = measurements,
        Err(error) => result.failure = Some(reason(&error, model, id)?),
    }
    match folder.append(&result) {
        // The rows came from a record or a data set that only this sample has.
        Err(error @ ResultsError::InvalidRow { .. }) if result.failure.is_none() => {
            result.measurements.clear();
            result.failure = Some(error.to_string());
            folder.append(&result)?;
        }
        appended => appended?,
    }
    if let Some(reason) = &result.failure {
        tracing::warn!("{model}: sample {id}: {reason}");
    }
    Ok(())
}

/// What is noted of a sample that failed.
///
/// # Errors
/// A device that is lost, a disk that is full: every sample after it would fail too.
fn reason(error: &anyhow::Error, model: &str, id: &str) -> Result<String> {
    if is_fatal(error) {
        bail!(stopped(model, id, &progress::one_line(error)));
    }
    Ok(progress::one_line(error))
}

/// What a run says that `reason` ends.
fn stopped(model: &str, id: &str, reason: &str) -> String {
    format!(
        "model `{model}`, sample {id}: {reason}; finished samples are kept, and the same command continues after them"
    )
}

/// Whether whatever follows would fail too.
pub(crate) fn is_fatal(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        #[cfg(feature = "torch")]
        if let Some(RunnerError::DeviceLost(_)) = cause.downcast_ref() {
            return true;
        }
        if let Some(error) = cause.downcast_ref::<MetricError>() {
            return error.is_device_lost();
        }
        let file = match cause.downcast_ref() {
            Some(ImagingError::File(file)) => Some(file),
            _ => cause.downcast_ref::<FileError>(),
        };
        file.is_some_and(FileError::is_no_room)
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use i2am_files::{Action, FileError};
    use i2am_imaging::ImagingError;

    use super::reason;

    fn unwritten(kind: io::ErrorKind) -> anyhow::Error {
        let file = FileError::new(Action::Write, "out/images/a/0.png", kind.into());
        anyhow::Error::new(ImagingError::from(file))
    }

    #[test]
    fn a_full_disk_ends_the_run_and_names_the_file() {
        let error = reason(&unwritten(io::ErrorKind::StorageFull), "a", "0").unwrap_err();
        let message = format!("{error:#}");
        assert!(
            message.starts_with("model `a`, sample 0: cannot write out/images/a/0.png: ")
                && message.lines().count() == 1,
            "{message}"
        );
    }

    #[test]
    fn a_file_that_is_in_the_way_costs_its_sample() {
        let reason = reason(&unwritten(io::ErrorKind::IsADirectory), "a", "0").unwrap();
        assert!(
            reason.starts_with("cannot write out/images/a/0.png: "),
            "{reason}"
        );
    }
}
