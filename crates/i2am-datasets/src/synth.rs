//! A drawn try-on set by seed: written by [`i2am_synth`] in VITON-HD's layout, and read back as any other folder of that layout.

use std::path::{Path, PathBuf};

use i2am_synth::SynthSet;
use serde::{Deserialize, Serialize};

use crate::viton_hd::{VitonHd, VitonHdConfig};
use crate::{Dataset, DatasetError, DatasetInfo, Layout, Pairing};

/// The table `[dataset]` of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SynthConfig {
    /// Seed of the set.
    pub seed: u64,
    /// Number of samples.
    pub count: usize,
    /// Height of every picture in pixels.
    pub height: usize,
    /// Width of every picture in pixels; the drawing is laid out for three quarters of the height.
    pub width: usize,
    /// Where the files go; by default a folder of their own among the generated ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// Paired (default) or unpaired.
    #[serde(default)]
    pub pairing: Pairing,
    /// Keep only the first samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl SynthConfig {
    /// Draws the set unless it is there already, and reads it like any VITON-HD folder.
    ///
    /// # Errors
    /// Those of [`SynthSet::write_viton_hd`] and [`VitonHd::open`].
    pub fn read(
        &self,
        generated: &Path,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<VitonHd, DatasetError> {
        let root = self.folder(generated);
        self.set().write_viton_hd(&root, progress)?;
        let layout = VitonHdConfig {
            pairing: self.pairing,
            limit: self.limit,
            ..VitonHdConfig::new(root)
        };
        VitonHd::open_as(Self::INFO.name, &layout)
    }

    fn set(&self) -> SynthSet {
        SynthSet {
            seed: self.seed,
            count: self.count,
            height: self.height,
            width: self.width,
        }
    }

    fn folder(&self, generated: &Path) -> PathBuf {
        let own = || generated.join(format!("synth-{}", self.set().folder_name()));
        self.root.clone().unwrap_or_else(own)
    }
}

impl Layout for SynthConfig {
    const INFO: &'static DatasetInfo = &DatasetInfo {
        name: "synth",
        summary: "a synthetic try-on set by seed, written in VITON-HD's layout",
        example: "seed = 7\ncount = 4\nheight = 128\nwidth = 96",
    };

    const PLACES: &'static [&'static str] = &["root"];

    fn resolve(&mut self, base: &Path) {
        if let Some(root) = &mut self.root {
            *root = i2am_files::resolve(base, &*root);
        }
    }

    fn open(
        &self,
        generated: &Path,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Box<dyn Dataset>, DatasetError> {
        Ok(Box::new(self.read(generated, progress)?))
    }

    fn preview(&self, generated: &Path, scratch: &Path) -> Result<Box<dyn Dataset>, DatasetError> {
        if self.set().is_complete(&self.folder(generated))? {
            return Layout::open(self, generated, &|_drawn| ());
        }
        let elsewhere = Self {
            root: None,
            ..self.clone()
        };
        Layout::open(&elsewhere, scratch, &|_drawn| ())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_config_draws_the_set_where_it_says_and_reads_it() {
        let dir = TempDir::new().unwrap();
        let config = SynthConfig {
            seed: 11,
            count: 4,
            height: 32,
            width: 24,
            root: None,
            pairing: Pairing::Unpaired,
            limit: Some(3),
        };
        let dataset = config.read(dir.path(), &|_| ()).unwrap();
        assert_eq!((dataset.name(), dataset.ids().len()), ("synth", 3));
        let expected = dir.path().join("synth-v3-seed11-4x32x24");
        assert_eq!(dataset.root(), expected);
        dataset.check(&[]).unwrap();
        assert_eq!(dataset.load(2).unwrap().mask.dimensions(), (24, 32));
        let mut own = SynthConfig {
            root: Some("own".into()),
            ..config
        };
        own.resolve(dir.path());
        assert_eq!(
            own.read(dir.path(), &|_| ()).unwrap().root(),
            dir.path().join("own")
        );
    }
}
