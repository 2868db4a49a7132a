//! Saves checkpoints under LDM names in half precision: the frozen networks once, the trained ones for each snapshot.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use i2am_nets::layout::{BASE_KEY, Checkpoint, config_key, to_ldm};
use i2am_runner::families::StableVitonSizes;
use serde::Serialize;
use tch::{Kind, Tensor};

use super::card;
use super::config::StableVitonZoo;
use crate::frozen::is_frozen;
use crate::{progress, state};

/// The file of the frozen networks, beside the snapshots.
const FROZEN: &str = "frozen.safetensors";

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

    /// Writes the snapshot, and the frozen networks and the card beside it.
    pub(super) fn save(&self, step: u64) -> Result<()> {
        self.save_frozen()?;
        let mut metadata = metadata([("unet", json(&self.sizes.unet)?)]);
        metadata.insert(BASE_KEY.to_owned(), FROZEN.to_owned());
        let stored = ldm(self.variables)?;
        let path = self.path(step);
        state::write(&path, &stored, Kind::Half, &metadata)?;
        let card = self.config.output.join(format!("{}.md", self.config.name));
        i2am_files::write_atomic(&card, card::text(self, step).as_bytes())?;
        progress::say(&format!("saved {}", path.display()));
        Ok(())
    }

    fn save_frozen(&self) -> Result<()> {
        let names = self.frozen.names().filter(|name| is_frozen(name));
        let tensors = names
            .map(|name| Ok((name.to_owned(), self.frozen.tensor(name)?)))
            .collect::<Result<BTreeMap<_, _>>>()?;
        let metadata = metadata([
            ("vae", json(&self.sizes.vae)?),
            ("image_encoder", json(&self.sizes.image_encoder)?),
        ]);
        let path = self.config.output.join(FROZEN);
        state::write(&path, &ldm(&tensors)?, Kind::Half, &metadata)
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

fn ldm(tensors: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>> {
    Ok(to_ldm(tensors)?)
}

fn json(sizes: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(sizes)?)
}

fn metadata<const N: usize>(configs: [(&str, String); N]) -> BTreeMap<String, String> {
    let configs = configs.map(|(network, text)| (config_key(network), text));
    let format = ("format".to_owned(), "pt".to_owned());
    configs.into_iter().chain([format]).collect()
}
