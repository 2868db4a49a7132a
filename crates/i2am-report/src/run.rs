//! A run folder as a report reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use i2am_attribution::{Convention, ConventionConfig};
use i2am_quantity::{Direction, Level, Marks, Place, Quantities, Quantity};
use i2am_results::{
    AggregateRow, CorrelationRow, DebugRow, Manifest, Row, RunPaths, Stage, read_aggregate,
    read_correlations, read_debug, read_rows,
};
use serde_json::Value;

use crate::ReportError;
use crate::interval;
use crate::level::is_whole;
use crate::series::Series;

/// A model of a run: what a row of a table is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    /// Place of the run among those of the report.
    pub(crate) run: usize,
    pub(crate) model: String,
}

/// What a report needs of one run; of single samples only the values that tables and plots show.
pub(crate) struct Run {
    quantities: Vec<&'static Quantity>,
    /// The run's name, made different from that of any other run of the report.
    pub(crate) label: String,
    pub(crate) paths: RunPaths,
    pub(crate) manifest: Manifest,
    pub(crate) aggregate: Vec<AggregateRow>,
    /// Values of single samples, by model and series, in the order of the samples' names; of maps over everything only.
    pub(crate) values: BTreeMap<(String, Series), BTreeMap<String, f64>>,
    /// Values of single samples of the stage `faithfulness`, by model, quantity and variant; of maps over everything only.
    pub(crate) of_maps: BTreeMap<(String, String, String), BTreeMap<String, f64>>,
    pub(crate) correlations: Vec<CorrelationRow>,
    /// Where maps look outside the mask, by model; empty where the run did not look for it.
    pub(crate) faults: BTreeMap<String, Vec<DebugRow>>,
    /// How maps are made from records.
    pub(crate) convention: Convention,
}

impl Run {
    /// The run in `paths` summed up: no value of a sample, no correlation, no head.
    pub(crate) fn outline(
        paths: RunPaths,
        quantities: Quantities<'_>,
    ) -> Result<Self, ReportError> {
        let manifest = Manifest::read(paths.manifest())?;
        let convention = convention(&paths, &manifest.config)?;
        Ok(Self {
            quantities: quantities.iter().collect(),
            label: manifest.name.clone(),
            aggregate: read_aggregate(&paths)?,
            paths,
            manifest,
            values: BTreeMap::new(),
            of_maps: BTreeMap::new(),
            correlations: Vec::new(),
            faults: BTreeMap::new(),
            convention,
        })
    }

    /// Reads the run in `paths`, finished or not.
    pub(crate) fn read(paths: RunPaths, quantities: Quantities<'_>) -> Result<Self, ReportError> {
        let mut run = Self::outline(paths, quantities)?;
        for row in read_rows(&run.paths.samples_csv())? {
            let Row {
                model,
                sample_id,
                measurement,
                stage,
                ..
            } = row?;
            let whole = is_whole(measurement.level.as_ref());
            if let (Stage::Faithfulness, Some(value), true) =
                (stage, measurement.outcome.value(), whole)
            {
                let variant = measurement.convention.clone();
                let samples =
                    run.of_maps
                        .entry((model.clone(), measurement.metric.clone(), variant));
                samples.or_default().insert(sample_id.clone(), value);
            }
            if let (Some(value), true) = (
                measurement.outcome.value(),
                whole && is_shown(quantities.find(&measurement.metric)),
            ) {
                let series = Series::new(
                    quantities,
                    &measurement.metric,
                    measurement.version,
                    &measurement.convention,
                    measurement.direction,
                );
                let samples = run.values.entry((model, series)).or_default();
                samples.insert(sample_id, value);
            }
        }
        if run.paths.correlations().is_file() {
            run.correlations = read_correlations(&run.paths.correlations())?;
        }
        for model in run.models() {
            let path = run.paths.debug(&model);
            if path.is_file() {
                run.faults.insert(model, read_debug(&path)?);
            }
        }
        Ok(run)
    }

    /// Its models, sorted.
    pub(crate) fn models(&self) -> Vec<String> {
        let models: BTreeSet<&String> = self.aggregate.iter().map(|row| &row.model).collect();
        models.into_iter().cloned().collect()
    }

    /// Samples that have a row, sorted; of all models together.
    pub(crate) fn sample_ids(&self) -> BTreeSet<String> {
        self.values
            .values()
            .flat_map(BTreeMap::keys)
            .cloned()
            .collect()
    }

    /// Samples of `model` of which parts were taken away, sorted.
    pub(crate) fn asked(&self, model: &str) -> BTreeSet<String> {
        let own = self.of_maps.iter().filter(|((own, ..), _)| own == model);
        own.flat_map(|(_, samples)| samples.keys().cloned())
            .collect()
    }

    /// Everything that can be measured.
    pub(crate) fn quantities(&self) -> Quantities<'_> {
        Quantities::new(&self.quantities)
    }

    pub(crate) fn series(&self, row: &AggregateRow) -> Series {
        Series::new(
            self.quantities(),
            &row.metric,
            row.version,
            &row.convention,
            row.direction,
        )
    }

    /// The title of a metric and its variant: `FID (clean)`.
    pub(crate) fn title(&self, metric: &str, variant: &str) -> String {
        Series::new(self.quantities(), metric, 0, variant, None).full_title()
    }

    /// The rows that the main table and plots show: metrics of images, and scores of maps over everything.
    pub(crate) fn headline(&self) -> impl Iterator<Item = &AggregateRow> {
        self.aggregate.iter().filter(|row| {
            !row.counts_samples()
                && is_whole(row.level.as_ref())
                && is_shown(self.quantities().find(&row.metric))
        })
    }

    /// Sentences about samples that failed: model, stage, how many, and the first reason.
    pub(crate) fn failures(&self) -> impl Iterator<Item = String> {
        let rows = self.aggregate.iter().filter(|row| row.counts_samples());
        rows.map(|row| {
            let (failed, all) = (row.missing, row.n + row.missing);
            format!(
                "{}: {failed} of {all} samples failed in the stage {}; the first is {}",
                row.model, row.stage, row.note
            )
        })
    }

    /// The score that maps of `direction` are judged by: the first of the main table that a row has. The page computes it for any part
    /// of a model.
    pub(crate) fn score(&self, direction: Direction) -> Option<&'static Quantity> {
        let of_map = |quantity: &&Quantity| {
            let mut rows = self.aggregate.iter();
            quantity.place == Place::Headline
                && rows.any(|row| row.direction == Some(direction) && row.metric == quantity.name)
        };
        self.quantities.iter().copied().find(of_map)
    }

    /// Under which protocol numbers were made, in a sentence.
    pub(crate) fn protocol(&self) -> &str {
        let line = self.manifest.config["protocol"]["line"].as_str();
        line.unwrap_or("Protocol: custom.")
    }

    /// The marks of the values of `series` of `model`.
    pub(crate) fn marks(&self, model: &str, series: &Series) -> Marks {
        let own = self.headline().filter(|row| row.model == model);
        let own = own.filter(|row| self.series(row) == *series);
        own.map(|row| row.note.marks()).collect()
    }

    /// The 95 % interval of a mean over samples. A value of all images has none: its deviation is not over samples.
    pub(crate) fn interval(&self, row: &AggregateRow) -> Option<[f64; 2]> {
        let quantity = self.quantities().find(&row.metric);
        let over_samples = quantity.is_none_or(|quantity| !quantity.of_sets);
        over_samples
            .then(|| interval::of_mean(row.mean?, row.sd, row.n))
            .flatten()
    }

    /// Scores of the samples `wanted` at every level, by model, sample, direction and level.
    pub(crate) fn level_scores(
        &self,
        wanted: &BTreeSet<String>,
    ) -> Result<BTreeMap<(String, String), Vec<LevelScore>>, ReportError> {
        let mut scores: BTreeMap<_, Vec<LevelScore>> = BTreeMap::new();
        let names = Direction::ALL.map(|direction| self.score(direction).map(|score| score.name));
        for row in read_rows(&self.paths.samples_csv())? {
            let row = row?;
            let measurement = row.measurement;
            if let (Stage::Score, Some(direction), Some(level)) =
                (row.stage, measurement.direction, measurement.level)
                && names.contains(&Some(measurement.metric.as_str()))
                && wanted.contains(&row.sample_id)
            {
                scores
                    .entry((row.model, row.sample_id))
                    .or_default()
                    .push(LevelScore {
                        direction,
                        level,
                        value: measurement.outcome.value(),
                        reason: measurement.outcome.reason().to_owned(),
                    });
            }
        }
        Ok(scores)
    }
}

/// The score of one map of one sample.
pub(crate) struct LevelScore {
    pub(crate) direction: Direction,
    pub(crate) level: Level,
    pub(crate) value: Option<f64>,
    pub(crate) reason: String,
}

/// Whether plots and the page show a quantity. What has a table of its own is shown there and nowhere else, unless it enters
/// correlations.
fn is_shown(quantity: Option<&Quantity>) -> bool {
    quantity
        .is_none_or(|quantity| !matches!(quantity.place, Place::Table(_)) || quantity.correlated)
}

/// The attribution settings of a resolved configuration.
fn convention(paths: &RunPaths, config: &Value) -> Result<Convention, ReportError> {
    let refused = |problem: String| ReportError::Convention {
        path: paths.manifest(),
        problem,
    };
    let mut settings = config["attribution"]["convention"].clone();
    if settings.is_null() {
        return Ok(Convention::default());
    }
    // A manifest says null where a configuration says 0: no floor.
    if settings["floor"].is_null() {
        settings["floor"] = 0.0.into();
    }
    let config: ConventionConfig =
        serde_json::from_value(settings).map_err(|error| refused(error.to_string()))?;
    config.resolve().map_err(|error| refused(error.to_string()))
}

/// Reads the runs in `dirs`, finished or not, each under a label of its own.
pub(crate) fn read_all<'a>(
    dirs: impl Iterator<Item = &'a Path>,
    quantities: Quantities<'_>,
) -> Result<Vec<Run>, ReportError> {
    let runs = dirs.map(|dir| Run::read(RunPaths::new(dir), quantities));
    let mut runs = runs.collect::<Result<Vec<_>, _>>()?;
    tell_apart(&mut runs);
    Ok(runs)
}

/// Gives runs of one name names of their own: the folder's behind it, or the place in the list.
fn tell_apart(runs: &mut [Run]) {
    for index in 0..runs.len() {
        let name = &runs[index].manifest.name;
        let alone = runs.iter().filter(|run| run.manifest.name == *name).count() == 1;
        if !alone {
            let folder = runs[index].paths.dir().file_name();
            let folder =
                folder.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let label = format!("{name} ({folder})");
            let taken = runs[..index].iter().any(|run| run.label == label);
            runs[index].label = if taken {
                format!("{name} ({})", index + 1)
            } else {
                label
            };
        }
    }
}
