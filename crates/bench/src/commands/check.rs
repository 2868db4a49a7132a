use anyhow::Result;
use serde_json::json;

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
    let samples = plan.indices().count();
    let text = if args.json {
        json!({
            "stages": stages, "samples": samples, "dataset": plan.dataset.name(), "root": plan.dataset.root(),
            "models": models, "device": plan.device, "output": plan.output(),
        })
        .to_string()
    } else {
        format!(
            "would run {} for {samples} samples of {} ({}) with {} on {} into {}",
            stages.join(", "),
            plan.dataset.name(),
            plan.dataset.root().display(),
            models.join(", "),
            plan.device,
            plan.output().display()
        )
    };
    progress::print(&text)?;
    if let Some(remark) = plan.dataset.remark().filter(|_| !args.json) {
        progress::print(&remark)?;
    }
    Ok(Outcome::Ok)
}
