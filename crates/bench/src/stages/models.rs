//! Models as the runner knows them.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use i2am_datasets::Goal;
use i2am_runner::RunnerError;
use i2am_runner::capture::{CaptureConfig, InterveneConfig};
use i2am_runner::families::{FAMILIES, Model, family};
use serde::Deserialize;
use serde_json::{Value, json};
use tch::{Cuda, Device};
use toml::de::DeValue;

use crate::config::{Document, RunConfig, Table};
use crate::exit::usage;
use crate::plan::Plan;
use crate::suggest;

/// Settings of models that say where files lie.
const PLACES: &[&str] = &["checkpoint", "pasd"];

/// One `[[model]]`.
pub(crate) struct ModelEntry {
    pub(crate) name: String,
    pub(crate) settings: Value,
    pub(crate) model: Box<dyn Model>,
}

impl ModelEntry {
    /// Its name and family, for messages.
    fn describe(&self) -> String {
        let family = self.settings["family"].as_str().unwrap_or_default();
        format!("model `{}` ({family})", self.name)
    }

    /// The SHA-256 of every file of its checkpoint, by [`name_of`] it.
    pub(crate) fn hashes(&self) -> Result<Vec<(String, String)>> {
        let facts = self.model.check(None)?;
        let root = self.model.checkpoint();
        let hash = |file: &std::path::PathBuf| -> Result<(String, String)> {
            let name = name_of(file, root).display().to_string();
            Ok((name, i2am_files::sha256_file(file)?))
        };
        facts.files.iter().map(hash).collect()
    }
}

/// What a file of the checkpoint `root` is called wherever that lies: its path below `root`; its name if `root` is a file, in the same
/// folder; its name and that of its folder elsewhere, since a second folder of networks has files of equal names.
fn name_of<'a>(file: &'a Path, root: &Path) -> &'a Path {
    let folder = file.parent();
    if folder == root.parent() {
        return file.file_name().map_or(file, Path::new);
    }
    let above = folder.and_then(Path::parent).unwrap_or(Path::new(""));
    file.strip_prefix(root)
        .or_else(|_| file.strip_prefix(above))
        .unwrap_or(file)
}

/// `[intervene]`: what is changed in the networks while they sample.
pub(crate) struct Intervene(InterveneConfig);

impl Intervene {
    /// Reads the table, whose rules may name some of `models`.
    pub(crate) fn read(
        document: &mut Document<'_>,
        config: &RunConfig,
        models: &[ModelEntry],
    ) -> Result<Self> {
        let table = document.take_top("intervene");
        let rules: InterveneConfig = table
            .map(|table| document.parse(table))
            .transpose()?
            .unwrap_or_default();
        let names = || models.iter().map(|model| model.name.as_str());
        if let Some(name) = rules
            .models()
            .find(|name| names().all(|known| known != *name))
        {
            let help = suggest::help(name, names());
            return Err(document.refuse(&format!("intervene: no model `{name}`: {help}")));
        }
        rules
            .check(config.recorded_groups())
            .map_err(|error| document.refuse(&error))?;
        Ok(Self(rules))
    }

    /// What the manifest says; nothing if nothing is changed.
    pub(crate) fn settings(&self) -> Option<Value> {
        (!self.0.is_empty()).then(|| json!(self.0))
    }
}

/// What decides who reads a `[[model]]` table.
#[derive(Deserialize)]
struct Kind {
    name: String,
    family: String,
}

/// Reads every `[[model]]`.
pub(crate) fn read_models(
    document: &mut Document<'_>,
    config: &RunConfig,
) -> Result<Vec<ModelEntry>> {
    let Some(models) = document.take_top("model") else {
        return Err(document.refuse(&"no [[model]]"));
    };
    let DeValue::Array(tables) = models.into_inner() else {
        return Err(document.refuse(&"model: expected tables [[model]]"));
    };
    let mut entries: Vec<ModelEntry> = Vec::new();
    for table in tables {
        let entry = read_model(document, table, &config.base)?;
        if entries.iter().any(|other| other.name == entry.name) {
            return Err(document.refuse(&format!("two models are called `{}`", entry.name)));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn read_model<'a>(document: &Document<'a>, table: Table<'a>, base: &Path) -> Result<ModelEntry> {
    let Kind { name, family: kind } = document.parse(table.clone())?;
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
        return Err(document.refuse(&format!(
            "model.name: expected a folder name, found `{name}`"
        )));
    }
    let Some(family) = family(&kind) else {
        let help = suggest::help(&kind, FAMILIES.iter().map(|family| family.info().name));
        return Err(document.refuse(&format!("model `{name}`: no family `{kind}`: {help}")));
    };
    let model = family
        .configure(table, base)
        .map_err(|error| document.locate(error))?;
    let mut settings = model.settings();
    // Where the checkpoint lies cannot change a number; what is in it is hashed apart.
    if let Some(settings) = settings.as_object_mut() {
        for place in PLACES {
            settings.remove(*place);
        }
    }
    Ok(ModelEntry {
        name,
        settings,
        model,
    })
}

/// Checks every model, and that the data set has what each reads of every sample.
///
/// # Errors
/// The first model that cannot work; else all files that are missing, by model and part.
pub(crate) fn check_models(plan: &Plan) -> Result<()> {
    device(&plan.device)?;
    let mut lacking = Vec::new();
    for entry in &plan.models {
        let capture = capture(plan, &entry.name);
        let facts = entry
            .model
            .check(Some(&capture))
            .map_err(|error| refused(&entry.name, error))?;
        let size = facts.size.map_or_else(
            || "any size".to_owned(),
            |(height, width)| format!("{height}x{width}"),
        );
        let millions = facts.parameters as f64 / 1e6;
        tracing::info!(
            "model {}: {millions:.1} M parameters, {size}, {} steps",
            entry.name,
            facts.steps
        );
        check_scale(entry, plan.dataset.goal())?;
        let needs = entry.model.needs();
        let gaps = plan.dataset.gaps(needs).with_context(|| entry.describe())?;
        lacking.extend(
            gaps.into_iter()
                .map(|gap| format!("{} needs {gap}", entry.describe())),
        );
    }
    match &lacking[..] {
        [] => Ok(()),
        [one] => bail!("{one}"),
        several => bail!("the data set lacks files:\n  {}", several.join("\n  ")),
    }
}

/// A model that enlarges by another factor than the data set asks for would be told of at every sample, after hours.
fn check_scale(entry: &ModelEntry, goal: Goal) -> Result<()> {
    let Goal::Enlarge { scale } = goal else {
        return Ok(());
    };
    match entry.settings.get("upscale").and_then(Value::as_f64) {
        Some(upscale) if (upscale - f64::from(scale)).abs() > f64::EPSILON => Err(usage(format!(
            "model `{}`: upscale: expected {scale}, as dataset.scale, found {upscale}",
            entry.name
        ))),
        _ => Ok(()),
    }
}

/// A setting that cannot work is the user's to mend; a checkpoint that does not fit is a failure.
fn refused(model: &str, error: RunnerError) -> anyhow::Error {
    match error {
        RunnerError::Steps { .. }
        | RunnerError::Setting { .. }
        | RunnerError::Specific { .. }
        | RunnerError::Intervene { .. } => usage(format!("model `{model}`: {error}")),
        error => anyhow::Error::new(error).context(format!("model `{model}`")),
    }
}

/// What is recorded while `model` samples, and changed.
pub(crate) fn capture(plan: &Plan, model: &str) -> CaptureConfig {
    CaptureConfig {
        time_groups: plan.config.recorded_groups(),
        specific: plan.config.recorded_specific().to_vec(),
        chunk_mib: plan.config.capture.chunk_mib,
        locality: plan.config.locality.clone(),
        intervene: plan.intervene.0.of_model(model),
    }
}

/// The device called `name`.
pub(crate) fn device(name: &str) -> Result<Device> {
    let index = match name.split_once(':') {
        None if name == "cpu" => return Ok(Device::Cpu),
        Some(("cuda", index)) => index.parse::<usize>().ok(),
        None if name == "cuda" => Some(0),
        _ => None,
    };
    let Some(index) = index else {
        return Err(usage(format!("--device {name}: expected cpu or cuda:N")));
    };
    let count = Cuda::device_count();
    if index as i64 >= count {
        bail!(
            "--device {name}: this libtorch sees {count} CUDA devices; `scripts/setup --cuda` installs the CUDA libraries"
        );
    }
    Ok(Device::Cuda(index))
}

/// Threads of libtorch and of everything else.
pub(crate) fn set_threads(threads: usize) {
    tch::set_num_threads(threads as i32);
    // Only the first call in a process counts; a second one changes nothing.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global();
}

/// Versions for the manifest.
pub(crate) fn versions() -> Vec<(String, String)> {
    vec![("libtorch".to_owned(), "2.13.0".to_owned())]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::name_of;

    #[test]
    fn files_of_a_checkpoint_keep_apart() {
        for (file, root, expected) in [
            ("sd/vae/model.safetensors", "sd", "vae/model.safetensors"),
            ("data/a.ckpt", "data/a.ckpt", "a.ckpt"),
            ("data/base.ckpt", "data/a.ckpt", "base.ckpt"),
            (
                "data/pasd/100000/unet/model.bin",
                "data/sd",
                "unet/model.bin",
            ),
            (
                "pasd/controlnet/model.bin",
                "data/sd",
                "controlnet/model.bin",
            ),
        ] {
            let name = name_of(Path::new(file), Path::new(root));
            assert_eq!(name, Path::new(expected), "{file} of {root}");
        }
    }
}
