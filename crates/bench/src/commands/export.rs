//! A run in the formats of other programs.

mod mlflow;
mod model_index;
mod tensorboard;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use i2am_attribution::{Direction, Level};
use i2am_results::{AggregateRow, Manifest, Row, RunPaths, read_aggregate, read_rows};
use jiff::Timestamp;

use crate::cli::{ExportArgs, ExportFormat};
use crate::exit::{Outcome, usage};
use crate::progress;

/// What an export is made of.
struct Run {
    manifest: Manifest,
    /// Means and scores of whole sets, all with a value.
    scores: Vec<AggregateRow>,
    /// Values of single samples, in the order of the file.
    rows: Vec<Row>,
    /// When it started and ended.
    times: [Timestamp; 2],
    names: Names,
}

/// Names of scores: the metric with its level, or with its variant if it has no level; where two scores of a model would have the same
/// name, with level, direction and variant.
struct Names {
    /// Names that several scores would have.
    shared: BTreeSet<String>,
}

impl Names {
    /// For `scores` of models, by the names of these.
    fn of<'a>(scores: impl Iterator<Item = (&'a str, Parts<'a>)>) -> Self {
        let mut seen = BTreeSet::new();
        let named = scores.map(|(model, parts)| (model, short(&parts)));
        let again = named.filter(|named| !seen.insert(named.clone()));
        Self {
            shared: again.map(|(_, name)| name).collect(),
        }
    }

    fn name(&self, parts: &Parts<'_>) -> String {
        let name = short(parts);
        if !self.shared.contains(&name) {
            return name;
        }
        let Parts {
            metric,
            level,
            direction,
            variant,
        } = parts;
        let level = level.map(ToString::to_string);
        let direction = direction.map(|direction| direction.to_string());
        let variant = (!variant.is_empty()).then(|| (*variant).to_owned());
        let all = [Some((*metric).to_owned()), level, direction, variant];
        all.into_iter().flatten().collect::<Vec<_>>().join("/")
    }
}

/// What tells the scores of a model apart.
struct Parts<'a> {
    metric: &'a str,
    level: Option<&'a Level>,
    direction: Option<Direction>,
    variant: &'a str,
}

fn of_row(row: &AggregateRow) -> Parts<'_> {
    Parts {
        metric: &row.metric,
        level: row.level.as_ref(),
        direction: row.direction,
        variant: &row.convention,
    }
}

fn short(parts: &Parts<'_>) -> String {
    let metric = parts.metric;
    match parts.level {
        Some(level) => format!("{metric}/{level}"),
        None if parts.variant.is_empty() => metric.to_owned(),
        None => format!("{metric}/{}", parts.variant),
    }
}

impl Run {
    fn read(dir: &Path) -> Result<Self> {
        let paths = RunPaths::new(dir);
        let manifest = Manifest::read(paths.manifest())?;
        let mut scores = read_aggregate(&paths)?;
        scores.retain(|row| row.mean.is_some() && !row.counts_samples());
        if scores.is_empty() {
            return Err(usage(format!(
                "{}: expected scores to export, found none in the run",
                dir.display()
            )));
        }
        let rows = read_rows(&paths.samples_csv())?.collect::<Result<Vec<_>, _>>()?;
        let time = |text: &str| {
            let time: Result<Timestamp, _> = text.parse();
            time.with_context(|| format!("{}: the time `{text}`", paths.manifest().display()))
        };
        let started = time(&manifest.started)?;
        let ended = manifest.finished.as_deref().map_or(Ok(started), time)?;
        Ok(Self {
            names: Names::of(scores.iter().map(|row| (row.model.as_str(), of_row(row)))),
            manifest,
            scores,
            rows: rows.into_iter().filter(|row| !row.is_closing()).collect(),
            times: [started, ended],
        })
    }

    /// The models, in the order of the scores.
    fn models(&self) -> Vec<&str> {
        let mut models: Vec<&str> = Vec::new();
        for row in &self.scores {
            if models.last() != Some(&row.model.as_str()) {
                models.push(&row.model);
            }
        }
        models.dedup();
        models
    }

    fn scores_of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a AggregateRow> {
        self.scores.iter().filter(move |row| row.model == model)
    }

    /// The values of single samples of `model` that are of whole maps or have no map, with their names.
    fn samples_of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = (&'a str, String, f64)> {
        let whole = |row: &&Row| matches!(row.measurement.level, None | Some(Level::Unified));
        let rows = self
            .rows
            .iter()
            .filter(move |row| row.model == model)
            .filter(whole);
        rows.filter_map(|row| {
            let measured = &row.measurement;
            let value = measured.outcome.value()?;
            let name = self.names.name(&Parts {
                metric: &measured.metric,
                level: measured.level.as_ref(),
                direction: measured.direction,
                variant: &measured.convention,
            });
            Some((row.sample_id.as_str(), name, value))
        })
    }

    fn name(&self, row: &AggregateRow) -> String {
        self.names.name(&of_row(row))
    }

    /// The protocol that the run follows.
    fn protocol(&self) -> &str {
        self.manifest.config["protocol"]["name"]
            .as_str()
            .unwrap_or("custom")
    }

    /// The settings of `model` in the manifest.
    fn settings(&self, model: &str) -> Option<&serde_json::Value> {
        let models = self.manifest.config["model"].as_array()?;
        models.iter().find(|settings| settings["name"] == model)
    }
}

/// Writes the run.
pub(super) fn run(args: &ExportArgs) -> Result<Outcome> {
    let run = Run::read(&args.results)?;
    let models = run.models();
    let models = match &args.model {
        None => models,
        Some(model) if models.contains(&model.as_str()) => vec![model.as_str()],
        Some(model) => {
            let help = crate::suggest::help(model, models);
            return Err(usage(format!(
                "{}: no model `{model}`: {help}",
                args.results.display()
            )));
        }
    };
    let out = |name: &str| -> PathBuf {
        let own = args.results.join("export").join(name);
        args.out.clone().unwrap_or(own)
    };
    let written = match args.to {
        ExportFormat::Tensorboard => tensorboard::write(&run, &models, &out("tensorboard"))?,
        ExportFormat::Mlflow => mlflow::write(&run, &models, &out("mlruns"))?,
        ExportFormat::ModelIndex => {
            let text = model_index::text(&run, &models);
            match &args.out {
                None => {
                    progress::print(text.trim_end())?;
                    return Ok(Outcome::Ok);
                }
                Some(path) => {
                    i2am_files::write_atomic(path, text)?;
                    path.clone()
                }
            }
        }
    };
    tracing::info!("wrote {}", written.display());
    Ok(Outcome::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_scores_have_one_name() {
        let unified = Level::Unified;
        let parts = |metric, level, variant| Parts {
            metric,
            level,
            direction: Some(Direction::GeneratedToReference),
            variant,
        };
        let all = || {
            [
                parts("imacs_g", Some(&unified), "spatial"),
                parts("locality", Some(&unified), "r=0"),
                parts("locality", Some(&unified), "r=2"),
                parts("fid", None, "clean"),
            ]
        };
        let names = Names::of(all().into_iter().map(|parts| ("a", parts)));
        let found = all().map(|parts| names.name(&parts));
        assert_eq!(
            found,
            [
                "imacs_g/unified",
                "locality/unified/g2r/r=0",
                "locality/unified/g2r/r=2",
                "fid/clean"
            ]
        );
    }
}
