//! Without libtorch a model is what an earlier run said of it: what it generated can be scored.

use anyhow::Result;
use i2am_results::{Manifest, RunPaths};
use serde_json::Value;

use crate::config::{Document, RunConfig};
use crate::exit::usage;
use crate::plan::Plan;

/// One model of the earlier run.
pub(crate) struct ModelEntry {
    pub(crate) name: String,
    pub(crate) settings: Value,
    hashes: Vec<(String, String)>,
}

impl ModelEntry {
    /// The SHA-256 of every file of its checkpoint, as the earlier run found it.
    pub(crate) fn hashes(&self) -> Result<Vec<(String, String)>> {
        Ok(self.hashes.clone())
    }
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
        let prefix = format!("checkpoint:{name}:");
        let own = |(key, hash): (&String, &String)| {
            Some((key.strip_prefix(&prefix)?.to_owned(), hash.clone()))
        };
        let hashes = manifest.inputs.iter().filter_map(own).collect();
        ModelEntry {
            name,
            settings,
            hashes,
        }
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

/// There is nothing to check without a checkpoint's reader.
pub(crate) fn check_models(_plan: &Plan) -> Result<()> {
    Err(usage(
        "this build has no libtorch, so it cannot generate; add `--stages score`",
    ))
}

/// Threads of everything.
pub(crate) fn set_threads(threads: usize) {
    // Only the first call in a process counts; a second one changes nothing.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global();
}

/// Versions for the manifest.
pub(crate) fn versions() -> Vec<(String, String)> {
    Vec::new()
}
