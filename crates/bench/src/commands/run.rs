//! A run from beginning to end.

mod printed;

use anyhow::Result;
use i2am_datasets::Goal;
use i2am_results::{AggregateRow, Manifest, RunFolder};
use serde_json::{Value, json};

use crate::cache::file_hashes;
use crate::cli::{RunArgs, StageName};
use crate::config::{Document, Source};
use crate::exit::Outcome;
use crate::plan::Plan;
use crate::table::text;
use crate::{preflight, progress, stages};

/// Runs the stages in order; what an earlier run of the same configuration did is not done again.
pub(super) fn run(args: &RunArgs) -> Result<Outcome> {
    let source = Source::read(&args.config, &args.sets)?;
    let mut document = Document::parse_source(&source)?;
    if document.has("table") {
        return super::correlate::run_config(args, &mut document);
    }
    let plan = Plan::of(args, &mut document, None)?;
    preflight::check(&plan)?;
    if plan.indices().next().is_none() {
        tracing::warn!("no sample of {} is in this run", plan.samples);
    }
    let hashes = file_hashes();
    let start = plan.manifest(&hashes)?;
    hashes.save();
    let mut folder = RunFolder::open(plan.output(), start, plan.fresh)?;
    for sample in folder.changed() {
        tracing::warn!("{sample}");
    }
    let done = run_stages(&plan, &mut folder);
    if let Err(error) = done {
        folder.fail(format!("{error:#}"))?;
        return Err(error);
    }
    folder.finish(Vec::new())?;
    if plan.stages.contains(&StageName::Report) {
        stages::report::run(&plan, folder.paths())?;
    }
    let rows = folder.aggregate()?;
    if args.json {
        progress::print(&as_json(&plan, folder.manifest(), &rows).to_string())?;
    } else {
        progress::print(&printed::summary(&rows))?;
        if plan.dataset.goal() != Goal::Repaint
            && let Some(remark) = plan.dataset.remark()
        {
            progress::print(&remark)?;
        }
        let worst = stages::debug::worst(&plan, &folder)?;
        if !worst.is_empty() {
            progress::print(&printed::worst(&worst))?;
        }
    }
    let counts = folder.counts();
    tracing::info!(
        "{}: {} samples done, {} failed, {} done before",
        folder.paths().dir().display(),
        counts.ok,
        counts.failed,
        counts.skipped
    );
    Ok(if counts.failed > 0 {
        Outcome::SomeFailed
    } else {
        Outcome::Ok
    })
}

fn as_json(plan: &Plan, manifest: &Manifest, rows: &[AggregateRow]) -> Value {
    let Manifest {
        name,
        status,
        counts,
        warnings,
        ..
    } = manifest;
    let score = |row: &AggregateRow| {
        json!({
            "model": row.model, "stage": row.stage.as_str(), "metric": row.metric, "version": row.version,
            "convention": row.convention, "direction": text(row.direction), "level": text(row.level.as_ref()), "note": row.note.to_string(),
            "n": row.n, "missing": row.missing, "mean": row.mean, "sd": row.sd,
        })
    };
    let scores: Vec<Value> = rows.iter().map(score).collect();
    json!({
        "name": name, "output": plan.output(), "status": status, "counts": counts, "warnings": warnings, "scores": scores,
    })
}

fn run_stages(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    for stage in &plan.stages {
        match stage {
            #[cfg(feature = "torch")]
            StageName::Generate => stages::generate::run(plan, folder)?,
            // `Plan::check` has refused it.
            #[cfg(not(feature = "torch"))]
            StageName::Generate => {}
            StageName::Score => {
                stages::score::run(plan, folder)?;
                stages::debug::run(plan, folder)?;
            }
            StageName::Measure => stages::measure::run(plan, folder)?,
            StageName::Correlate => stages::correlate::run(plan, folder)?,
            // Tells how the run ended, so it comes after its end.
            StageName::Report => {}
        }
    }
    Ok(())
}
