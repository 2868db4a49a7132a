//! Fourth stage: how scores correlate with metrics, over the samples of each model, over all of them, and over the models.

mod compare;
mod data;
pub(crate) mod ladder;
mod pool;

use anyhow::Result;
use i2am_datasets::Goal;
use i2am_imacs::scores::MASK_AREA;
use i2am_quantity::Notes;
use i2am_results::{CorrelationRow, Outcome, RunFolder, Unit};
use i2am_stats::{Correlation, Settings, Target};

use crate::correlations::{self, correlations};
use crate::exit::usage;
use crate::plan::Plan;
use crate::registry::quantities;
use data::{Points, Samples};

/// Correlates everything that was scored with everything that was measured, and writes `correlations.csv` anew.
pub(crate) fn run(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    let statistics = &plan.config.statistics;
    let settings = statistics
        .settings()
        .map_err(|problem| usage(format!("statistics.{problem}")))?;
    let models: Vec<&str> = plan
        .models
        .iter()
        .map(|model| model.name.as_str())
        .collect();
    // Variants of a model are no models of their own: over them the ladder has tables.
    let variants = &plan.config.variants;
    let is_variant = |name: &str| variants.iter().any(|variant| variant.model == name);
    let independent: Vec<&str> = models
        .iter()
        .copied()
        .filter(|name| statistics.variants || !is_variant(name))
        .collect();
    let samples = Samples::read(&folder.paths().samples_csv(), statistics)?;
    let has_masks = plan.dataset.goal() == Goal::Repaint;
    for covariate in &statistics.covariates {
        // The default is no mistake where there are no masks.
        let expected = has_masks || covariate != MASK_AREA.name;
        if expected && !samples.has(covariate) {
            tracing::warn!(
                "statistics.covariates: no row of samples.csv has the metric `{covariate}`"
            );
        }
    }
    let mut rows = Vec::new();
    for model in &models {
        let points = samples.of(model);
        rows.extend(unit(&points, &[], &settings)?);
        if !points.covariates.is_empty() {
            rows.extend(unit(&points, &points.covariates, &settings)?);
        }
        rows.extend(compare::rows(&points, &settings)?);
    }
    let pooled = pool::rows(&rows, &independent, settings.level)?;
    rows.extend(pooled);
    let points = Points::of_models(&folder.aggregate()?, &independent, statistics);
    rows.extend(unit(&points, &[], &settings)?);
    rows.extend(compare::rows(&points, &settings)?);
    correct(&mut rows);
    folder.put_correlations(&rows)?;
    let with_value = rows
        .iter()
        .filter(|row| row.outcome.value().is_some())
        .count();
    tracing::info!(
        "{}: {} rows, of which {with_value} have a value",
        folder.paths().correlations().display(),
        rows.len()
    );
    Ok(())
}

/// Every score with every metric.
fn unit(points: &Points, covariates: &[usize], settings: &Settings) -> Result<Vec<CorrelationRow>> {
    let pairs = points.pairs();
    let targets: Vec<Target> = pairs.iter().map(|&(x, y)| Target { x, y }).collect();
    let found = correlations(&points.columns, &targets, covariates, settings)?;
    let rows = pairs.iter().zip(found).flat_map(|(&(x, y), found)| {
        found
            .into_iter()
            .map(move |found| row(points, x, y, covariates, &found))
    });
    Ok(rows.collect())
}

fn row(
    points: &Points,
    x: usize,
    y: usize,
    covariates: &[usize],
    found: &Correlation,
) -> CorrelationRow {
    let mut notes = correlations::note(found);
    for index in [x, y] {
        notes.extend(Notes::from(points.series[index].marks));
    }
    let value = found.value.ok();
    let p = found.p.ok().filter(|_| value.is_some());
    let metric = &points.series[y];
    CorrelationRow {
        method: found.method.to_string(),
        outcome: match found.value {
            Ok(value) => Outcome::ok(value).unwrap_or_else(Outcome::failed),
            Err(reason) => Outcome::empty(reason),
        },
        oriented: value.and_then(|value| quantities().better(&metric.name).orient(value)),
        interval: found
            .interval
            .ok()
            .map(|interval| [interval.low, interval.high]),
        p: p.map(|p| p.value),
        p_by: p.map_or("", |p| p.by.as_str()).to_owned(),
        n: found.n,
        note: notes,
        ..blank(points, x, y, covariates)
    }
}

/// A row with its names and nothing found.
fn blank(points: &Points, x: usize, y: usize, covariates: &[usize]) -> CorrelationRow {
    let [score, metric] = [x, y].map(|index| &points.series[index]);
    let covariates = covariates
        .iter()
        .map(|&index| points.series[index].name.as_str());
    CorrelationRow {
        unit: points.unit,
        model: points.model.clone(),
        score: score.name.clone(),
        direction: score.direction,
        level: score.level.clone(),
        metric: metric.name.clone(),
        variant: metric.variant.clone(),
        rival: String::new(),
        covariate: covariates.collect::<Vec<_>>().join("+"),
        method: String::new(),
        outcome: Outcome::empty("not computed"),
        oriented: None,
        interval: None,
        p: None,
        p_by: String::new(),
        p_holm: None,
        n: 0,
        note: Notes::NONE,
    }
}

/// Holm's correction. A family is what one reader looks at as one table: all scores, metrics and models of one unit by one method,
/// plain or with the covariates held constant; comparisons apart.
fn correct(rows: &mut [CorrelationRow]) {
    let family = |row: &CorrelationRow| {
        let is_comparison = !row.rival.is_empty();
        (
            row.unit,
            row.method.clone(),
            row.covariate.clone(),
            is_comparison,
        )
    };
    let tests = rows.iter().map(|row| (family(row), row.p)).collect();
    for (row, p) in rows.iter_mut().zip(correlations::corrected(tests)) {
        row.p_holm = p;
    }
}

/// Whether anything can be held constant: models share their samples, so that over them a covariate is one number.
fn has_covariates(unit: Unit) -> bool {
    unit == Unit::Sample
}
