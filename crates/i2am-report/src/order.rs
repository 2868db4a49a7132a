//! Which model is best: the order of lines in the main table, of the gallery, and of the sentence that the page begins with.

use i2am_quantity::Better;

use crate::run::Run;
use crate::series::Series;

/// The models of a run, best first.
pub(crate) struct Order {
    /// Their names.
    pub(crate) models: Vec<String>,
    /// Titles of what they are ordered by; empty where nothing tells one model from another.
    pub(crate) by: Vec<String>,
    /// Whether that are metrics of images, as opposed to scores of maps.
    pub(crate) by_images: bool,
}

/// Orders the models of `run` by their mean rank over the metrics of images in the main table; without any, over the scores of maps.
/// Models of one rank, and those that have no value, stand in the order of their names.
///
/// Ranks are shared out over 0 (best) to 1 in each column, among the models that have a value there; equal values share the mean of
/// their ranks.
pub(crate) fn best_first(run: &Run) -> Order {
    let mut models = run.models();
    let columns = columns(run);
    let ranks: Vec<Vec<Option<f64>>> = columns
        .iter()
        .map(|series| shares(run, series, &models))
        .collect();
    let mean_rank = |index: usize| {
        let own: Vec<f64> = ranks.iter().filter_map(|ranks| ranks[index]).collect();
        if own.is_empty() {
            // Behind every model that has a value.
            return f64::INFINITY;
        }
        own.iter().sum::<f64>() / own.len() as f64
    };
    let mut ranked: Vec<(f64, String)> = models
        .drain(..)
        .enumerate()
        .map(|(index, model)| (mean_rank(index), model))
        .collect();
    ranked.sort_by(|(a, first), (b, second)| a.total_cmp(b).then_with(|| first.cmp(second)));
    let mut by: Vec<String> = Vec::new();
    if ranked.len() > 1 {
        for title in columns.iter().map(Series::title) {
            // Variants of one metric share its title.
            if by.last().is_none_or(|last| last != title) {
                by.push(title.to_owned());
            }
        }
    }
    Order {
        models: ranked.into_iter().map(|(_, model)| model).collect(),
        by,
        by_images: columns.iter().any(|series| !series.is_score()),
    }
}

/// The columns that models are ordered by.
fn columns(run: &Run) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for row in run.headline().filter(|row| row.mean.is_some()) {
        let series = run.series(row);
        if series.is_column() && series.better() != Better::Neither && !all.contains(&series) {
            all.push(series);
        }
    }
    all.sort();
    let (scores, metrics): (Vec<Series>, Vec<Series>) = all.into_iter().partition(Series::is_score);
    if metrics.is_empty() { scores } else { metrics }
}

/// The rank of each of `models` in `series`, from 0 for the best to 1.
fn shares(run: &Run, series: &Series, models: &[String]) -> Vec<Option<f64>> {
    let value = |model: &String| {
        let mut rows = run.headline();
        rows.find(|row| row.model == *model && run.series(row) == *series)?
            .mean
    };
    let values: Vec<Option<f64>> = models.iter().map(value).collect();
    let present: Vec<f64> = values.iter().flatten().copied().collect();
    let better = series.better();
    let share = |value: f64| {
        if present.len() < 2 {
            return 0.0;
        }
        let ahead = present
            .iter()
            .filter(|other| better.prefers(**other, value))
            .count();
        let behind = present
            .iter()
            .filter(|other| better.prefers(value, **other))
            .count();
        // Itself is neither.
        let same = present.len() - 1 - ahead - behind;
        (ahead as f64 + same as f64 / 2.0) / (present.len() - 1) as f64
    };
    values.into_iter().map(|value| value.map(share)).collect()
}
