use anyhow::Result;
use i2am_datasets::Goal;
use i2am_results::{AggregateRow, Manifest, RunFolder};
use serde_json::{Value, json};

use crate::cli::{RunArgs, StageName};
use crate::exit::Outcome;
use crate::plan::Plan;
use crate::{progress, stages, table};

/// Runs the stages in order; what an earlier run of the same configuration did is not done again.
pub(super) fn run(args: &RunArgs) -> Result<Outcome> {
    if let Some(outcome) = super::correlate::run_config(args)? {
        return Ok(outcome);
    }
    let plan = Plan::of(args)?;
    plan.check()?;
    if plan.indices().next().is_none() {
        tracing::warn!("no sample of {} is in this run", plan.samples);
    }
    let mut folder = RunFolder::open(plan.output(), plan.manifest()?, plan.fresh)?;
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
        progress::print(&table::summary(&rows))?;
        if plan.dataset.goal() != Goal::Repaint
            && let Some(remark) = plan.dataset.remark()
        {
            progress::print(&remark)?;
        }
        let worst = stages::debug::worst(&plan, &folder)?;
        if !worst.is_empty() {
            progress::print(&table::worst(&worst))?;
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
            "convention": row.convention, "direction": row.direction, "level": row.level, "note": row.note,
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
