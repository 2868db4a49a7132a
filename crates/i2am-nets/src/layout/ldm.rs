//! Single files with the names of the original latent diffusion code. Such a file may name a base that has the tensors it lacks,
//! and carry configurations in its metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::part::Part;
use super::view::View;
use super::{Checkpoint, ConfigFile, Entry, Layout, Opening, diffusers};
use crate::NetError;

mod export;
mod names;

pub use export::to_ldm;
use names::{Levels, is_ballast, rename};

/// Metadata key of a safetensors file: the name of a file beside it that has the tensors which this one lacks, or of a diffusers
/// folder that has the networks of which this one has nothing.
///
/// Several snapshots of one training differ in the trained networks only; the frozen ones need to be stored once.
pub const BASE_KEY: &str = "base";

/// Metadata key of a safetensors file: what would be the `config.json` of `network` in a diffusers folder. It tells what no shape
/// tells: attention heads, groups of normalizations, the scale of latents. Published files have none and are all alike in these.
pub fn config_key(network: &str) -> String {
    format!("{network}/config.json")
}

const NETWORKS: [&str; 3] = ["unet", "vae", "image_encoder"];

/// A name without the folder that training puts all weights in.
pub(super) fn bare(name: &str) -> &str {
    name.strip_prefix("state_dict.").unwrap_or(name)
}

/// The checkpoint at `path`, whose files `parts` have LDM names, and its base if it has one; tensors may stand below `state_dict.`.
pub(super) fn open(path: &Path, mut parts: Vec<Part>) -> Result<Checkpoint, NetError> {
    let base = parts.iter().find_map(|part| part.file.metadata(BASE_KEY));
    let base = base.map(|name| beside(path, name)).transpose()?;
    let mut folder = None;
    match base {
        Some(base) if base.is_dir() => {
            folder = Some(diffusers::open(&base, Opening::default())?);
        }
        Some(base) => parts.push(Part::open(&base)?),
        None => {}
    }
    let names = parts.iter().flat_map(Part::names);
    let levels = Levels::of(names.map(|(name, _)| bare(name).to_owned()));
    let mut checkpoint = Checkpoint {
        path: path.to_owned(),
        layout: Layout::Ldm,
        parts: Vec::new(),
        entries: BTreeMap::new(),
        strangers: Vec::new(),
        configs: BTreeMap::new(),
    };
    for (index, part) in parts.iter().enumerate() {
        for (name, stored) in part.names() {
            let short = bare(name);
            let renamed = rename(short, &levels);
            if renamed.is_empty() && !is_ballast(short) {
                checkpoint.strangers.push(stored.to_owned());
            }
            for (full, view) in renamed {
                // The base comes last and only fills gaps.
                checkpoint.entries.entry(full).or_insert_with(|| Entry {
                    file: index,
                    name: stored.to_owned(),
                    view,
                });
            }
        }
        let file = &part.file;
        for network in NETWORKS {
            let Some(text) = file.metadata(&config_key(network)) else {
                continue;
            };
            if checkpoint.configs.contains_key(network) {
                continue;
            }
            let config = ConfigFile::of_text(file.path(), text)?;
            checkpoint.configs.insert(network.to_owned(), config);
        }
    }
    checkpoint.parts = parts;
    if let Some(folder) = folder {
        add_networks(&mut checkpoint, folder);
    }
    Ok(checkpoint)
}

/// Adds the networks of `folder` of which `checkpoint` has no tensor, and the files they are in. One that is there in part is not
/// completed: it may have other sizes.
fn add_networks(checkpoint: &mut Checkpoint, folder: Checkpoint) {
    let network = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let present: BTreeSet<String> = checkpoint.names().map(network).collect();
    let lacking = |name: &str| !present.contains(&network(name));
    let added: Vec<(String, Entry)> = folder
        .entries
        .into_iter()
        .filter(|(name, _)| lacking(name))
        .collect();
    let used: BTreeSet<usize> = added.iter().map(|(_, entry)| entry.file).collect();
    let mut places = BTreeMap::new();
    for (index, part) in folder.parts.into_iter().enumerate() {
        if used.contains(&index) {
            places.insert(index, checkpoint.parts.len());
            checkpoint.parts.push(part);
        }
    }
    for (name, entry) in added {
        let file = places[&entry.file];
        checkpoint.entries.insert(name, Entry { file, ..entry });
    }
    for (name, config) in folder.configs {
        if lacking(&name) {
            checkpoint.configs.entry(name).or_insert(config);
        }
    }
}

/// The file or folder `name` beside `path`. A weight file can come from anywhere: it may not name a file elsewhere.
fn beside(path: &Path, name: &str) -> Result<PathBuf, NetError> {
    let is_plain = Path::new(name).file_name() == Some(name.as_ref());
    if !is_plain || path.file_name() == Some(name.as_ref()) {
        return Err(NetError::Layout {
            path: path.to_owned(),
            reason: format!(
                "metadata `{BASE_KEY}`: expected the name of another file or folder in the same folder, found `{name}`"
            ),
        });
    }
    Ok(path.with_file_name(name))
}
