//! Models as the runner knows them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Result;
use i2am_datasets::Part;
use i2am_files::FileHashes;
use i2am_runner::RunnerError;
use i2am_runner::capture::{CaptureConfig, InterveneConfig};
use i2am_runner::families::{FAMILIES, Model, ModelFacts, family};
use serde::Deserialize;
use serde_json::{Value, json};
use toml::de::DeValue;

use crate::batch;
use crate::config::{Document, RunConfig, Table, check_name};
use crate::hub::{self, Place};
use crate::suggest;

/// One `[[model]]`.
pub(crate) struct ModelEntry {
    pub(crate) name: String,
    pub(crate) settings: Value,
    pub(crate) model: Box<dyn Model>,
    facts: OnceLock<ModelFacts>,
    /// Samples at a time, if that is set.
    pub(crate) batch: Option<usize>,
    /// What it is loaded from.
    pub(crate) places: Vec<Place>,
}

impl ModelEntry {
    /// Its name and family, for messages.
    pub(crate) fn describe(&self) -> String {
        let family = self.settings["family"].as_str().unwrap_or_default();
        format!("model `{}` ({family})", self.name)
    }

    /// What is known of its checkpoint, which is looked at once.
    ///
    /// # Errors
    /// As [`Model::check`].
    pub(crate) fn facts(&self) -> Result<&ModelFacts, RunnerError> {
        if let Some(facts) = self.facts.get() {
            return Ok(facts);
        }
        let facts = self.model.check(None)?;
        Ok(self.facts.get_or_init(|| facts))
    }

    /// Checks it as [`Model::check`] does, and keeps what is then known.
    ///
    /// # Errors
    /// As [`Model::check`].
    pub(crate) fn check(&self, capture: &CaptureConfig) -> Result<&ModelFacts, RunnerError> {
        let facts = self.model.check(Some(capture))?;
        Ok(self.facts.get_or_init(|| facts))
    }
}

/// What every model reads of a sample, by its name.
pub(crate) fn needs(models: &[ModelEntry]) -> impl Iterator<Item = (&str, &[Part])> {
    models
        .iter()
        .map(|entry| (entry.name.as_str(), entry.model.needs()))
}

/// The SHA-256 of every file of every checkpoint, by model and [`name_of`] the file.
pub(crate) fn checkpoint_hashes(
    models: &[ModelEntry],
    hashes: &FileHashes,
) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in models {
        let root = entry.model.checkpoint();
        for file in &entry.facts()?.files {
            let name = name_of(file, root).display();
            let name = format!("checkpoint:{}:{name}", entry.name);
            found.push((name, hashes.sha256(file)?));
        }
    }
    Ok(found)
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
pub(crate) struct Intervene(pub(crate) InterveneConfig);

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
    let mut table = table;
    let Kind { name, family: kind } = document.parse(table.clone())?;
    let batch = batch::take(&mut table)
        .map_err(|problem| document.refuse(&format!("model `{name}`: {problem}")))?;
    check_name("model.name", &name).map_err(|problem| document.refuse(&problem))?;
    let Some(family) = family(&kind) else {
        let help = suggest::help(&kind, FAMILIES.iter().map(|family| family.info().name));
        return Err(document.refuse(&format!("model `{name}`: no family `{kind}`: {help}")));
    };
    let named = texts(&table);
    let on_hub = hub::replace_names(&mut table)?;
    let model = family
        .configure(table, base)
        .map_err(|error| document.locate(error))?;
    let places = model.places().iter().filter_map(|key| {
        let known = on_hub.iter().find(|place| place.key == *key).cloned();
        known.or_else(|| Some(local_place(key, named.get(*key)?, base)))
    });
    let places = places.collect();
    let mut settings = model.settings();
    // Where the checkpoint lies cannot change a number; what is in it is hashed apart.
    if let Some(settings) = settings.as_object_mut() {
        for place in model.places() {
            settings.remove(*place);
        }
    }
    Ok(ModelEntry {
        name,
        settings,
        model,
        facts: OnceLock::new(),
        batch,
        places,
    })
}

/// The texts in a `[[model]]` table, by their keys.
fn texts(table: &Table<'_>) -> BTreeMap<String, String> {
    let DeValue::Table(model) = table.get_ref() else {
        return BTreeMap::new();
    };
    let texts = model
        .iter()
        .filter_map(|(key, value)| match value.get_ref() {
            DeValue::String(text) => Some((key.get_ref().to_string(), text.to_string())),
            _ => None,
        });
    texts.collect()
}

/// A file or folder on this machine.
fn local_place(key: &str, named: &str, base: &Path) -> Place {
    Place {
        key: key.to_owned(),
        named: named.to_owned(),
        commit: None,
        license: hub::license_at(&i2am_files::resolve(base, named)),
    }
}

/// One line for each place that `models` are loaded from, with its license.
pub(crate) fn licenses(models: &[ModelEntry]) -> Vec<String> {
    let mut users: Vec<(String, Vec<&str>)> = Vec::new();
    for entry in models {
        for place in &entry.places {
            let line = describe(place);
            match users.iter_mut().find(|(known, _)| *known == line) {
                Some((_, names)) => names.push(&entry.name),
                None => users.push((line, vec![&entry.name])),
            }
        }
    }
    let line = |(line, names): (String, Vec<&str>)| format!("{line} (model {})", names.join(", "));
    users.into_iter().map(line).collect()
}

fn describe(place: &Place) -> String {
    let commit = place.commit.as_ref();
    let commit = commit.map_or_else(String::new, |commit| format!(" at {commit}"));
    let license = place.license.as_ref().map_or_else(
        || "unknown, since no README.md in its folder names one".to_owned(),
        ToString::to_string,
    );
    format!(
        "License of {} {}{commit}: {license}",
        place.key, place.named
    )
}

/// The commit of every name of the hub, for the manifest.
pub(crate) fn commits(models: &[ModelEntry]) -> Vec<(String, String)> {
    let places = models.iter().flat_map(|entry| &entry.places);
    let commits = places.filter_map(|place| Some((place.named.clone(), place.commit.clone()?)));
    commits.collect()
}

/// Versions for the manifest, and how a GPU computes if `device` is one.
pub(crate) fn versions(device: &str) -> Vec<(String, String)> {
    let mut versions = vec![("libtorch".to_owned(), i2am_nets::libtorch::version())];
    if device != "cpu" {
        versions.push((
            "cuda".to_owned(),
            gpu_settings(&|name| std::env::var(name).ok()),
        ));
    }
    versions
}

/// What decides the last digits on a GPU. `bench` changes none of it: libtorch has cuDNN's benchmark off, lets convolutions in f32 use TF32, and
/// products of matrices not; two variables of the environment, which `variable` knows, change that.
fn gpu_settings(variable: &dyn Fn(&str) -> Option<String>) -> String {
    let is = |name: &str, value: &str| variable(name).as_deref() == Some(value);
    let (convolutions, products) = if is("NVIDIA_TF32_OVERRIDE", "0") {
        ("no", "no")
    } else {
        let products = is("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1");
        ("yes", if products { "yes" } else { "no" })
    };
    let cudnn = if tch::Cuda::user_enabled_cudnn() {
        "on"
    } else {
        "off"
    };
    format!(
        "cuDNN {cudnn}, its benchmark off; TF32 in convolutions {convolutions}, in products of matrices {products}"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{gpu_settings, name_of};

    #[test]
    fn a_manifest_names_where_a_gpu_rounds_more() {
        let set = |names: &'static [(&str, &str)]| {
            gpu_settings(&|name| {
                let found = names.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let by_default = "TF32 in convolutions yes, in products of matrices no";
        assert!(set(&[]).ends_with(by_default), "{}", set(&[]));
        let none = "TF32 in convolutions no, in products of matrices no";
        assert!(set(&[("NVIDIA_TF32_OVERRIDE", "0")]).ends_with(none));
        let all = "TF32 in convolutions yes, in products of matrices yes";
        assert!(set(&[("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1")]).ends_with(all));
    }

    #[test]
    fn files_of_a_checkpoint_keep_apart() {
        for (file, root, expected) in [
            ("sd/vae/model.safetensors", "sd", "vae/model.safetensors"),
            ("data/a.ckpt", "data/a.ckpt", "a.ckpt"),
            ("data/base.ckpt", "data/a.ckpt", "base.ckpt"),
            (
                "data/own/100000/unet/model.bin",
                "data/sd",
                "unet/model.bin",
            ),
            (
                "own/controlnet/model.bin",
                "data/sd",
                "controlnet/model.bin",
            ),
        ] {
            let name = name_of(Path::new(file), Path::new(root));
            assert_eq!(name, Path::new(expected), "{file} of {root}");
        }
    }
}
