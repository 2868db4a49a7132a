//! Without libtorch a model is what an earlier run said of it: what it generated can be scored.

use anyhow::Result;
use i2am_datasets::Part;
use i2am_files::FileHashes;
use i2am_results::{Manifest, RunPaths};
use serde_json::Value;

use crate::config::{Document, RunConfig};
use crate::exit::usage;

/// One model of the earlier run.
pub(crate) struct ModelEntry {
    pub(crate) name: String,
    pub(crate) settings: Value,
}

/// None: nothing is generated.
pub(crate) fn needs(_models: &[ModelEntry]) -> impl Iterator<Item = (&str, &[Part])> {
    std::iter::empty()
}

/// None: a run that does not generate keeps those of the earlier one.
#[expect(
    clippy::unnecessary_wraps,
    reason = "with libtorch, reading a checkpoint can fail"
)]
pub(crate) fn checkpoint_hashes(
    _models: &[ModelEntry],
    _hashes: &FileHashes,
) -> Result<Vec<(String, String)>> {
    Ok(Vec::new())
}

/// None: a run that does not generate names no checkpoints.
pub(crate) fn commits(_models: &[ModelEntry]) -> Vec<(String, String)> {
    Vec::new()
}

/// None: what generated the images is not read.
pub(crate) fn licenses(_models: &[ModelEntry]) -> Vec<String> {
    Vec::new()
}

/// The models of the run in the output folder.
pub(crate) fn read_models(
    document: &mut Document<'_>,
    config: &RunConfig,
) -> Result<Vec<ModelEntry>> {
    document.take_top("model");
    let path = RunPaths::new(&config.output).manifest();
    let manifest = Manifest::read(&path).map_err(|error| {
        usage(format!(
            "this build has no libtorch and can only score what another one generated: {error}"
        ))
    })?;
    let models = manifest.config["model"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let entry = |settings: Value| {
        let name = settings["name"].as_str().unwrap_or_default().to_owned();
        ModelEntry { name, settings }
    };
    Ok(models.into_iter().map(entry).collect())
}

/// `[intervene]` of the earlier run: what it generated was generated so.
pub(crate) struct Intervene(Option<Value>);

impl Intervene {
    /// What the manifest of the earlier run says.
    pub(crate) fn read(
        document: &mut Document<'_>,
        config: &RunConfig,
        _models: &[ModelEntry],
    ) -> Result<Self> {
        document.take_top("intervene");
        let manifest = Manifest::read(RunPaths::new(&config.output).manifest())?;
        Ok(Self(manifest.config.get("intervene").cloned()))
    }

    /// What the manifest says; nothing if nothing is changed.
    pub(crate) fn settings(&self) -> Option<Value> {
        self.0.clone()
    }
}

/// Versions for the manifest.
pub(crate) fn versions(_device: &str) -> Vec<(String, String)> {
    Vec::new()
}
