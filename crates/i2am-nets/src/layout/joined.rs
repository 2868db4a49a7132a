//! One file of several networks with the names of diffusers, each below the name of its network: what `torch.save` makes of a module
//! that holds them. Leffa is published so.

use std::path::Path;

use super::part::Part;
use super::{Checkpoint, ConfigFile, Entry, Layout, config_key, diffusers};
use crate::NetError;

/// The networks that such files have.
const NETWORKS: [&str; 3] = ["unet", "unet_encoder", "vae"];

/// A tensor that only files of this layout have: no LDM name begins with `unet.`.
const OWN: &str = "unet.conv_in.weight";

/// Whether files are of this layout.
pub(super) fn is_joined(parts: &[Part]) -> bool {
    parts.iter().any(|part| part.has(OWN))
}

/// The checkpoint at `path`, whose files are `parts`. Configurations may stand in the metadata, as in files with LDM names.
pub(super) fn open(path: &Path, parts: Vec<Part>) -> Result<Checkpoint, NetError> {
    let mut checkpoint = Checkpoint::empty(path, Layout::Joined);
    for (file, part) in parts.iter().enumerate() {
        for (name, stored) in part.names() {
            let network = name.split_once('.');
            let Some((network, below)) = network.filter(|(first, _)| NETWORKS.contains(first))
            else {
                checkpoint.strangers.push(stored.to_owned());
                continue;
            };
            let Some((below, view)) = diffusers::rename(network, below) else {
                continue;
            };
            let name = stored.to_owned();
            let entry = Entry { file, name, view };
            checkpoint
                .entries
                .insert(format!("{network}.{below}"), entry);
        }
        for network in NETWORKS {
            if let Some(text) = part.file.metadata(&config_key(network)) {
                let config = ConfigFile::of_text(part.file.path(), text)?;
                checkpoint.configs.insert(network.to_owned(), config);
            }
        }
    }
    checkpoint.parts = parts;
    Ok(checkpoint)
}
