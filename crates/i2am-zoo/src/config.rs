//! Configurations: which training a file asks for.

pub(crate) mod shared;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use self::shared::{Config, Family, cannot_parse};
use crate::autoencoder::AutoencoderZoo;
use crate::catvton::CatVtonZoo;
use crate::paint_by_example::{PaintByExampleZoo, UNetZoo};
use crate::pasd::PasdZoo;
use crate::stable_viton::StableVitonZoo;

/// One training: everything that decides what comes out.
#[derive(Debug, Clone)]
pub(crate) enum ZooConfig {
    Autoencoder(Box<AutoencoderZoo>),
    CatVton(Box<CatVtonZoo>),
    PaintByExample(Box<PaintByExampleZoo>),
    PaintByExampleUNet(Box<UNetZoo>),
    Pasd(Box<PasdZoo>),
    StableViton(Box<StableVitonZoo>),
}

/// The keys that say how to read the others.
#[derive(Debug, Deserialize)]
struct Header {
    schema_version: u32,
    family: Family,
    /// A Paint-by-Example that has it trains its UNet alone.
    frozen: Option<PathBuf>,
}

impl ZooConfig {
    /// Reads a configuration; paths in it become relative to its own folder.
    ///
    /// # Errors
    /// A file that cannot be read or parsed, or sizes that do not fit each other.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = i2am_files::read_text(path)?;
        let header: Header = toml::from_str(&text).with_context(|| cannot_parse(path))?;
        ensure!(
            header.schema_version == 1,
            "{}: schema_version: expected 1, found {}",
            path.display(),
            header.schema_version
        );
        Ok(match header.family {
            Family::Autoencoder => Self::Autoencoder(Config::parse(&text, path)?.into()),
            Family::CatVton => Self::CatVton(Config::parse(&text, path)?.into()),
            Family::PaintByExample if header.frozen.is_some() => {
                Self::PaintByExampleUNet(Config::parse(&text, path)?.into())
            }
            Family::PaintByExample => {
                Self::PaintByExample(PaintByExampleZoo::parse(&text, path)?.into())
            }
            Family::Pasd => Self::Pasd(Config::parse(&text, path)?.into()),
            Family::StableViton => Self::StableViton(Config::parse(&text, path)?.into()),
        })
    }

    /// The same training with its state in `folder`, if one is given.
    pub(crate) fn working_in(mut self, folder: Option<PathBuf>) -> Self {
        if let Some(folder) = folder {
            match &mut self {
                Self::Autoencoder(config) => config.work = folder,
                Self::CatVton(config) => config.work = folder,
                Self::PaintByExample(config) => config.work = folder,
                Self::PaintByExampleUNet(config) => config.work = folder,
                Self::Pasd(config) => config.work = folder,
                Self::StableViton(config) => config.work = folder,
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::ZooConfig;
    use super::shared::Schedule;

    /// The committed configurations, each found by its own name.
    #[test]
    fn committed_configurations_are_read() -> anyhow::Result<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/zoo");
        let mut names = Vec::new();
        for path in i2am_files::sorted_entries(&folder)? {
            let name = match ZooConfig::read(&path)? {
                ZooConfig::Autoencoder(config) => config.name,
                ZooConfig::CatVton(config) => config.name,
                ZooConfig::PaintByExample(config) => config.name,
                ZooConfig::PaintByExampleUNet(config) => config.name,
                ZooConfig::Pasd(config) => config.name,
                ZooConfig::StableViton(config) => config.name,
            };
            assert_eq!(path.file_stem(), Some(name.as_ref()));
            names.push(name);
        }
        for family in ["catvton", "paint-by-example", "pasd", "stable-viton"] {
            assert!(names.iter().any(|name| name == family), "no {family}");
        }
        Ok(())
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/zoo");
        let text = std::fs::read_to_string(root.join("pasd.toml"))?;
        let path = folder.path().join("pasd.toml");
        for (from, to) in [
            ("upscale = 4", "upscole = 4"),
            ("count = 1500", "cuont = 1500"),
        ] {
            i2am_files::write_atomic(&path, text.replace(from, to).as_bytes())?;
            let error = ZooConfig::read(&path)
                .err()
                .map(|error| format!("{error:#}"));
            let line = 1 + text.lines().take_while(|line| *line != from).count();
            let error = error.unwrap_or_default();
            assert!(
                error.contains(&format!("line {line}")) && error.contains(to),
                "{error}"
            );
        }
        Ok(())
    }

    /// `NAME.safetensors`, `NAME-STEP.safetensors` and the folder `NAME` are described by `NAME.md` or `NAME/README.md`.
    #[test]
    fn every_checkpoint_has_a_card() -> anyhow::Result<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/zoo");
        let mut checkpoints = 0;
        for path in i2am_files::sorted_entries(&folder)? {
            let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
                panic!("{}: no name", path.display())
            };
            if !path.is_dir() && path.extension().is_none_or(|end| end != "safetensors") {
                continue;
            }
            let is_step = |end: &str| end.bytes().all(|byte| byte.is_ascii_digit());
            let name = match stem.rsplit_once('-') {
                Some((name, step)) if is_step(step) => name,
                _ => stem,
            };
            let cards = [format!("{name}.md"), format!("{name}/README.md")];
            let has_card = cards.iter().any(|card| folder.join(card).is_file());
            assert!(has_card, "{}: none of {cards:?}", path.display());
            checkpoints += 1;
        }
        assert!(checkpoints > 0, "{}: no checkpoints", folder.display());
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
