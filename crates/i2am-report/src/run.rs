//! A run folder as a report reads it.

use std::collections::{BTreeMap, BTreeSet};

use i2am_attribution::{Convention, ConventionConfig};
use i2am_results::{
    AggregateRow, CorrelationRow, DebugRow, Manifest, Row, RunPaths, Stage, read_aggregate,
    read_correlations, read_debug, read_rows,
};
use serde_json::Value;

use crate::ReportError;
use crate::names::Quantity;
use crate::tables::LOCALITY;

/// The level of maps over all layers, heads and steps.
pub(crate) const UNIFIED: &str = "unified";

/// The metric that is 1 where a box was found and 0 where not.
pub(crate) const BOX_FOUND: &str = "box_found";

/// A model of a run: what a row of a table is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    /// Place of the run among those of the report.
    pub(crate) run: usize,
    pub(crate) model: String,
}

/// What a report needs of one run; of single samples only the values that tables and plots show.
pub(crate) struct Run {
    /// The run's name, made different from that of any other run of the report.
    pub(crate) label: String,
    pub(crate) paths: RunPaths,
    pub(crate) manifest: Manifest,
    pub(crate) aggregate: Vec<AggregateRow>,
    /// Values of single samples, by model and quantity, for maps at [`UNIFIED`] only, in the order of the samples' names.
    pub(crate) values: BTreeMap<(String, Quantity), BTreeMap<String, f64>>,
    pub(crate) correlations: Vec<CorrelationRow>,
    /// Where maps look outside the mask, by model; empty where nobody asked.
    pub(crate) faults: BTreeMap<String, Vec<DebugRow>>,
    /// How maps are made from records.
    pub(crate) convention: Convention,
}

impl Run {
    /// Reads the run in `paths`, finished or not.
    pub(crate) fn read(paths: RunPaths) -> Result<Self, ReportError> {
        let manifest = Manifest::read(paths.manifest())?;
        let convention = convention(&paths, &manifest.config)?;
        let aggregate = read_aggregate(&paths)?;
        let mut values: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for row in read_rows(&paths.samples_csv())? {
            let Row {
                model,
                sample_id,
                measurement,
                ..
            } = row?;
            if let (Some(value), true) = (
                measurement.outcome.value(),
                is_headline(&measurement.metric, &measurement.level),
            ) {
                let quantity = Quantity::new(
                    &measurement.metric,
                    measurement.version,
                    &measurement.convention,
                );
                let samples = values.entry((model, quantity)).or_default();
                samples.insert(sample_id, value);
            }
        }
        let correlations = if paths.correlations().is_file() {
            read_correlations(&paths.correlations())?
        } else {
            Vec::new()
        };
        let mut run = Self {
            label: manifest.name.clone(),
            paths,
            manifest,
            aggregate,
            values,
            correlations,
            faults: BTreeMap::new(),
            convention,
        };
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

    /// The rows that tables and plots show: scores of pictures, and of maps over everything.
    pub(crate) fn headline(&self) -> impl Iterator<Item = &AggregateRow> {
        self.aggregate
            .iter()
            .filter(|row| is_headline(&row.metric, &row.level))
    }

    /// Scores of the samples `wanted` at every level, by model, sample, direction and level.
    pub(crate) fn level_scores(
        &self,
        wanted: &BTreeSet<String>,
    ) -> Result<BTreeMap<(String, String), Vec<LevelScore>>, ReportError> {
        let mut scores: BTreeMap<_, Vec<LevelScore>> = BTreeMap::new();
        for row in read_rows(&self.paths.samples_csv())? {
            let row = row?;
            if row.stage == Stage::Score
                && row.measurement.metric.starts_with("imacs_")
                && wanted.contains(&row.sample_id)
            {
                let measurement = row.measurement;
                scores
                    .entry((row.model, row.sample_id))
                    .or_default()
                    .push(LevelScore {
                        direction: measurement.direction,
                        level: measurement.level,
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
    pub(crate) direction: String,
    pub(crate) level: String,
    pub(crate) value: Option<f64>,
    pub(crate) reason: String,
}

/// Whether a row is one that tables and plots show: of pictures, or of maps over everything. Whether there is a box at all is said
/// beside the overlap of boxes, and locality, with its radii and controls, has tables of its own.
fn is_headline(metric: &str, level: &str) -> bool {
    (level.is_empty() || level == UNIFIED) && metric != BOX_FOUND && !metric.starts_with(LOCALITY)
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

/// Gives runs of one name names of their own: the folder's behind it, or the place in the list.
pub(crate) fn tell_apart(runs: &mut [Run]) {
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
