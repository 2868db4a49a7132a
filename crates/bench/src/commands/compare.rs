//! A run against a baseline.

mod junit;
mod printed;
mod summary;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use i2am_quantity::{Better, Quantity};
use i2am_results::{
    Baseline, Change, Comparison, ResultsError, RunStatus, Snapshot, Tolerance, Verdict,
};
use serde_json::{Value, json};

use crate::cli::CompareArgs;
use crate::exit::{Outcome, usage};
use crate::progress;
use crate::registry::quantities;
use crate::table::text;

/// Compares, or writes a new baseline.
pub(super) fn run(args: &CompareArgs) -> Result<Outcome> {
    let run = Snapshot::read(&args.results)?;
    if args.update {
        return update(args, run);
    }
    if !args.baseline.exists() {
        return Err(usage(format!(
            "{}: there is no baseline; --update writes one",
            args.baseline.display()
        )));
    }
    let comparison = read(args)?.compare(&run).map_err(|error| {
        let (results, file) = (args.results.display(), args.baseline.display());
        refused(error, &format!("{results}, {file}"))
    })?;
    finish(args, &comparison, &[])?;
    Ok(if comparison.is_worse() {
        Outcome::Worse
    } else {
        Outcome::Ok
    })
}

/// Writes what CI systems show, and prints what was found; `replaced` is what kept an older baseline from being compared.
fn finish(args: &CompareArgs, comparison: &Comparison, replaced: &[String]) -> Result<()> {
    if let Some(path) = &args.junit {
        i2am_files::write_atomic(path, junit::xml(comparison))?;
    }
    if let Some(path) = &args.summary {
        summary::append(path, &summary::markdown(comparison))?;
    }
    tell(args, comparison, replaced)
}

/// Writes the baseline anew, with the tolerances that it has.
fn update(args: &CompareArgs, run: Snapshot) -> Result<Outcome> {
    if run.status != Some(RunStatus::Success) {
        return Err(usage(format!(
            "{}: a baseline needs a run that ended and in which no sample failed",
            args.results.display()
        )));
    }
    if !run.has_values() {
        return Err(usage(format!(
            "{}: expected scores to compare with, found none in the run",
            args.results.display()
        )));
    }
    let (kept, comparison) = if args.baseline.exists() {
        let old = read(args)?;
        let comparison = match old.compare(&run) {
            Err(ResultsError::NotComparable { differences }) => Err(differences),
            comparison => Ok(comparison?),
        };
        (old.tolerances, Some(comparison))
    } else {
        (BTreeMap::new(), None)
    };
    let new = Baseline::new(run, kept, tolerance);
    new.write(&args.baseline)?;
    match comparison {
        None => finish(args, &new.compare(&new.run)?, &[])?,
        Some(Ok(comparison)) => finish(args, &comparison, &[])?,
        Some(Err(differences)) => finish(args, &new.compare(&new.run)?, &differences)?,
    }
    tracing::info!("wrote {}", args.baseline.display());
    Ok(Outcome::Ok)
}

/// The tolerance of `metric` in a new baseline: that of the registry, and for a quantity that only another version of the program knows,
/// a thousandth of its value in either direction.
fn tolerance(metric: &str) -> Tolerance {
    static UNKNOWN: Quantity = Quantity::new("", "", Better::Neither);
    quantities().find(metric).unwrap_or(&UNKNOWN).into()
}

/// The baseline is part of what the user asks for, like a configuration.
fn read(args: &CompareArgs) -> Result<Baseline> {
    Baseline::read(&args.baseline).map_err(|error| match error {
        ResultsError::SchemaVersion { .. } | ResultsError::BaselineFormat { .. } => {
            usage(error.to_string())
        }
        error => error.into(),
    })
}

fn refused(error: ResultsError, what: &str) -> anyhow::Error {
    match error {
        ResultsError::NotComparable { .. } => usage(format!(
            "{what}: {error}; --update makes a baseline of the run"
        )),
        error => anyhow::Error::new(error).context(what.to_owned()),
    }
}

/// Prints what was found.
fn tell(args: &CompareArgs, comparison: &Comparison, replaced: &[String]) -> Result<()> {
    let text = if args.json {
        as_json(args, comparison, replaced).to_string()
    } else {
        for difference in replaced {
            tracing::info!("the baseline was of another run: {difference}");
        }
        for note in &comparison.notes {
            tracing::info!("{note}");
        }
        printed::compared(comparison, args.all)
    };
    progress::print(&text).context("standard output")
}

fn as_json(args: &CompareArgs, comparison: &Comparison, replaced: &[String]) -> Value {
    let counts: BTreeMap<&str, usize> = Verdict::ALL
        .into_iter()
        .map(|verdict| (verdict.as_str(), comparison.count(verdict)))
        .collect();
    let shown = |change: &&Change| args.all || change.verdict != Verdict::Same;
    let change = |change: &Change| {
        json!({
            "model": change.model, "metric": change.metric, "direction": text(change.direction), "level": text(change.level.as_ref()),
            "convention": change.convention, "note": change.note, "sample": change.sample, "old": change.old,
            "new": change.new, "difference": change.difference(), "tolerance": change.tolerance,
            "better": change.better, "verdict": change.verdict, "reason": change.reason,
        })
    };
    let changes: Vec<Value> = comparison
        .changes
        .iter()
        .filter(shown)
        .map(change)
        .collect();
    json!({
        "results": args.results, "baseline": args.baseline, "updated": args.update, "worse": comparison.is_worse(),
        "counts": counts, "changes": changes, "notes": comparison.notes, "replaced": replaced,
    })
}
