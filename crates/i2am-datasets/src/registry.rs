//! The kinds of datasets, and the config of any of them.

use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::coco_detection::{self, CocoDetection, CocoDetectionConfig};
use crate::manifest::{self, Manifest, ManifestConfig};
use crate::sr::{self, Sr, SrConfig};
use crate::synth::{self, SynthConfig};
use crate::viton_hd::{self, VitonHd, VitonHdConfig};
use crate::{Dataset, DatasetError};

/// A kind of dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatasetKind {
    /// The value of `kind` in a config.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
}

/// Every kind, sorted by name; this order is the order everywhere.
pub static DATASETS: &[DatasetKind] = &[
    DatasetKind {
        name: coco_detection::NAME,
        summary: "COCO-style annotations: one object of each image is cut out and to be put back",
    },
    DatasetKind {
        name: manifest::NAME,
        summary: "a CSV file that names image, mask and reference of each sample: anybody's data",
    },
    DatasetKind {
        name: sr::NAME,
        summary: "super-resolution: pictures to make larger, from folders, degraded by seed, or drawn",
    },
    DatasetKind {
        name: synth::NAME,
        summary: "a drawn try-on set by seed, written in VITON-HD's layout",
    },
    DatasetKind {
        name: viton_hd::NAME,
        summary: "VITON-HD as published (zalando-hd-resized), paired or unpaired",
    },
];

/// The table `[dataset]` of a config without its key `kind`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DatasetConfig {
    /// `coco-detection`
    CocoDetection(CocoDetectionConfig),
    /// `manifest`
    Manifest(ManifestConfig),
    /// `sr`
    Sr(SrConfig),
    /// `synth`
    Synth(SynthConfig),
    /// `viton-hd`
    VitonHd(VitonHdConfig),
}

impl DatasetConfig {
    /// Reads the table of a dataset of the given kind. None if no such kind is registered; the errors are those of the
    /// table's own format, so that they point at the key.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        kind: &str,
        table: D,
    ) -> Option<Result<Self, D::Error>> {
        Some(match kind {
            coco_detection::NAME => {
                CocoDetectionConfig::deserialize(table).map(Self::CocoDetection)
            }
            manifest::NAME => ManifestConfig::deserialize(table).map(Self::Manifest),
            sr::NAME => SrConfig::deserialize(table).map(Self::Sr),
            synth::NAME => SynthConfig::deserialize(table).map(Self::Synth),
            viton_hd::NAME => VitonHdConfig::deserialize(table).map(Self::VitonHd),
            _ => return None,
        })
    }

    /// The kind's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CocoDetection(_) => coco_detection::NAME,
            Self::Manifest(_) => manifest::NAME,
            Self::Sr(_) => sr::NAME,
            Self::Synth(_) => synth::NAME,
            Self::VitonHd(_) => viton_hd::NAME,
        }
    }

    /// Takes relative paths as relative to the folder `base`, that of the config file.
    pub fn resolve(&mut self, base: &Path) {
        match self {
            Self::CocoDetection(config) => config.resolve(base),
            Self::Manifest(config) => config.resolve(base),
            Self::Sr(config) => config.resolve(base),
            Self::Synth(config) => config.resolve(base),
            Self::VitonHd(config) => config.resolve(base),
        }
    }

    /// Reads the list of samples.
    ///
    /// A synthetic set that does not exist yet is drawn first: into its `root`, or into a folder of its own under `generated`;
    /// `progress` is told how many samples are drawn so far.
    ///
    /// # Errors
    /// Those of [`CocoDetection::open`], [`Manifest::open`], [`Sr::open`], [`SynthConfig::open`] and [`VitonHd::open`].
    pub fn open(
        &self,
        generated: &Path,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Box<dyn Dataset>, DatasetError> {
        Ok(match self {
            Self::CocoDetection(config) => Box::new(CocoDetection::open(config)?),
            Self::Manifest(config) => Box::new(Manifest::open(config)?),
            Self::Sr(config) => Box::new(Sr::open(config, generated, progress)?),
            Self::Synth(config) => Box::new(config.open(generated, progress)?),
            Self::VitonHd(config) => Box::new(VitonHd::open(config)?),
        })
    }
}

/// The table, without `kind`: what [`DatasetConfig::deserialize`] reads.
impl Serialize for DatasetConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::CocoDetection(config) => config.serialize(serializer),
            Self::Manifest(config) => config.serialize(serializer),
            Self::Sr(config) => config.serialize(serializer),
            Self::Synth(config) => config.serialize(serializer),
            Self::VitonHd(config) => config.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: &str, text: &str) -> Option<Result<DatasetConfig, toml::de::Error>> {
        let table = toml::Deserializer::parse(text).unwrap();
        DatasetConfig::deserialize(kind, table)
    }

    /// The least that a config of each kind must say.
    fn least(kind: &str) -> &'static str {
        match kind {
            "coco-detection" => "annotations = 'instances.json'\nimages = 'data'",
            "manifest" => "file = 'list.csv'",
            "sr" => "high = 'data'",
            "synth" => "seed = 1\ncount = 2\nheight = 128\nwidth = 96",
            _ => "root = 'data'",
        }
    }

    #[test]
    fn kinds_are_sorted_unique_and_told_in_one_line() {
        assert!(DATASETS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for kind in DATASETS {
            assert!(
                !kind.summary.is_empty() && !kind.summary.contains('\n'),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn every_kind_reads_its_config_and_refuses_unknown_keys() {
        for kind in DATASETS {
            let config = parse(kind.name, least(kind.name)).unwrap().unwrap();
            assert_eq!(config.kind(), kind.name);
            let unknown = format!("{}\nsplitt = 'test'", least(kind.name));
            let error = parse(kind.name, &unknown).unwrap().unwrap_err().to_string();
            assert!(error.contains("splitt"), "{error}");
            let again = toml::to_string(&config).unwrap();
            assert_eq!(parse(kind.name, &again).unwrap().unwrap(), config);
        }
        assert!(parse("viton", "root = 'data'").is_none());
    }

    #[test]
    fn relative_paths_are_relative_to_the_config() {
        for kind in DATASETS {
            let text = match kind.name {
                "synth" => format!("{}\nroot = 'data'", least("synth")),
                name => least(name).to_owned(),
            };
            let mut config = parse(kind.name, &text).unwrap().unwrap();
            config.resolve(Path::new("/configs"));
            let path = match &config {
                DatasetConfig::CocoDetection(config) => {
                    assert!(config.annotations.starts_with("/configs"));
                    config.images.clone()
                }
                DatasetConfig::Manifest(config) => config.file.clone(),
                DatasetConfig::Sr(config) => config.high.clone().unwrap(),
                DatasetConfig::Synth(config) => config.root.clone().unwrap(),
                DatasetConfig::VitonHd(config) => config.root.clone(),
            };
            assert!(path.starts_with("/configs"), "{}", path.display());
        }
    }
}
