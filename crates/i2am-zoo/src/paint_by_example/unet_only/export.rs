//! Saves the UNet in half precision: snapshots under LDM names, the last step in a diffusers folder with the frozen networks.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use i2am_nets::layout::{BASE_KEY, Checkpoint, config_key, to_ldm};
use tch::{Kind, Tensor};

use super::{UNetZoo, card};
use crate::diffusers::{unet_config, write};
use crate::frozen::is_frozen;
use crate::{progress, state};

/// What a diffusers folder has beside the UNet.
const UNCHANGED: [&str; 7] = [
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "image_encoder/config.json",
    "image_encoder/model.safetensors",
    "scheduler/scheduler_config.json",
    "feature_extractor/preprocessor_config.json",
    "model_index.json",
];

/// What is saved and where.
pub(in crate::paint_by_example) struct Exporter<'a> {
    pub(super) config: &'a UNetZoo,
    pub(super) frozen: &'a Checkpoint,
    /// The trained tensors by their full names.
    pub(super) variables: &'a BTreeMap<String, Tensor>,
    /// Rows of a latent.
    pub(super) latent_height: i64,
}

impl Exporter<'_> {
    /// Steps after which there is a snapshot.
    pub(in crate::paint_by_example) fn steps(&self) -> &[u64] {
        &self.config.snapshots
    }

    /// The file of the snapshot at `step`, beside the folder of the last step.
    fn path(&self, step: u64) -> PathBuf {
        let name = format!("{}-{step:06}.safetensors", self.config.name);
        self.config.output.with_file_name(name)
    }

    /// Writes the UNet alone. Its base is the folder, for what it lacks.
    pub(in crate::paint_by_example) fn save_snapshot(&self, step: u64) -> Result<()> {
        let output = &self.config.output;
        let base = output.file_name().and_then(OsStr::to_str);
        let base = base.with_context(|| format!("output: no folder name: {}", output.display()))?;
        let sizes = serde_json::to_string(&self.config.diffusion.unet)?;
        let metadata = BTreeMap::from([
            ("format".to_owned(), "pt".to_owned()),
            (BASE_KEY.to_owned(), base.to_owned()),
            (config_key("unet"), sizes),
        ]);
        let path = self.path(step);
        state::write(&path, &to_ldm(self.variables)?, Kind::Half, &metadata)?;
        progress::say(&format!("saved {}", path.display()));
        Ok(())
    }

    /// Writes the folder: the UNet, the frozen networks' own bytes, and the card.
    pub(super) fn save_folder(&self, step: u64) -> Result<()> {
        let root = &self.config.output;
        for name in UNCHANGED {
            let bytes = i2am_files::read(self.config.frozen.join(name))?;
            i2am_files::write_atomic(root.join(name), &bytes)?;
        }
        let own: BTreeMap<String, Tensor> = self
            .variables
            .iter()
            .filter_map(|(name, tensor)| {
                let below = name.strip_prefix("unet.")?;
                Some((below.to_owned(), tensor.shallow_clone()))
            })
            .collect();
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        let weights = root.join("unet/diffusion_pytorch_model.safetensors");
        state::write(&weights, &own, Kind::Half, &metadata)?;
        let sizes = unet_config(&self.config.diffusion.unet, self.latent_height)?;
        write(&root.join("unet/config.json"), &sizes)?;
        i2am_files::write_atomic(root.join("README.md"), card::text(self, step).as_bytes())?;
        progress::say(&format!("saved {}", root.display()));
        Ok(())
    }

    /// Weights of the UNet.
    pub(super) fn trained(&self) -> usize {
        self.variables.values().map(Tensor::numel).sum()
    }

    /// Weights of the frozen `network`.
    pub(super) fn kept(&self, network: &str) -> i64 {
        self.frozen
            .names()
            .filter(|name| is_frozen(name) && name.starts_with(network))
            .filter_map(|name| self.frozen.shape(name))
            .map(|shape| shape.iter().product::<i64>())
            .sum()
    }
}
