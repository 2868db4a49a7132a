//! The columns that are correlated, from the rows of a run.

use std::collections::{BTreeMap, BTreeSet};

use i2am_quantity::{Direction, Level};
use i2am_results::{AggregateRow, Measurement, Row, Stage, Unit};

use super::has_covariates;
use crate::config::Statistics;
use crate::correlations::Column;
use crate::registry::quantities;

/// What a column is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    /// The score or metric.
    pub(super) name: String,
    pub(super) direction: Option<Direction>,
    /// None for a metric.
    pub(super) level: Option<Level>,
    /// Empty for a score: a run has one convention.
    pub(super) variant: String,
    /// Whether its values are of maps with a single reference token. Other notes concern single values; they are in samples.csv.
    pub(super) one_token: bool,
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
    Kind::of(row.stage, metric, level.as_ref(), statistics).is_some()
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
                series: Series {
                    name: metric.clone(),
                    direction: *direction,
                    level: level.clone(),
                    variant: variant(level.as_ref(), convention),
                    one_token: note.is_one_token(),
                },
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
            series: Series {
                name: row.metric.clone(),
                direction: row.direction,
                level: row.level.clone(),
                variant: variant(row.level.as_ref(), &row.convention),
                one_token: row.note.is_one_token(),
            },
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
            let Some(kind) = Kind::of(stage, &series.name, series.level.as_ref(), statistics)
            else {
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

/// One column for each score or metric, with or without single reference tokens.
fn merged(columns: BTreeMap<(Kind, Series), Column>) -> Vec<(Kind, Series, Column)> {
    let mut merged: Vec<(Kind, Series, Column)> = Vec::new();
    for ((kind, series), column) in columns {
        match merged.last_mut() {
            Some((_, last, values)) if last.key() == series.key() => {
                for (value, other) in values.iter_mut().zip(column) {
                    *value = value.or(other);
                }
                last.one_token |= series.one_token;
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
    fn of(
        stage: Stage,
        name: &str,
        level: Option<&Level>,
        statistics: &Statistics,
    ) -> Option<Self> {
        if statistics.covariates.iter().any(|known| known == name) {
            return Some(Self::Covariate);
        }
        // A quantity that only another version of the program knows is correlated as well.
        if quantities()
            .find(name)
            .is_some_and(|known| !known.correlated)
        {
            return None;
        }
        match (stage, level) {
            (Stage::Score, Some(level)) if statistics.levels.contains(level) => Some(Self::Score),
            (Stage::Measure, _) => Some(Self::Metric),
            _ => None,
        }
    }
}

impl Series {
    fn key(&self) -> (&str, Option<Direction>, Option<&Level>, &str) {
        let Self {
            name,
            direction,
            level,
            variant,
            ..
        } = self;
        (name, *direction, level.as_ref(), variant)
    }
}

/// What tells columns of one quantity apart that are not of maps.
fn variant(level: Option<&Level>, convention: &str) -> String {
    level.map_or(convention, |_| "").to_owned()
}
