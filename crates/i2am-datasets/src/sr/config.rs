//! The table `[dataset]` of a super-resolution set.

use std::path::{Path, PathBuf};

use i2am_synth::SynthSet;
use serde::{Deserialize, Serialize};

use super::Sr;
use super::degradation::DegradationConfig;
use crate::{Dataset, DatasetError, DatasetInfo, Layout};

/// The keys that say where pictures come from.
const SOURCES: &str = "low, high, synth";
const SOURCES_EXPECTED: &str = "`low`, `high`, both, or `synth` alone";

/// Largest factor that can be asked for.
const LARGEST_SCALE: u32 = 16;

/// The table `[dataset]` of a configuration: `low`, `high`, both, or `synth`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SrConfig {
    /// Folder of low-resolution pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<PathBuf>,
    /// Folder of high-resolution pictures; together with `low`, with the same stems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<PathBuf>,
    /// High-resolution pictures drawn by seed, instead of `high`: the persons of the synthetic set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synth: Option<SynthSet>,
    /// How many times as high and wide the high-resolution picture is, 1 to 16.
    #[serde(default = "four")]
    pub scale: u32,
    /// What is kept of a high-resolution picture that is degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Crop>,
    /// How the low-resolution picture is made where there is none; by default a bicubic resize.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degradation: Option<Box<DegradationConfig>>,
    /// Keep only the first samples, in the order of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

fn four() -> u32 {
    4
}

/// What is kept of a high-resolution picture whose height or width is no multiple of both 8, which latent models ask for, and
/// `scale`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crop {
    /// Rows at the bottom and columns at the right are cut off, as benchmarks of super-resolution do.
    #[default]
    TopLeft,
    /// As many on either side are cut off, one more at the bottom and right if the number is odd.
    #[serde(rename = "centre", alias = "center")]
    Center,
    /// Nothing is cut off: such a picture is an error.
    None,
}

impl Layout for SrConfig {
    const INFO: &'static DatasetInfo = &DatasetInfo {
        name: "sr",
        summary: "super-resolution: images to enlarge, from folders, degraded by seed, or synthetic",
        example: "high = 'pictures'",
    };

    const PLACES: &'static [&'static str] = &["high", "low"];

    fn resolve(&mut self, base: &Path) {
        for folder in [&mut self.low, &mut self.high].into_iter().flatten() {
            *folder = i2am_files::resolve(base, &*folder);
        }
    }

    fn open(
        &self,
        generated: &Path,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Box<dyn Dataset>, DatasetError> {
        Ok(Box::new(Sr::open(self, generated, progress)?))
    }

    fn preview(&self, generated: &Path, scratch: &Path) -> Result<Box<dyn Dataset>, DatasetError> {
        let is_drawn = |synth: &SynthSet| synth.is_complete(&super::drawn_into(generated, synth));
        let is_there = self.synth.as_ref().map_or(Ok(true), is_drawn)?;
        Layout::open(
            self,
            if is_there { generated } else { scratch },
            &|_drawn| (),
        )
    }
}

impl SrConfig {
    /// How low-resolution pictures are made.
    pub(super) fn degradation(&self) -> Box<DegradationConfig> {
        self.degradation.clone().unwrap_or_default()
    }

    /// Whether the settings agree with each other.
    ///
    /// # Errors
    /// [`DatasetError::Setting`].
    pub(super) fn check(&self) -> Result<(), DatasetError> {
        let refuse = |setting, expected, found| Err(refused(setting, expected, found));
        match (&self.low, &self.high, &self.synth) {
            (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                return refuse(SOURCES, SOURCES_EXPECTED, "`synth` and a folder");
            }
            (Some(_), ..) if self.degradation.is_some() => {
                let nothing = "none with `low`, whose pictures are taken as they are";
                return refuse("degradation", nothing, "a table");
            }
            (Some(_), ..) if self.crop.is_some() => {
                let nothing = "none with `low`, whose pictures are taken as they are";
                return refuse("crop", nothing, "a value");
            }
            _ => {}
        }
        if !(1..=LARGEST_SCALE).contains(&self.scale) {
            return refuse(
                "scale",
                "a whole number from 1 to 16",
                &self.scale.to_string(),
            );
        }
        self.degradation().check()
    }
}

/// There are no pictures at all.
pub(super) fn no_source() -> DatasetError {
    refused(SOURCES, SOURCES_EXPECTED, "none of them")
}

/// A setting that cannot be used.
pub(super) fn refused(setting: &'static str, expected: &str, found: &str) -> DatasetError {
    DatasetError::Setting {
        kind: SrConfig::INFO.name,
        setting,
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

/// The least number that both `a` and `b` divide; neither is 0.
pub(super) fn common_multiple(a: usize, b: usize) -> usize {
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    a / divisor * b
}
