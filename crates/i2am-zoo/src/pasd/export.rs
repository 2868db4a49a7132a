//! Saves checkpoints in half precision: the last step as a diffusers folder with the frozen networks, snapshots as folders of UNet and
//! `ControlNet`, which is how PASD is published.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};
use tch::Tensor;

use super::{Pasd, tokenizer};
use crate::diffusers::{LIBRARY, copy, unet_config, with, write, write_weights};

const AUTOENCODER: [&str; 2] = ["vae/config.json", "vae/diffusion_pytorch_model.safetensors"];

impl Pasd {
    /// The folder of the snapshot at `step`, next to that of the last step.
    pub(super) fn snapshot_path(&self, step: u64) -> PathBuf {
        let name = format!("{}-{step:06}", self.config.name);
        self.config.output.with_file_name(name)
    }

    /// Writes the whole folder: what was trained, the autoencoder's own bytes, text encoder and tokenizer.
    pub(super) fn save_folder(&self, variables: &BTreeMap<String, Tensor>) -> Result<()> {
        let root = &self.config.output;
        self.save_trained(root, variables)?;
        copy(&self.config.frozen, root, &AUTOENCODER)?;
        let text = root.join("text_encoder");
        write_weights(&text.join("model.safetensors"), "text_encoder", &self.text)?;
        write(&text.join("config.json"), &self.text_config()?)?;
        tokenizer::write(&root.join("tokenizer"))?;
        let scheduler = root.join("scheduler/scheduler_config.json");
        write(&scheduler, &scheduler_config())
    }

    /// Writes UNet and `ControlNet` alone.
    pub(super) fn save_trained(
        &self,
        root: &Path,
        variables: &BTreeMap<String, Tensor>,
    ) -> Result<()> {
        let factor = self.pipeline.networks().vae.config().factor();
        let unet = unet_config(
            &self.config.keys.unet,
            self.config.data.height as i64 / factor,
        )?;
        for (network, config) in [("unet", unet), ("controlnet", self.controlnet_config()?)] {
            let folder = root.join(network);
            let path = folder.join("diffusion_pytorch_model.safetensors");
            write_weights(&path, network, variables)?;
            write(&folder.join("config.json"), &config)?;
        }
        Ok(())
    }

    fn controlnet_config(&self) -> Result<Value> {
        let extra = json!({
            "_class_name": "ControlNetModel",
            "_diffusers_version": LIBRARY,
            "act_fn": "silu",
            "conditioning_channels": 3,
            "conditioning_embedding_out_channels": self.config.keys.conditioning,
            "controlnet_conditioning_channel_order": "rgb",
            "downsample_padding": 1,
            "flip_sin_to_cos": true,
            "freq_shift": 0,
            "global_pool_conditions": false,
            "mid_block_scale_factor": 1,
        });
        let mut config = with(serde_json::to_value(&self.config.keys.unet)?, extra);
        if let Value::Object(entries) = &mut config {
            for other in ["out_channels", "sample_size"] {
                entries.remove(other);
            }
        }
        Ok(config)
    }

    fn text_config(&self) -> Result<Value> {
        let end = self.config.keys.text_encoder.vocab_size - 1;
        let extra = json!({
            "architectures": ["CLIPTextModel"],
            "model_type": "clip_text_model",
            "hidden_act": "quick_gelu",
            "attention_dropout": 0.0,
            "bos_token_id": end - 1,
            "eos_token_id": end,
            "pad_token_id": end,
            "projection_dim": self.config.keys.text_encoder.hidden_size,
        });
        Ok(with(
            serde_json::to_value(&self.config.keys.text_encoder)?,
            extra,
        ))
    }
}

fn scheduler_config() -> Value {
    json!({
        "_class_name": "UniPCMultistepScheduler",
        "_diffusers_version": LIBRARY,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "prediction_type": "epsilon",
        "solver_order": 2,
        "solver_type": "bh2",
        "timestep_spacing": "linspace",
    })
}
