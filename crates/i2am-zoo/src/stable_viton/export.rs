//! Saves the trained networks next to the diffusers folder that has the frozen ones.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::Result;
use i2am_nets::layout::Checkpoint;
use i2am_nets::vae::VaeConfig;
use tch::Tensor;

use super::config::StableVitonZoo;
use crate::diffusers::{copy, write_snapshot};

/// What a snapshot needs of the folder of the frozen networks.
const FROZEN: [&str; 4] = [
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "image_encoder/config.json",
    "image_encoder/model.safetensors",
];

/// Writes the snapshot, with the autoencoder if it is not that of the frozen networks, and the frozen networks next to it unless that is where they are: a base is looked for there only.
pub(super) fn save(
    config: &StableVitonZoo,
    variables: &BTreeMap<String, Tensor>,
    step: u64,
) -> Result<PathBuf> {
    let (output, frozen) = (&config.output, &config.frozen);
    let place = output.join(frozen.file_name().unwrap_or(OsStr::new("")));
    if place.canonicalize().ok() != frozen.canonicalize().ok() {
        copy(frozen, &place, &FROZEN)?;
    }
    let path = output.join(format!("{}-{step:06}.safetensors", config.name));
    let mut tensors: BTreeMap<String, Tensor> = (variables.iter())
        .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
        .collect();
    let mut own = None;
    if let Some(folder) = &config.keys.vae {
        let vae = Checkpoint::open_network(folder, "vae", None)?;
        own = Some(VaeConfig::of(&vae)?);
        for name in vae.names() {
            tensors.insert(name.to_owned(), vae.tensor(name)?);
        }
    }
    write_snapshot(&path, &tensors, frozen, &config.keys.unet, own.as_ref())?;
    Ok(path)
}
