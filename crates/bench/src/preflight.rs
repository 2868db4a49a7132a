//! What a run needs, looked at before anything is computed.

mod masks;
mod names;

use std::collections::BTreeSet;

use anyhow::Result;
#[cfg(feature = "torch")]
use anyhow::{Context as _, bail};
use i2am_datasets::Part;
#[cfg(feature = "torch")]
use i2am_runner::RunnerError;
#[cfg(feature = "torch")]
use i2am_runner::capture::CaptureConfig;

#[cfg(feature = "torch")]
use crate::batch;
use crate::cli::StageName;
#[cfg(feature = "torch")]
use crate::device::device;
use crate::exit::usage;
use crate::models;
use crate::plan::Plan;
#[cfg(feature = "torch")]
use crate::plan::other_reference;
use crate::stages::measure;

pub(crate) use masks::Pace;

/// Checks that every file and tensor that will be read is there and fits, and gives what is strange. Masks are read at the given `pace`.
///
/// # Errors
/// The first thing that is missing or wrong.
pub(crate) fn check(plan: &Plan, pace: Pace) -> Result<Vec<String>> {
    let mut warnings = plan.dataset.warnings().to_vec();
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    names::check(plan)?;
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
    let reads_masks = [StageName::Generate, StageName::Score];
    if plan.stages.iter().any(|stage| reads_masks.contains(stage)) {
        let needs = models::needs(&plan.models).flat_map(|(_, needs)| needs);
        let needs: Vec<Part> = needs
            .copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        warnings.extend(masks::check(plan, |index| plan.parts(index, &needs), pace)?);
    }
    Ok(warnings)
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
            .check(&capture)
            .map_err(|error| refused(&entry.name, error))?;
        let size = facts.size.map_or_else(
            || "any size".to_owned(),
            |(height, width)| format!("{height}x{width}"),
        );
        let millions = facts.parameters as f64 / 1e6;
        tracing::info!(
            "model {}: {millions:.1} M parameters, {size}, {} steps, {}",
            entry.name,
            facts.steps,
            batch::choose(entry, &plan.device)?
        );
        entry
            .model
            .accepts(plan.dataset.goal())
            .map_err(|error| refused(&entry.name, error))?;
        let needs = entry.model.needs();
        if other_reference(&entry.settings).is_some() && plan.dataset.ids().len() < 2 {
            return Err(usage(format!(
                "{}: damage of the kind `other-reference` needs at least two samples, and the data set has one",
                entry.describe()
            )));
        }
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
        | RunnerError::Damage { .. }
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
        carried_sums: plan.config.capture.carried,
        locality: plan.config.recorded.locality.clone(),
        intervene: plan.intervene.0.of_model(model),
    }
}
