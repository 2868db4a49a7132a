//! Saves the trained networks under LDM names in half precision, beside the diffusers folder that has the frozen ones.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use i2am_nets::layout::{BASE_KEY, Checkpoint, config_key, to_ldm};
use i2am_runner::families::StableVitonSizes;
use tch::{Kind, Tensor};

use super::card;
use super::config::StableVitonZoo;
use crate::frozen::is_frozen;
use crate::{progress, state};

/// What a snapshot needs of the folder of the frozen networks.
const FROZEN: [&str; 4] = [
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "image_encoder/config.json",
    "image_encoder/model.safetensors",
];

/// What is saved and where.
pub(super) struct Exporter<'a> {
    pub(super) config: &'a StableVitonZoo,
    pub(super) sizes: &'a StableVitonSizes,
    pub(super) frozen: &'a Checkpoint,
    /// The trained tensors by their full names.
    pub(super) variables: &'a BTreeMap<String, Tensor>,
}

impl Exporter<'_> {
    /// The file of the snapshot at `step`.
    pub(super) fn path(&self, step: u64) -> PathBuf {
        let name = format!("{}-{step:06}.safetensors", self.config.name);
        self.config.output.join(name)
    }

    /// The folder of the frozen networks, as snapshots name it.
    pub(super) fn base(&self) -> Result<&str> {
        let folder = &self.config.frozen;
        let name = folder.file_name().and_then(OsStr::to_str);
        name.with_context(|| format!("frozen: no folder name: {}", folder.display()))
    }

    /// Writes the snapshot, and the card beside it.
    pub(super) fn save(&self, step: u64) -> Result<()> {
        let base = self.base()?;
        self.place_frozen(base)?;
        let metadata = BTreeMap::from([
            ("format".to_owned(), "pt".to_owned()),
            (BASE_KEY.to_owned(), base.to_owned()),
            (config_key("unet"), serde_json::to_string(&self.sizes.unet)?),
        ]);
        let path = self.path(step);
        state::write(&path, &to_ldm(self.variables)?, Kind::Half, &metadata)?;
        let card = self.config.output.join(format!("{}.md", self.config.name));
        i2am_files::write_atomic(&card, card::text(self, base, step).as_bytes())?;
        progress::say(&format!("saved {}", path.display()));
        Ok(())
    }

    /// Copies the frozen networks beside the snapshots, unless that is where they are: a base is looked for there only.
    fn place_frozen(&self, base: &str) -> Result<()> {
        let beside = self.config.output.join(base);
        let is_there = beside.canonicalize().ok() == self.config.frozen.canonicalize().ok();
        for name in FROZEN.iter().filter(|_| !is_there) {
            let bytes = i2am_files::read(self.config.frozen.join(name))?;
            i2am_files::write_atomic(beside.join(name), &bytes)?;
        }
        Ok(())
    }

    /// How many warp blocks the UNet has.
    pub(super) fn warp_blocks(&self) -> usize {
        let is_first =
            |name: &&String| name.starts_with("unet.warp_zero_convs.") && name.ends_with("weight");
        self.variables.keys().filter(is_first).count()
    }

    /// Weights of `network` there are, trained or frozen.
    pub(super) fn parameters(&self, network: &str) -> i64 {
        let trained = self
            .variables
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor.size()));
        let frozen = self.frozen.names().filter(|name| is_frozen(name));
        let frozen = frozen.map(|name| (name, self.frozen.shape(name).unwrap_or_default()));
        trained
            .chain(frozen)
            .filter(|(name, _)| name.starts_with(network))
            .map(|(_, shape)| shape.iter().product::<i64>())
            .sum()
    }
}
