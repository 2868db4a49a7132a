//! The columns that are correlated, from the rows of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use i2am_quantity::{Direction, Level, Marks};
use i2am_results::{AggregateRow, Measurement, Row, Stage, Unit, read_rows};

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
    pub(super) marks: Marks,
}

/// Columns of one length, one value a point.
pub(super) struct Points {
    pub(super) unit: Unit,
    /// Empty where the points are models.
    pub(super) model: String,
    /// Names of the points, in the order of the columns' values.
    pub(super) ids: Vec<String>,
    pub(super) series: Vec<Series>,
    pub(super) columns: Vec<Column>,
    scores: Vec<usize>,
    metrics: Vec<usize>,
    /// What can be held constant.
    pub(super) covariates: Vec<usize>,
}

/// The values of a run that are correlated, a few bytes each: a large run has a million of them.
#[derive(Default)]
pub(super) struct Samples {
    points: Names<String>,
    series: Names<(Kind, Series)>,
    models: BTreeMap<String, Vec<Cell>>,
}

/// A value of a point, by places among the names.
struct Cell {
    point: u32,
    series: u32,
    value: Option<f64>,
}

/// Things that many values have in common, each kept once.
struct Names<T> {
    places: BTreeMap<T, u32>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            places: BTreeMap::new(),
        }
    }
}

impl<T: Ord> Names<T> {
    fn place(&mut self, name: T) -> u32 {
        let next = self.places.len() as u32;
        *self.places.entry(name).or_insert(next)
    }

    /// By place.
    fn list(&self) -> Vec<&T> {
        let mut list: Vec<(&T, u32)> = self.places.iter().map(|(name, &at)| (name, at)).collect();
        list.sort_by_key(|&(_, at)| at);
        list.into_iter().map(|(name, _)| name).collect()
    }
}

impl Samples {
    /// The values of samples in the ledger `samples_csv` that become part of a column.
    ///
    /// # Errors
    /// As [`read_rows`].
    pub(super) fn read(samples_csv: &Path, statistics: &Statistics) -> Result<Self> {
        let mut samples = Self::default();
        for row in read_rows(samples_csv)? {
            let Row {
                model,
                sample_id,
                stage,
                measurement,
                ..
            } = row?;
            let Measurement {
                direction,
                level,
                metric,
                convention,
                note,
                outcome,
                ..
            } = measurement;
            let Some(kind) = Kind::of(stage, &metric, level.as_ref(), statistics) else {
                continue;
            };
            let series = Series {
                variant: variant(level.as_ref(), &convention),
                name: metric,
                direction,
                level,
                marks: note.marks(),
            };
            samples.add(model, sample_id, (kind, series), outcome.value());
        }
        Ok(samples)
    }

    fn add(&mut self, model: String, point: String, series: (Kind, Series), value: Option<f64>) {
        let value = Cell {
            point: self.points.place(point),
            series: self.series.place(series),
            value,
        };
        self.models.entry(model).or_default().push(value);
    }

    /// Whether a sample of any model has the score or metric `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        let mut series = self.series.places.keys();
        series.any(|(_, series)| series.name == name)
    }

    /// The samples of `model`.
    pub(super) fn of(&self, model: &str) -> Points {
        let values = self.models.get(model).map_or(&[][..], Vec::as_slice);
        Points::new(Unit::Sample, model, self, values)
    }
}

impl Points {
    /// The models: means over their samples, and scores of sets.
    pub(super) fn of_models(
        summary: &[AggregateRow],
        models: &[&str],
        statistics: &Statistics,
    ) -> Self {
        let mut samples = Samples::default();
        let known = summary
            .iter()
            .filter(|row| models.contains(&row.model.as_str()));
        for row in known {
            let Some(kind) = Kind::of(row.stage, &row.metric, row.level.as_ref(), statistics)
            else {
                continue;
            };
            let series = Series {
                name: row.metric.clone(),
                direction: row.direction,
                level: row.level.clone(),
                variant: variant(row.level.as_ref(), &row.convention),
                marks: row.note.marks(),
            };
            samples.add(String::new(), row.model.clone(), (kind, series), row.mean);
        }
        let values = samples.models.get("").map_or(&[][..], Vec::as_slice);
        Self::new(Unit::Model, "", &samples, values)
    }

    fn new(unit: Unit, model: &str, samples: &Samples, values: &[Cell]) -> Self {
        let (names, series) = (samples.points.list(), samples.series.list());
        let used: BTreeSet<u32> = values.iter().map(|value| value.point).collect();
        let mut ids: Vec<&String> = used.iter().map(|&at| names[at as usize]).collect();
        ids.sort_unstable();
        let mut place = vec![0; names.len()];
        for (index, id) in ids.iter().enumerate() {
            place[samples.points.places[*id] as usize] = index;
        }
        let mut columns: Vec<Option<Column>> = vec![None; series.len()];
        for value in values {
            let (kind, _) = series[value.series as usize];
            if *kind == Kind::Covariate && !has_covariates(unit) {
                continue;
            }
            let column = &mut columns[value.series as usize];
            let column = column.get_or_insert_with(|| vec![None; ids.len()]);
            column[place[value.point as usize]] = value.value;
        }
        let columns = series.into_iter().cloned().zip(columns);
        let columns = columns.filter_map(|(series, column)| Some((series, column?)));
        let columns = merged(columns.collect());
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
            ids: ids.into_iter().cloned().collect(),
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

    /// The columns that are scores or metrics, scores first.
    pub(super) fn shown(&self) -> impl Iterator<Item = usize> {
        self.scores.iter().chain(&self.metrics).copied()
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
                last.marks |= series.marks;
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
    /// The same, whatever its maps.
    pub(super) fn unmarked(&self) -> Self {
        Self {
            marks: Marks::default(),
            ..self.clone()
        }
    }

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
