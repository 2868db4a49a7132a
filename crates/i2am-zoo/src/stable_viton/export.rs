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

/// An autoencoder that takes the place of the frozen one, as it was read when the training began.
pub(super) struct OwnVae {
    sizes: VaeConfig,
    tensors: BTreeMap<String, Tensor>,
}

impl OwnVae {
    /// That of `checkpoint`.
    pub(super) fn of(checkpoint: &Checkpoint) -> Result<Self> {
        let names = checkpoint.names().filter(|name| name.starts_with("vae."));
        let read = |name: &str| Ok((name.to_owned(), checkpoint.tensor(name)?));
        Ok(Self {
            sizes: VaeConfig::of(checkpoint)?,
            tensors: names.map(read).collect::<Result<_>>()?,
        })
    }
}

/// Writes the snapshot, with its `own` autoencoder if it has one, and the frozen networks next to it unless that is where they are: a base is
/// looked for there only.
pub(super) fn save(
    config: &StableVitonZoo,
    variables: &BTreeMap<String, Tensor>,
    own: Option<&OwnVae>,
    step: u64,
) -> Result<PathBuf> {
    let (output, frozen) = (&config.output, &config.frozen);
    let place = output.join(frozen.file_name().unwrap_or(OsStr::new("")));
    if place.canonicalize().ok() != frozen.canonicalize().ok() {
        copy(frozen, &place, &FROZEN)?;
    }
    let path = output.join(format!("{}-{step:06}.safetensors", config.name));
    let vae = own.iter().flat_map(|own| &own.tensors);
    let tensors = variables.iter().chain(vae);
    let tensors = tensors.map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
    let sizes = own.map(|own| &own.sizes);
    write_snapshot(&path, &tensors.collect(), frozen, &config.keys.unet, sizes)?;
    Ok(path)
}
