//! Folders as the diffusers library saves them: one folder for each network, with a weight file and a `config.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use i2am_weights::WeightFile;

use super::view::View;
use super::{Checkpoint, ConfigFile, Entry, Layout};
use crate::NetError;

/// Sub-folders that hold networks, with the stems their weight files may have.
const NETWORKS: [(&str, &str); 5] = [
    ("unet", "diffusion_pytorch_model"),
    ("vae", "diffusion_pytorch_model"),
    ("image_encoder", "model"),
    ("text_encoder", "model"),
    ("controlnet", "diffusion_pytorch_model"),
];

/// Opens every known network folder below `root`.
pub(super) fn open(root: &Path) -> Result<Checkpoint, NetError> {
    open_layered(root, None)
}

/// The same, where the folders below `over` are taken instead of those of the same name below `root`.
pub(super) fn open_layered(root: &Path, over: Option<&Path>) -> Result<Checkpoint, NetError> {
    let mut checkpoint = Checkpoint {
        path: root.to_owned(),
        layout: Layout::Diffusers,
        files: Vec::new(),
        entries: BTreeMap::new(),
        strangers: Vec::new(),
        configs: BTreeMap::new(),
    };
    for (network, stem) in NETWORKS {
        let beside = over.map(|over| over.join(network));
        let folder = beside
            .filter(|folder| folder.is_dir())
            .unwrap_or_else(|| root.join(network));
        if !folder.is_dir() {
            continue;
        }
        checkpoint.configs.insert(
            network.to_owned(),
            ConfigFile::open(&folder.join("config.json"))?,
        );
        let file = WeightFile::open(&weight_file(&folder, stem)?)?;
        let index = checkpoint.files.len();
        for name in file.names() {
            let Some((below, view)) = rename(network, name) else {
                continue;
            };
            let entry = Entry {
                file: index,
                name: name.to_owned(),
                view,
            };
            checkpoint
                .entries
                .insert(format!("{network}.{below}"), entry);
        }
        checkpoint.files.push(file);
    }
    if checkpoint.files.is_empty() {
        let expected: Vec<&str> = NETWORKS.iter().map(|&(network, _)| network).collect();
        let reason = format!(
            "expected at least one of the folders {}, found none of them",
            expected.join(", ")
        );
        return Err(NetError::Layout {
            path: root.to_owned(),
            reason,
        });
    }
    Ok(checkpoint)
}

/// The safetensors file of a network folder if there is one, else the pickle.
fn weight_file(folder: &Path, stem: &str) -> Result<PathBuf, NetError> {
    let pickle = if stem == "model" {
        "pytorch_model.bin".to_owned()
    } else {
        format!("{stem}.bin")
    };
    let names = [format!("{stem}.safetensors"), pickle];
    let found = names
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file());
    found.ok_or_else(|| NetError::Layout {
        path: folder.to_owned(),
        reason: format!("expected {} or {}, found neither", names[0], names[1]),
    })
}

/// Files written before mid-2023 name the autoencoder's attention otherwise.
const OLD_ATTENTION: [(&str, &str); 4] = [
    ("query", "to_q"),
    ("key", "to_k"),
    ("value", "to_v"),
    ("proj_attn", "to_out.0"),
];

/// Today's spelling of a name in a published file; `None` for ballast.
fn rename(network: &str, name: &str) -> Option<(String, View)> {
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
