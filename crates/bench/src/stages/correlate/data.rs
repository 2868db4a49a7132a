//! The columns that are correlated, from the rows of a run.

use std::collections::{BTreeMap, BTreeSet};

use i2am_results::{AggregateRow, Measurement, Row, Stage, Unit};

use super::has_covariates;
use crate::config::Statistics;
use crate::correlations::Column;

/// What a column is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    /// The score or metric.
    pub(super) name: String,
    pub(super) direction: String,
    /// Empty for a metric.
    pub(super) level: String,
    /// Empty for a score: a run has one convention.
    pub(super) variant: String,
    /// The remark that its values carry.
    pub(super) note: String,
}

/// Columns of one length, one value a point.
pub(super) struct Points {
    pub(super) unit: Unit,
    /// Empty where the points are models.
    pub(super) model: String,
    pub(super) series: Vec<Series>,
    pub(super) columns: Vec<Column>,
    scores: Vec<usize>,
    metrics: Vec<usize>,
    /// What can be held constant.
    pub(super) covariates: Vec<usize>,
}

/// A value of a point.
struct Entry<'a> {
    point: &'a str,
    stage: Stage,
    series: Series,
    value: Option<f64>,
}

/// Whether a row becomes part of a column.
pub(super) fn is_wanted(row: &Row, statistics: &Statistics) -> bool {
    let Measurement { metric, level, .. } = &row.measurement;
    Kind::of(row.stage, metric, level, statistics).is_some()
}

impl Points {
    /// The samples of `model`.
    pub(super) fn of_samples(samples: &[Row], model: &str, statistics: &Statistics) -> Self {
        let of_model = samples.iter().filter(|row| row.model == model);
        let entries = of_model.map(|row| {
            let Measurement {
                direction,
                level,
                metric,
                convention,
                note,
                outcome,
                ..
            } = &row.measurement;
            Entry {
                point: &row.sample_id,
                stage: row.stage,
                series: Series::of(metric, direction, level, convention, note),
                value: outcome.value(),
            }
        });
        Self::new(Unit::Sample, model, entries.collect(), statistics)
    }

    /// The models: means over their samples, and scores of sets.
    pub(super) fn of_models(
        summary: &[AggregateRow],
        models: &[&str],
        statistics: &Statistics,
    ) -> Self {
        let known = summary
            .iter()
            .filter(|row| models.contains(&row.model.as_str()));
        let entries = known.map(|row| Entry {
            point: &row.model,
            stage: row.stage,
            series: Series::of(
                &row.metric,
                &row.direction,
                &row.level,
                &row.convention,
                &row.note,
            ),
            value: row.mean,
        });
        Self::new(Unit::Model, "", entries.collect(), statistics)
    }

    fn new(unit: Unit, model: &str, entries: Vec<Entry<'_>>, statistics: &Statistics) -> Self {
        let points: BTreeSet<&str> = entries.iter().map(|entry| entry.point).collect();
        let place: BTreeMap<&str, usize> = points
            .into_iter()
            .enumerate()
            .map(|(index, point)| (point, index))
            .collect();
        let mut columns: BTreeMap<(Kind, Series), Column> = BTreeMap::new();
        for Entry {
            point,
            stage,
            series,
            value,
        } in entries
        {
            let Some(kind) = Kind::of(stage, &series.name, &series.level, statistics) else {
                continue;
            };
            if kind == Kind::Covariate && !has_covariates(unit) {
                continue;
            }
            let column = columns
                .entry((kind, series))
                .or_insert_with(|| vec![None; place.len()]);
            column[place[point]] = value;
        }
        let columns = merged(columns);
        let of = |wanted: Kind| {
            let found = columns.iter().enumerate();
            found
                .filter(|(_, (kind, ..))| *kind == wanted)
                .map(|(index, _)| index)
                .collect()
        };
        Self {
            unit,
            model: model.to_owned(),
            scores: of(Kind::Score),
            metrics: of(Kind::Metric),
            covariates: of(Kind::Covariate),
            series: columns
                .iter()
                .map(|(_, series, _)| series.clone())
                .collect(),
            columns: columns.into_iter().map(|(_, _, column)| column).collect(),
        }
    }

    /// Every score with every metric, as indices of columns.
    pub(super) fn pairs(&self) -> Vec<(usize, usize)> {
        let with_metrics = |&score: &usize| self.metrics.iter().map(move |&metric| (score, metric));
        self.scores.iter().flat_map(with_metrics).collect()
    }

    /// Both scores of one level with every metric.
    pub(super) fn rivals(&self) -> Vec<(usize, usize, usize)> {
        let mut found = Vec::new();
        for &first in &self.scores {
            for &second in &self.scores {
                let [a, b] = [first, second].map(|index| &self.series[index]);
                if a.level == b.level && a.name < b.name {
                    found.extend(self.metrics.iter().map(|&metric| (first, second, metric)));
                }
            }
        }
        found
    }
}

/// One column for each score or metric, whose notes are brought together.
fn merged(columns: BTreeMap<(Kind, Series), Column>) -> Vec<(Kind, Series, Column)> {
    let mut merged: Vec<(Kind, Series, Column)> = Vec::new();
    for ((kind, series), column) in columns {
        match merged.last_mut() {
            Some((_, last, values)) if last.key() == series.key() => {
                for (value, other) in values.iter_mut().zip(column) {
                    *value = value.or(other);
                }
                if last.note.is_empty() {
                    last.note = series.note;
                }
            }
            _ => merged.push((kind, series, column)),
        }
    }
    merged
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Score,
    Metric,
    Covariate,
}

impl Kind {
    fn of(stage: Stage, name: &str, level: &str, statistics: &Statistics) -> Option<Self> {
        if statistics.covariates.iter().any(|known| known == name) {
            return Some(Self::Covariate);
        }
        match stage {
            // It has radii and controls, which a column of correlations cannot tell apart.
            Stage::Score if name.starts_with("locality") => None,
            Stage::Score if statistics.levels.iter().any(|known| known == level) => {
                Some(Self::Score)
            }
            Stage::Measure => Some(Self::Metric),
            _ => None,
        }
    }
}

impl Series {
    fn of(name: &str, direction: &str, level: &str, convention: &str, note: &str) -> Self {
        Self {
            name: name.to_owned(),
            direction: direction.to_owned(),
            level: level.to_owned(),
            variant: if level.is_empty() { convention } else { "" }.to_owned(),
            // Only remarks that concern every value; the others are in samples.csv.
            note: if note == "one-token" { note } else { "" }.to_owned(),
        }
    }

    fn key(&self) -> [&str; 4] {
        [&self.name, &self.direction, &self.level, &self.variant]
    }
}
