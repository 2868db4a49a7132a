//! Folders as the diffusers library saves them: one folder for each network, with a weight file and a `config.json`.

mod absent;
mod choice;
mod listed;
pub(super) mod shards;

use std::collections::btree_map::Entry as Place;
use std::path::Path;

use i2am_weights::WeightError;

use super::view::View;
use super::{Checkpoint, ConfigFile, Entry, Layout, Opening};
use crate::NetError;
use absent::{dangling, names, shown};
pub use listed::{files_of_folder, shards_of_index};

/// Sub-folders that hold networks, with the stems their weight files may have.
const NETWORKS: [(&str, &str); 6] = [
    ("unet", "diffusion_pytorch_model"),
    ("vae", "diffusion_pytorch_model"),
    ("image_encoder", "model"),
    ("text_encoder", "model"),
    ("controlnet", "diffusion_pytorch_model"),
    ("transformer", "diffusion_pytorch_model"),
];

/// Opens every known network folder below `root`, or below the folder that lies over it.
pub(super) fn open(root: &Path, opening: Opening<'_>) -> Result<Checkpoint, NetError> {
    let mut checkpoint = Checkpoint::empty(root, Layout::Diffusers);
    let mut has_variant = false;
    let wanted = |network: &str| {
        let networks = opening.networks;
        networks.is_none_or(|networks| networks.contains(&network))
    };
    for (network, stem) in NETWORKS.into_iter().filter(|(network, _)| wanted(network)) {
        let upper = opening.over.map(|over| over.join(network));
        let folder = upper
            .filter(|folder| folder.is_dir())
            .unwrap_or_else(|| root.join(network));
        if let Some(target) = dangling(&folder) {
            let path = folder;
            return Err(WeightError::Dangling { path, target }.into());
        }
        if !folder.is_dir() {
            continue;
        }
        has_variant |= checkpoint.add_network(&folder, network, stem, opening.variant)?;
    }
    let refuse = |reason: String| NetError::Layout {
        path: root.to_owned(),
        reason,
    };
    if checkpoint.parts.is_empty() {
        let expected = NETWORKS.iter().map(|&(network, _)| network);
        let expected: Vec<&str> = expected.filter(|network| wanted(network)).collect();
        return Err(refuse(no_network(root, &expected)?));
    }
    match opening.variant {
        Some(variant) if !has_variant => Err(refuse(format!(
            "expected weights of the variant `{variant}`, found none in any network"
        ))),
        _ => Ok(checkpoint),
    }
}

/// Opens `folder`, which is that of one network.
pub(super) fn open_network(
    folder: &Path,
    network: &str,
    variant: Option<&str>,
) -> Result<Checkpoint, NetError> {
    let known = NETWORKS.iter().find(|(name, _)| *name == network);
    let stem = known.map_or("diffusion_pytorch_model", |(_, stem)| stem);
    let mut checkpoint = Checkpoint::empty(folder, Layout::Diffusers);
    checkpoint.add_network(folder, network, stem, variant)?;
    Ok(checkpoint)
}

impl Checkpoint {
    /// Adds the tensors and the configuration of the network that lies in `folder`; whether its weights are of a variant.
    fn add_network(
        &mut self,
        folder: &Path,
        network: &str,
        stem: &str,
        variant: Option<&str>,
    ) -> Result<bool, NetError> {
        let config = ConfigFile::open(&folder.join("config.json"))?;
        self.configs.insert(network.to_owned(), config);
        let weights = choice::open(folder, stem, variant)?;
        for part in weights.parts {
            let file = self.parts.len();
            for (name, stored) in part.names() {
                let Some((below, view)) = rename(network, name) else {
                    continue;
                };
                match self.entries.entry(format!("{network}.{below}")) {
                    Place::Vacant(free) => drop(free.insert(Entry {
                        file,
                        name: stored.to_owned(),
                        view,
                    })),
                    Place::Occupied(_) => {
                        return Err(NetError::Layout {
                            path: part.file.path().to_owned(),
                            reason: format!(
                                "expected one tensor `{name}` in all files of the network, found another"
                            ),
                        });
                    }
                }
            }
            self.parts.push(part);
        }
        Ok(weights.is_variant)
    }
}

/// What is in a folder without networks.
fn no_network(root: &Path, expected: &[&str]) -> Result<String, NetError> {
    let reason = format!(
        "expected at least one of the folders {}, found none of them; ",
        expected.join(", ")
    );
    // The cache of a hub has a folder with links for every revision.
    let snapshots = root.join("snapshots");
    if snapshots.is_dir() {
        let revisions = shown(&names(&snapshots)?);
        return Ok(format!(
            "{reason}revisions in its folder snapshots: {revisions}"
        ));
    }
    Ok(format!("{reason}in the folder: {}", shown(&names(root)?)))
}

/// Files written before mid-2023 name the autoencoder's attention otherwise.
const OLD_ATTENTION: [(&str, &str); 4] = [
    ("query", "to_q"),
    ("key", "to_k"),
    ("value", "to_v"),
    ("proj_attn", "to_out.0"),
];

/// Today's spelling of a name in a published file; `None` for ballast.
pub(super) fn rename(network: &str, name: &str) -> Option<(String, View)> {
    if name.ends_with("position_ids") {
        return None;
    }
    if network != "vae" {
        return Some((name.to_owned(), View::Whole));
    }
    let Some((block, rest)) = name.split_once("attentions.0.") else {
        return Some((name.to_owned(), View::Whole));
    };
    let (layer, kind) = rest.split_once('.').unwrap_or((rest, ""));
    let renamed = OLD_ATTENTION
        .iter()
        .find(|(old, _)| *old == layer)
        .map(|(_, new)| format!("{block}attentions.0.{new}.{kind}"));
    let view = if rest.starts_with("group_norm") {
        View::Whole
    } else {
        View::Squeeze
    };
    Some((renamed.unwrap_or_else(|| name.to_owned()), view))
}

#[cfg(test)]
mod tests {
    use super::{View, rename};

    #[test]
    fn old_attention_spelling_of_the_autoencoder() {
        let old = rename("vae", "decoder.mid_block.attentions.0.proj_attn.weight");
        assert_eq!(
            old,
            Some((
                "decoder.mid_block.attentions.0.to_out.0.weight".to_owned(),
                View::Squeeze
            ))
        );
        let norm = rename("vae", "decoder.mid_block.attentions.0.group_norm.weight");
        assert_eq!(
            norm,
            Some((
                "decoder.mid_block.attentions.0.group_norm.weight".to_owned(),
                View::Whole
            ))
        );
        assert_eq!(
            rename(
                "image_encoder",
                "model.vision_model.embeddings.position_ids"
            ),
            None
        );
    }
}
