//! What a run needs, looked at before anything is computed.

use anyhow::Result;
#[cfg(feature = "torch")]
use anyhow::{Context as _, bail};
#[cfg(feature = "torch")]
use i2am_runner::RunnerError;
#[cfg(feature = "torch")]
use i2am_runner::capture::CaptureConfig;

use crate::cli::StageName;
#[cfg(feature = "torch")]
use crate::device::device;
use crate::exit::usage;
use crate::plan::Plan;
use crate::stages::measure;

/// Checks that every file and tensor that will be read is there and fits.
///
/// # Errors
/// The first thing that is missing or wrong.
pub(crate) fn check(plan: &Plan) -> Result<()> {
    if plan.stages.contains(&StageName::Generate) {
        check_models(plan)?;
    }
    let mut scores = plan.config.scores.iter();
    if let Some(score) = scores.find(|score| score.info().needs_objects)
        && plan.dataset.object(0).is_none()
    {
        let name = score.info().name;
        return Err(usage(format!(
            "task = \"{name}\": the data set `{}` knows no boxes of objects; expected one that does, such as `coco-detection`",
            plan.dataset.name()
        )));
    }
    plan.dataset.check(&[])?;
    if plan.stages.contains(&StageName::Measure) {
        measure::check(plan)?;
    }
    Ok(())
}

/// Checks every model, and that the data set has what each reads of every sample.
///
/// # Errors
/// The first model that cannot work; else all files that are missing, by model and part.
#[cfg(feature = "torch")]
fn check_models(plan: &Plan) -> Result<()> {
    device(&plan.device)?;
    let mut lacking = Vec::new();
    for entry in &plan.models {
        let capture = capture(plan, &entry.name);
        let facts = entry
            .model
            .check(Some(&capture))
            .map_err(|error| refused(&entry.name, error))?;
        let size = facts.size.map_or_else(
            || "any size".to_owned(),
            |(height, width)| format!("{height}x{width}"),
        );
        let millions = facts.parameters as f64 / 1e6;
        tracing::info!(
            "model {}: {millions:.1} M parameters, {size}, {} steps",
            entry.name,
            facts.steps
        );
        entry
            .model
            .accepts(plan.dataset.goal())
            .map_err(|error| refused(&entry.name, error))?;
        let needs = entry.model.needs();
        let gaps = plan.dataset.gaps(needs).with_context(|| entry.describe())?;
        lacking.extend(
            gaps.into_iter()
                .map(|gap| format!("{} needs {gap}", entry.describe())),
        );
    }
    match &lacking[..] {
        [] => Ok(()),
        [one] => bail!("{one}"),
        several => bail!("the data set lacks files:\n  {}", several.join("\n  ")),
    }
}

/// Without the reader of checkpoints nothing can be generated.
#[cfg(not(feature = "torch"))]
fn check_models(_plan: &Plan) -> Result<()> {
    Err(usage(
        "this build has no libtorch, so it cannot generate images; pass `--stages score,measure,correlate,report`",
    ))
}

/// A setting that cannot work is a user error; a checkpoint that does not fit is a failure.
#[cfg(feature = "torch")]
fn refused(model: &str, error: RunnerError) -> anyhow::Error {
    match error {
        RunnerError::Steps { .. }
        | RunnerError::Setting { .. }
        | RunnerError::Specific { .. }
        | RunnerError::Intervene { .. } => usage(format!("model `{model}`: {error}")),
        error => anyhow::Error::new(error).context(format!("model `{model}`")),
    }
}

/// What is recorded while `model` samples, and changed.
#[cfg(feature = "torch")]
pub(crate) fn capture(plan: &Plan, model: &str) -> CaptureConfig {
    CaptureConfig {
        time_groups: plan.config.recorded_groups(),
        specific: plan.config.recorded.specific.clone(),
        chunk_mib: plan.config.capture.chunk_mib,
        locality: plan.config.recorded.locality.clone(),
        intervene: plan.intervene.0.of_model(model),
    }
}
