//! Configurations: what every training has, and which family's it is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::paint_by_example::{PaintByExampleZoo, UNetZoo};
use crate::pasd::PasdZoo;
use crate::stable_viton::StableVitonZoo;

/// One training: everything that decides what comes out.
#[derive(Debug, Clone)]
pub(crate) enum ZooConfig {
    PaintByExample(Box<PaintByExampleZoo>),
    PaintByExampleUNet(Box<UNetZoo>),
    Pasd(Box<PasdZoo>),
    StableViton(Box<StableVitonZoo>),
}

/// What can be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Family {
    PaintByExample,
    Pasd,
    StableViton,
}

/// The keys that say how to read the others.
#[derive(Debug, Deserialize)]
struct Header {
    schema_version: u32,
    family: Family,
    /// A Paint-by-Example that has it trains its UNet alone.
    frozen: Option<PathBuf>,
}

/// The synthetic pictures to train on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataConfig {
    /// Seed of the pictures. The demonstration draws its own from another seed.
    pub(crate) seed: u64,
    /// Number of pictures.
    pub(crate) count: usize,
    /// Height in pixels.
    pub(crate) height: usize,
    /// Width in pixels.
    pub(crate) width: usize,
}

impl DataConfig {
    /// # Errors
    /// Sides that are no multiples of `factor`.
    pub(crate) fn check(&self, factor: i64, path: &Path) -> Result<()> {
        let Self { height, width, .. } = self;
        let factor = factor as usize;
        ensure!(
            height.is_multiple_of(factor) && width.is_multiple_of(factor),
            "{}: data: expected multiples of {factor} for height and width, found {height} and {width}",
            path.display()
        );
        Ok(())
    }
}

/// Length and step size of one stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    /// Optimiser steps.
    pub(crate) steps: u64,
    /// Pictures per step.
    pub(crate) batch: usize,
    /// Highest learning rate; reached after `warm_up` steps, then down to zero on a cosine.
    pub(crate) learning_rate: f64,
    /// Steps of linear warm-up.
    pub(crate) warm_up: u64,
    /// Steps between evaluation pictures.
    #[serde(default = "usual_evaluations")]
    pub(crate) evaluate_every: u64,
}

fn usual_evaluations() -> u64 {
    500
}

impl Schedule {
    /// The learning rate of `step`.
    pub(crate) fn rate(&self, step: u64) -> f64 {
        let up = (step + 1) as f64 / self.warm_up.max(1) as f64;
        let along = step.saturating_sub(self.warm_up) as f64
            / self.steps.saturating_sub(self.warm_up).max(1) as f64;
        let down = 0.5 * (1.0 + (along.min(1.0) * std::f64::consts::PI).cos());
        self.learning_rate * up.min(1.0) * down
    }
}

impl ZooConfig {
    /// Reads a configuration; paths in it become relative to its own folder.
    ///
    /// # Errors
    /// A file that cannot be read or parsed, or sizes that do not fit each other.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let broken = || format!("cannot parse {}", path.display());
        let header: Header = toml::from_str(&text).with_context(broken)?;
        ensure!(
            header.schema_version == 1,
            "{}: schema_version: expected 1, found {}",
            path.display(),
            header.schema_version
        );
        Ok(match header.family {
            Family::PaintByExample if header.frozen.is_some() => {
                let mut config: UNetZoo = toml::from_str(&text).with_context(broken)?;
                config.prepare(path)?;
                Self::PaintByExampleUNet(Box::new(config))
            }
            Family::PaintByExample => {
                let mut config: PaintByExampleZoo = toml::from_str(&text).with_context(broken)?;
                config.prepare(path)?;
                Self::PaintByExample(Box::new(config))
            }
            Family::Pasd => {
                let mut config: PasdZoo = toml::from_str(&text).with_context(broken)?;
                config.prepare(path)?;
                Self::Pasd(Box::new(config))
            }
            Family::StableViton => {
                let mut config: StableVitonZoo = toml::from_str(&text).with_context(broken)?;
                config.prepare(path)?;
                Self::StableViton(Box::new(config))
            }
        })
    }

    /// The same training with its state in `folder`, if one is given.
    pub(crate) fn working_in(mut self, folder: Option<PathBuf>) -> Self {
        if let Some(folder) = folder {
            match &mut self {
                Self::PaintByExample(config) => config.work = folder,
                Self::PaintByExampleUNet(config) => config.work = folder,
                Self::Pasd(config) => config.work = folder,
                Self::StableViton(config) => config.work = folder,
            }
        }
        self
    }
}

/// Whether all `snapshots` are steps of a training of `last` steps.
///
/// # Errors
/// A snapshot before the first or after the last step.
pub(crate) fn check_snapshots(snapshots: &[u64], last: u64, file: &Path) -> Result<()> {
    let beyond = snapshots.iter().find(|step| !(1..=last).contains(step));
    ensure!(
        beyond.is_none(),
        "{}: snapshots: expected steps from 1 to {last}, found {}",
        file.display(),
        beyond.copied().unwrap_or_default()
    );
    Ok(())
}

/// Makes `paths` relative to the folder of the configuration `file`.
pub(crate) fn resolve<'a>(file: &Path, paths: impl IntoIterator<Item = &'a mut PathBuf>) {
    let base = file.parent().unwrap_or(Path::new("."));
    for path in paths {
        *path = base.join(&*path);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Schedule, ZooConfig};

    /// The committed configurations, each found by its own name.
    #[test]
    fn committed_configurations_are_read() -> anyhow::Result<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/zoo");
        let mut names = Vec::new();
        for path in i2am_files::sorted_entries(&folder)? {
            let name = match ZooConfig::read(&path)? {
                ZooConfig::PaintByExample(config) => config.name,
                ZooConfig::PaintByExampleUNet(config) => config.name,
                ZooConfig::Pasd(config) => config.name,
                ZooConfig::StableViton(config) => config.name,
            };
            assert_eq!(path.file_stem(), Some(name.as_ref()));
            names.push(name);
        }
        for family in ["paint-by-example", "pasd", "stable-viton"] {
            assert!(names.iter().any(|name| name == family), "no {family}");
        }
        Ok(())
    }

    #[test]
    fn the_rate_warms_up_and_ends_at_zero() {
        let schedule = Schedule {
            steps: 110,
            batch: 1,
            learning_rate: 2.0,
            warm_up: 10,
            evaluate_every: 10,
        };
        let is = |step, expected: f64| (schedule.rate(step) - expected).abs() < 1e-12;
        assert!(is(0, 0.2) && is(4, 1.0) && is(10, 2.0) && is(60, 1.0) && is(110, 0.0));
    }
}
