//! Trains the UNet of a Paint-by-Example around a frozen autoencoder and reference encoder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_nets::Scope;
use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::vae::{Vae, VaeConfig};
use tch::{Device, Tensor};

use super::config::{UNetKeys, UNetZoo};
use super::data::TrainingSet;
use super::diffusion::{Latents, Networks, Stage};
use crate::diffusers::{copy, unet_config, write, write_snapshot, write_weights};
use crate::frozen::Mixed;
use crate::init::start_as_identity;
use crate::train::{Ground, Zoo};
use crate::trainer::Task as _;

/// What a diffusers folder has in addition to the UNet.
const UNCHANGED: [&str; 7] = [
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "image_encoder/config.json",
    "image_encoder/model.safetensors",
    "scheduler/scheduler_config.json",
    "feature_extractor/preprocessor_config.json",
    "model_index.json",
];

/// The networks in training.
pub(super) struct UNetOnly {
    config: UNetZoo,
    networks: Networks,
    autoencoder: Vae,
    device: Device,
}

impl UNetOnly {
    fn stage<'a>(&'a self, (set, latents): &'a (TrainingSet, Latents)) -> Stage<'a> {
        Stage {
            networks: &self.networks,
            autoencoder: &self.autoencoder,
            latents,
            scaling_factor: self.autoencoder.config().scaling_factor,
            set,
            config: &self.config.keys.diffusion,
            device: self.device,
        }
    }
}

impl Zoo for UNetOnly {
    type Keys = UNetKeys;
    type Data = (TrainingSet, Latents);
    const STAGE: &'static str = "diffusion";

    fn build(ground: &Ground<'_, UNetKeys>) -> Result<Self> {
        let vae = VaeConfig::of(ground.frozen)?;
        let image_encoder = ImageEncoderConfig::of(ground.frozen)?;
        let config = ground.config.clone();
        config.check(&vae, &image_encoder)?;
        let source = Mixed {
            kept: ground.kept,
            fresh: ground.fresh,
        };
        let autoencoder = Vae::new(&Scope::root(&source, "vae"), vae);
        let networks = Networks::new(&source, &config.keys.diffusion.unet, &image_encoder);
        let variables = ground.fresh.variables();
        start_as_identity(&variables, "unet", &["conv2.weight", "proj_out.weight"]);
        Ok(Self {
            config,
            networks,
            autoencoder,
            device: ground.device,
        })
    }

    fn data(&self) -> Result<Self::Data> {
        let encoder = &self.networks.image_encoder;
        let set = TrainingSet::draw(&self.config.data, encoder.config().image_size as usize);
        let latents = Latents::encode(&self.autoencoder, Some(encoder), &set, self.device);
        Ok((set, latents))
    }

    fn loss(&self, data: &Self::Data) -> Tensor {
        self.stage(data).loss()
    }

    fn evaluate(&self, data: &Self::Data, step: u64, stem: &Path) -> Result<()> {
        self.stage(data).evaluate(step, stem)
    }

    /// The UNet alone, next to the folder of the last step, which is its base.
    fn save_snapshot(&self, variables: &BTreeMap<String, Tensor>, step: u64) -> Result<PathBuf> {
        let output = &self.config.output;
        let name = format!("{}-{step:06}.safetensors", self.config.name);
        let path = output.with_file_name(name);
        write_snapshot(
            &path,
            variables,
            output,
            &self.config.keys.diffusion.unet,
            None,
        )?;
        Ok(path)
    }

    /// The folder: the UNet, and the frozen networks' own bytes.
    fn save_last(&self, variables: &BTreeMap<String, Tensor>, _step: u64) -> Result<PathBuf> {
        let root = &self.config.output;
        copy(&self.config.frozen, root, &UNCHANGED)?;
        let weights = root.join("unet/diffusion_pytorch_model.safetensors");
        write_weights(&weights, "unet", variables)?;
        let height = self.config.data.height as i64 / self.autoencoder.config().factor();
        let sizes = unet_config(&self.config.keys.diffusion.unet, height)?;
        write(&root.join("unet/config.json"), &sizes)?;
        Ok(root.clone())
    }
}

#[cfg(test)]
mod tests;
