//! Saves checkpoints in half precision as they are published: a diffusers folder without the autoencoder, which is another one's, and a
//! file with the self-attentions alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use i2am_nets::layout::attention_layers;
use i2am_nets::unet::UNetConfig;
use serde_json::{Value, json};
use tch::{Kind, Tensor};

use super::CatVton;
use crate::diffusers::{LIBRARY, unet_config, write, write_weights};
use crate::state;

/// Entries of the published list of modules for each self-attention: the layer, `to_q`, `to_k`, `to_v`, `to_out`, its two parts, and the
/// processor. A tensor is stored under the first of those that have it.
const MODULES_PER_LAYER: usize = 8;

impl CatVton {
    /// Writes the UNet, the noise schedule and the self-attentions into the folder `root`.
    pub(super) fn save(
        &self,
        root: PathBuf,
        variables: &BTreeMap<String, Tensor>,
    ) -> Result<PathBuf> {
        let weights = root.join("unet/diffusion_pytorch_model.safetensors");
        write_weights(&weights, "unet", variables)?;
        let height = self.config.data.height as i64 / self.vae.config().factor();
        let sizes = unet_config(&self.config.keys.unet, height)?;
        write(&root.join("unet/config.json"), &sizes)?;
        let scheduler = root.join("scheduler/scheduler_config.json");
        write(&scheduler, &scheduler_config())?;
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        state::write(
            &root.join("attention/model.safetensors"),
            &attention_file(&self.config.keys.unet, variables),
            Kind::Half,
            &metadata,
        )?;
        Ok(root)
    }
}

/// The self-attentions of `variables` under their published names: `0.to_q.weight`, `8.to_q.weight` and so on.
fn attention_file(
    unet: &UNetConfig,
    variables: &BTreeMap<String, Tensor>,
) -> BTreeMap<String, Tensor> {
    let mut tensors = BTreeMap::new();
    for (k, layer) in attention_layers(unet).iter().enumerate() {
        let prefix = format!("unet.{layer}.attn1.");
        for (name, tensor) in variables {
            if let Some(rest) = name.strip_prefix(&prefix) {
                let name = format!("{}.{rest}", MODULES_PER_LAYER * k);
                tensors.insert(name, tensor.shallow_clone());
            }
        }
    }
    tensors
}

fn scheduler_config() -> Value {
    json!({
        "_class_name": "DDIMScheduler",
        "_diffusers_version": LIBRARY,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "set_alpha_to_one": false,
        "steps_offset": 1,
        "prediction_type": "epsilon",
        "clip_sample": false,
    })
}
