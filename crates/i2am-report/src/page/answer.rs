//! What the page begins with: what a run says, in words, and the plot that shows it.

use i2am_quantity::{Place, number};
use i2am_results::{CorrelationRow, Unit};
use minijinja::{Value, context};

use super::inline;
use crate::level::is_whole;
use crate::order::best_first;
use crate::plots::{Plot, PlotGroup};
use crate::run::Run;
use crate::series::slug;
use crate::tables::{oriented_interval, p_text};

/// The method that sentences are about: ranks need no straight line.
const METHOD: &str = "spearman";
/// Below it a correlation is taken as shown.
const ALPHA: f64 = 0.05;
/// Fewer models than that allow no claim over models.
const FEWEST_MODELS: usize = 5;

/// Sentences about `runs`, and the plot that belongs to them, if any.
pub(super) fn answer(runs: &[&Run], plots: &[Plot]) -> Value {
    let mut sentences = Vec::new();
    let mut shown: Option<&CorrelationRow> = None;
    for run in runs {
        let label = (runs.len() > 1).then_some(run.label.as_str());
        sentences.extend(best(run, label));
        for (unit, rows) in [Unit::Pooled, Unit::Model].map(|unit| (unit, strongest(run, unit))) {
            for row in rows {
                if unit == Unit::Model && row.n < FEWEST_MODELS {
                    continue;
                }
                sentences.push(correlation(run, row, label));
                // A correlation that is there before a stronger one that may be chance.
                let key = |row: &CorrelationRow| (is_shown(row), strength(row));
                if shown.is_none_or(|known| key(row) > key(known)) {
                    shown = Some(row);
                }
            }
        }
        let few = run.models().len();
        if (2..FEWEST_MODELS).contains(&few) && !run.correlations.is_empty() {
            sentences.push(format!(
                "{few} models are too few for a claim about differences between models."
            ));
        }
    }
    let plot = shown
        .and_then(|row| plot_of(row, plots))
        .or_else(|| plots.iter().find(|plot| is_points(plot)))
        .or_else(|| plots.first());
    let plot = plot.map(|plot| {
        let svg = Value::from_safe_string(inline(&plot.drawing.svg));
        context! { description => plot.description.as_str(), svg }
    });
    context! { sentences, plot }
}

/// Which model is best, and by what.
fn best(run: &Run, label: Option<&str>) -> Option<String> {
    let order = best_first(run);
    let best = order.models.first()?;
    let of = label.map_or_else(String::new, |label| format!("{label}: "));
    let samples = run.sample_ids().len();
    if order.by.is_empty() {
        return Some(format!("{of}One model, {best}, on {samples} samples."));
    }
    let what = if order.by_images {
        "makes the best images"
    } else {
        "has the best maps"
    };
    Some(format!(
        "{of}Of {} models, {best} {what}: it has the best mean rank in {} ({samples} samples).",
        order.models.len(),
        crate::tables::listed(&order.by)
    ))
}

/// For each score of the main table, the row of `unit` with the strongest correlation with a metric.
fn strongest(run: &Run, unit: Unit) -> Vec<&CorrelationRow> {
    let quantities = run.quantities();
    let scores = quantities
        .iter()
        .filter(|quantity| quantity.place == Place::Headline);
    let of_score = |name: &str| {
        let rows = run.correlations.iter().filter(|row| {
            row.unit == unit
                && row.score == name
                && row.method == METHOD
                && row.covariate.is_empty()
                && row.rival.is_empty()
                && row.oriented.is_some()
                && is_whole(row.level.as_ref())
                && quantities.better(&row.metric) != i2am_quantity::Better::Neither
        });
        rows.max_by(|a, b| strength(a).total_cmp(&strength(b)))
    };
    scores.filter_map(|score| of_score(score.name)).collect()
}

fn strength(row: &CorrelationRow) -> f64 {
    row.oriented.map_or(0.0, f64::abs)
}

/// Whether the correlation is taken as shown.
fn is_shown(row: &CorrelationRow) -> bool {
    row.p_holm.or(row.p).is_some_and(|p| p < ALPHA)
}

fn correlation(run: &Run, row: &CorrelationRow, label: Option<&str>) -> String {
    let score = run.title(&row.score, "");
    let metric = run.title(&row.metric, &row.variant);
    let value = row.oriented.unwrap_or_default();
    let over = match row.unit {
        Unit::Model => "over models",
        Unit::Sample | Unit::Pooled => "over the samples of each model",
    };
    let p = row.p_holm.or(row.p);
    let interval = oriented_interval(row).map_or_else(String::new, |[low, high]| {
        format!(" [{}, {}]", number(low, 2), number(high, 2))
    });
    let p_said = match p_text(p) {
        text if text.is_empty() => String::new(),
        text if text.starts_with('<') => format!(", p {}", text.replacen('<', "< ", 1)),
        text => format!(", p = {text}"),
    };
    let corrected = if row.p_holm.is_some() {
        " after Holm's correction"
    } else {
        ""
    };
    let figures = format!(
        "Spearman ρ = {}{interval}{p_said}{corrected}, n = {}",
        number(value, 2),
        row.n
    );
    let of = label.map_or_else(String::new, |label| format!("{label}: "));
    if !is_shown(row) {
        return format!(
            "{of}{score} shows no correlation with a metric of images {over}; the strongest is with {metric} ({figures})."
        );
    }
    let which = if value > 0.0 { "better" } else { "worse" };
    format!("{of}A higher {score} comes with a {which} {metric} {over} ({figures}).")
}

/// The plot of points that a correlation is about.
fn plot_of<'a>(row: &CorrelationRow, plots: &'a [Plot]) -> Option<&'a Plot> {
    let kind = match row.unit {
        Unit::Model => "models",
        Unit::Sample | Unit::Pooled => "samples",
    };
    let start = format!("scatter_{kind}_{}_", slug(&row.score));
    let end = format!(
        "_{}",
        slug(format!("{} {}", row.metric, row.variant).trim_end())
    );
    plots
        .iter()
        .find(|plot| plot.name.starts_with(&start) && plot.name.ends_with(&end))
}

fn is_points(plot: &Plot) -> bool {
    plot.group == PlotGroup::Agreement && plot.name.starts_with("scatter_")
}
