//! Where metrics find weights, and how networks run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::MetricError;
use crate::metric::NetworkPrecision;

/// Folder of weights in a checkout, made by `scripts/setup --weights`.
const FOLDER: &str = ".weights";

/// Images that go through a network at a time unless said otherwise. On two cores 4 to 8 are a little faster than 16 or 32, whose
/// intermediate results leave the caches.
pub const DEFAULT_BATCH: usize = 8;

/// A file of weights under the names it is known by.
#[derive(Debug)]
pub struct WeightsInfo {
    /// As in `--weights NAME=FILE`.
    pub name: &'static str,
    /// File names it may have in the folder of weights.
    pub files: &'static [&'static str],
    /// How to get it.
    pub help: &'static str,
}

/// Everything that measuring depends on, apart from the images.
#[derive(Debug, Clone)]
pub struct Resources {
    /// Files that replace what would be looked for, by name of the weights.
    pub weights: BTreeMap<String, PathBuf>,
    /// Folders that are searched for weights, in order.
    pub folders: Vec<PathBuf>,
    /// Images that go through a network at a time.
    pub batch: usize,
    /// Folder of features computed before; nothing is kept without one.
    pub cache: Option<PathBuf>,
    /// What networks compute in, unless a metric's own settings say it.
    pub precision: NetworkPrecision,
    /// Where networks run.
    #[cfg(feature = "torch")]
    pub device: tch::Device,
}

impl Default for Resources {
    /// Weights from `.weights` in this folder or the nearest above that has one; batches of [`DEFAULT_BATCH`] on the CPU; no cache.
    fn default() -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        Self {
            weights: BTreeMap::new(),
            folders: here.ancestors().map(|dir| dir.join(FOLDER)).collect(),
            batch: DEFAULT_BATCH,
            cache: None,
            precision: NetworkPrecision::default(),
            #[cfg(feature = "torch")]
            device: tch::Device::Cpu,
        }
    }
}

impl Resources {
    /// The file of the weights `info`.
    ///
    /// # Errors
    /// [`MetricError::NoWeights`] if there is none, or the one named for it does not exist.
    pub fn find(&self, info: &'static WeightsInfo) -> Result<PathBuf, MetricError> {
        let missing = |looked_for| MetricError::NoWeights {
            name: info.name,
            looked_for,
            help: info.help,
        };
        if let Some(path) = self.weights.get(info.name) {
            return if path.is_file() {
                Ok(path.clone())
            } else {
                Err(missing(vec![path.display().to_string()]))
            };
        }
        let in_folder = |dir: &PathBuf| {
            info.files
                .iter()
                .map(|file| dir.join(file))
                .find(|path| path.is_file())
        };
        let found = self.folders.iter().find_map(in_folder);
        found.ok_or_else(|| {
            let first = self
                .folders
                .first()
                .map_or(Path::new(FOLDER), PathBuf::as_path);
            missing(
                info.files
                    .iter()
                    .map(|file| first.join(file).display().to_string())
                    .collect(),
            )
        })
    }
}
