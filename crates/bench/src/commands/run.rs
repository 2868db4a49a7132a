//! A run from beginning to end.

use std::time::Instant;

use anyhow::Result;
use i2am_datasets::Goal;
use i2am_results::{AggregateRow, Manifest, RunFolder};
#[cfg(feature = "torch")]
use i2am_results::{RunPaths, RunStatus};
use serde_json::{Value, json};

use crate::cache::file_hashes;
use crate::cli::{RunArgs, StageName};
#[cfg(feature = "torch")]
use crate::config::RunConfig;
use crate::config::{Document, Source};
use crate::exit::Outcome;
use crate::plan::Plan;
#[cfg(feature = "torch")]
use crate::plan::output;
use crate::preflight::Pace;
use crate::table::text;
use crate::{preflight, progress, stages};

/// Whether the run that `args` ask for has ended already, as far as its manifest says.
#[cfg(feature = "torch")]
pub(crate) fn has_ended(args: &RunArgs) -> bool {
    let status = || -> Result<RunStatus> {
        let source = Source::read(&args.config, &args.sets)?;
        let config = RunConfig::read(&mut Document::parse_source(&source)?)?;
        let paths = RunPaths::new(output(&config, args.shard));
        Ok(Manifest::read(paths.manifest())?.status)
    };
    // What cannot be read is refused later.
    !args.fresh && status().is_ok_and(|status| status == RunStatus::Success)
}

/// Runs the stages in order; what an earlier run of the same configuration did is not done again.
pub(super) fn run(args: &RunArgs) -> Result<Outcome> {
    let source = Source::read(&args.config, &args.sets)?;
    let mut document = Document::parse_source(&source)?;
    if document.has("table") {
        return super::correlate::run_config(args, &mut document);
    }
    let plan = Plan::of(args, &mut document, None)?;
    let warnings = preflight::check(&plan, Pace::OneByOne)?;
    if plan.indices().next().is_none() {
        tracing::warn!("no sample of {} is in this run", plan.samples);
    }
    let hashes = file_hashes();
    let start = plan.manifest(&hashes)?;
    hashes.save();
    let mut folder = RunFolder::open(plan.output(), start, plan.fresh)?;
    #[cfg(feature = "torch")]
    if stages::run_networks(&plan, &folder) {
        // Where `has_ended` was wrong; the folder is opened once more then.
        i2am_nets::libtorch::start_again_tuned();
    }
    for sample in folder.changed() {
        tracing::warn!("{sample}");
    }
    #[cfg(unix)]
    let _interruptible = crate::interrupt::Interruptible::new(folder.paths());
    let done = run_stages(&plan, &mut folder);
    if let Err(error) = done {
        // A manifest that cannot be written either is not what went wrong first.
        if let Err(second) = folder.fail(progress::one_line(&error)) {
            tracing::warn!("{second}");
        }
        return Err(error);
    }
    folder.finish(warnings)?;
    if plan.stages.contains(&StageName::Report) {
        timed(&mut folder, StageName::Report, |folder| {
            stages::made::report(&plan, folder.paths())
        })?;
    }
    let rows = folder.aggregate()?;
    let unmeasured = stages::measure::without_value(&plan, &rows);
    for metric in &unmeasured {
        tracing::warn!("{metric}");
    }
    if args.json {
        let json = as_json(&plan, folder.manifest(), &rows, &unmeasured);
        progress::print(&json.to_string())?;
    } else {
        if plan.dataset.goal() != Goal::Repaint
            && let Some(remark) = plan.dataset.remark()
        {
            progress::print(&remark)?;
        }
        let debug = plan.config.debug;
        let worst = if debug.ranking { debug.worst } else { 0 };
        super::show::after_run(folder.paths().dir(), args.verbose, worst)?;
    }
    let counts = folder.counts();
    tracing::info!(
        "{}: {} samples done, {} failed, {} done before",
        folder.paths().dir().display(),
        counts.ok,
        counts.failed,
        counts.skipped
    );
    Ok(if counts.failed > 0 || !unmeasured.is_empty() {
        Outcome::SomeFailed
    } else {
        Outcome::Ok
    })
}

fn as_json(
    plan: &Plan,
    manifest: &Manifest,
    rows: &[AggregateRow],
    unmeasured: &[String],
) -> Value {
    let Manifest {
        name,
        status,
        counts,
        seconds,
        warnings,
        ..
    } = manifest;
    let scores: Vec<Value> = rows.iter().map(row_as_json).collect();
    json!({
        "name": name, "output": plan.output(), "status": status, "counts": counts, "seconds": seconds, "warnings": warnings,
        "without_value": unmeasured, "scores": scores,
    })
}

/// A mean over samples, or a score of a whole set.
pub(super) fn row_as_json(row: &AggregateRow) -> Value {
    json!({
        "model": row.model, "stage": row.stage.as_str(), "metric": row.metric, "version": row.version,
        "convention": row.convention, "direction": text(row.direction), "level": text(row.level.as_ref()), "note": row.note.to_string(),
        "n": row.n, "missing": row.missing, "mean": row.mean, "sd": row.sd,
    })
}

fn run_stages(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    // The report says how the run ended, so it comes after its end.
    let stages = plan
        .stages
        .iter()
        .filter(|stage| **stage != StageName::Report);
    for &stage in stages {
        timed(folder, stage, |folder| match stage {
            #[cfg(feature = "torch")]
            StageName::Generate => stages::generate::run(plan, folder),
            StageName::Score => {
                stages::score::run(plan, folder)?;
                stages::debug::run(plan, folder)
            }
            StageName::Measure => stages::measure::run(plan, folder),
            #[cfg(feature = "torch")]
            StageName::Faithfulness => stages::faithfulness::run(plan, folder),
            StageName::Correlate => stages::made::correlate(plan, folder),
            // Without libtorch, `preflight::check` has refused to generate.
            _ => Ok(()),
        })?;
    }
    Ok(())
}

/// Does `stage` and notes what it took.
fn timed(
    folder: &mut RunFolder,
    stage: StageName,
    work: impl FnOnce(&mut RunFolder) -> Result<()>,
) -> Result<()> {
    let started = Instant::now();
    work(folder)?;
    Ok(folder.took(stage.as_str(), started.elapsed())?)
}
