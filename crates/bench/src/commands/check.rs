use anyhow::Result;

use crate::cli::RunArgs;
use crate::exit::Outcome;
use crate::plan::Plan;
use crate::progress;

/// Everything but compute.
pub(super) fn run(args: &RunArgs) -> Result<Outcome> {
    if let Some(outcome) = super::correlate::check_config(args)? {
        return Ok(outcome);
    }
    let plan = Plan::of(args)?;
    plan.check()?;
    let models: Vec<&str> = plan
        .models
        .iter()
        .map(|model| model.name.as_str())
        .collect();
    let stages: Vec<String> = plan
        .stages
        .iter()
        .map(|stage| format!("{stage:?}").to_lowercase())
        .collect();
    progress::print(&format!(
        "would run {} for {} samples of {} ({}) with {} on {} into {}",
        stages.join(", "),
        plan.samples,
        plan.dataset.name(),
        plan.dataset.root().display(),
        models.join(", "),
        plan.device,
        plan.output().display()
    ))?;
    Ok(Outcome::Ok)
}
