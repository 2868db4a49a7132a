//! Models as the runner knows them.

use std::path::Path;

use anyhow::Result;
use i2am_datasets::Part;
use i2am_files::FileHashes;
use i2am_runner::capture::InterveneConfig;
use i2am_runner::families::{FAMILIES, Model, family};
use serde::Deserialize;
use serde_json::{Value, json};
use toml::de::DeValue;

use crate::config::{Document, RunConfig, Table};
use crate::suggest;

/// One `[[model]]`.
pub(crate) struct ModelEntry {
    pub(crate) name: String,
    pub(crate) settings: Value,
    pub(crate) model: Box<dyn Model>,
}

impl ModelEntry {
    /// Its name and family, for messages.
    pub(crate) fn describe(&self) -> String {
        let family = self.settings["family"].as_str().unwrap_or_default();
        format!("model `{}` ({family})", self.name)
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
        for file in entry.model.check(None)?.files {
            let name = name_of(&file, root).display();
            let name = format!("checkpoint:{}:{name}", entry.name);
            found.push((name, hashes.sha256(&file)?));
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
        for place in model.places() {
            settings.remove(*place);
        }
    }
    Ok(ModelEntry {
        name,
        settings,
        model,
    })
}

/// Versions for the manifest.
pub(crate) fn versions() -> Vec<(String, String)> {
    vec![("libtorch".to_owned(), i2am_nets::libtorch::version())]
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
