//! Everything that a run would refuse, without computing or writing anything.

use anyhow::{Context as _, Result};
use i2am_datasets::Part;
use i2am_metrics::Needs;
use i2am_results::RunFolder;
use serde_json::json;

use crate::cache::file_hashes;
use crate::cli::{RunArgs, StageName};
use crate::config::{Document, Source};
use crate::exit::Outcome;
use crate::plan::Plan;
use crate::preflight::Pace;
use crate::{models, preflight, progress};

/// Everything but compute.
pub(super) fn run(args: &RunArgs) -> Result<Outcome> {
    let source = Source::read(&args.config, &args.sets)?;
    let mut document = Document::parse_source(&source)?;
    if document.has("table") {
        return super::correlate::check_config(args, &mut document);
    }
    // A synthetic set that is not there yet is drawn here, to look at its files; the folder goes when this function ends.
    let scratch = tempfile::tempdir().context("a temporary folder")?;
    let plan = Plan::of(args, &mut document, Some(scratch.path()))?;
    preflight::check(&plan, Pace::Threads)?;
    let changed = RunFolder::check(plan.output(), plan.manifest(&file_hashes())?, plan.fresh)?;
    for sample in &changed {
        tracing::warn!("{sample}");
    }
    let failing = if plan.stages.contains(&StageName::Generate) {
        failing_samples(&plan)
    } else {
        0
    };
    let models: Vec<&str> = plan
        .models
        .iter()
        .map(|model| model.name.as_str())
        .collect();
    let stages: Vec<&str> = plan.stages.iter().map(|stage| stage.as_str()).collect();
    let samples = plan.indices().count();
    let licenses = models::licenses(&plan.models);
    let text = if args.json {
        json!({
            "stages": stages, "samples": samples, "failing": failing, "changed": changed.len(), "dataset": plan.dataset.name(),
            "root": plan.dataset.root(), "models": models, "device": plan.device, "output": plan.output(),
            "licenses": licenses,
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
    if let Some(protocol) = plan.config.protocol.as_ref().filter(|_| !args.json) {
        progress::print(&protocol.to_string())?;
    }
    if !args.json {
        licenses.iter().try_for_each(|line| progress::print(line))?;
    }
    if let Some(remark) = plan.dataset.remark().filter(|_| !args.json) {
        progress::print(&remark)?;
    }
    Ok(if failing > 0 {
        Outcome::SomeFailed
    } else {
        Outcome::Ok
    })
}

/// Reports every sample that a model could not read, or that could not be measured, in the words of a run, and counts them.
fn failing_samples(plan: &Plan) -> usize {
    let mut failing = 0;
    let compares = plan.stages.contains(&StageName::Measure);
    for (model, needs) in models::needs(&plan.models) {
        for index in plan.indices() {
            let mut parts = plan.parts(index, needs);
            if compares && has_ground_truth(plan, index) {
                parts.push(Part::GroundTruth);
            }
            if let Err(error) = plan.dataset.check_headers(index, &parts) {
                let id = &plan.dataset.ids()[index];
                let error = progress::one_line(&error.into());
                tracing::warn!("{model}: sample {id}: {error}");
                failing += 1;
            }
        }
    }
    failing
}

/// Whether images are compared with the ground truth of sample `index`, and that is another file than its image.
fn has_ground_truth(plan: &Plan, index: usize) -> bool {
    let mut metrics = plan.config.metrics.configured.iter();
    if !metrics.any(|metric| metric.info().needs == Needs::Pairs) {
        return false;
    }
    let path = |part| plan.dataset.path(index, part);
    let truth = path(Part::GroundTruth).filter(|truth| truth.is_file());
    truth.is_some() && truth != path(Part::Image)
}
