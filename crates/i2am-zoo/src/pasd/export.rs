//! Saves checkpoints in half precision: the last step as a diffusers folder with the frozen networks, snapshots as folders of UNet and
//! `ControlNet`, which is how PASD is published.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_nets::layout::Checkpoint;
use i2am_runner::families::PasdSizes;
use serde_json::{Value, json};
use tch::{Kind, Tensor};

use super::config::PasdZoo;
use super::{card, tokenizer};
use crate::diffusers::{LIBRARY, unet_config, with, write};
use crate::{progress, state};

const AUTOENCODER: [&str; 2] = ["vae/config.json", "vae/diffusion_pytorch_model.safetensors"];

/// What is saved and where.
pub(super) struct Exporter<'a> {
    pub(super) config: &'a PasdZoo,
    pub(super) sizes: &'a PasdSizes,
    pub(super) frozen: &'a Checkpoint,
    /// The trained tensors by their full names.
    pub(super) variables: &'a BTreeMap<String, Tensor>,
    /// Those of the text encoder.
    pub(super) text: &'a BTreeMap<String, Tensor>,
}

impl Exporter<'_> {
    /// The folder of the snapshot at `step`, beside that of the last step.
    pub(super) fn snapshot_path(&self, step: u64) -> PathBuf {
        let name = format!("{}-{step:06}", self.config.name);
        self.config.output.with_file_name(name)
    }

    /// Writes UNet and `ControlNet` alone.
    pub(super) fn save_snapshot(&self, step: u64) -> Result<()> {
        let root = self.snapshot_path(step);
        self.save_trained(&root)?;
        progress::say(&format!("saved {}", root.display()));
        Ok(())
    }

    /// Writes the whole folder: what was trained, the autoencoder's own bytes, text encoder, tokenizer, and the card.
    pub(super) fn save_folder(&self, step: u64) -> Result<()> {
        let root = &self.config.output;
        self.save_trained(root)?;
        for name in AUTOENCODER {
            let bytes = i2am_files::read(self.config.frozen.join(name))?;
            i2am_files::write_atomic(root.join(name), &bytes)?;
        }
        weights(
            self.text,
            "text_encoder",
            &root.join("text_encoder/model.safetensors"),
        )?;
        write(&root.join("text_encoder/config.json"), &self.text_config()?)?;
        tokenizer::write(&root.join("tokenizer"))?;
        let scheduler = root.join("scheduler/scheduler_config.json");
        write(&scheduler, &scheduler_config())?;
        i2am_files::write_atomic(root.join("README.md"), card::text(self, step).as_bytes())?;
        progress::say(&format!("saved {}", root.display()));
        Ok(())
    }

    fn save_trained(&self, root: &Path) -> Result<()> {
        let height = self.config.data.height as i64 / self.sizes.vae.factor();
        let unet = unet_config(&self.config.unet, height)?;
        for (network, config) in [("unet", unet), ("controlnet", self.controlnet_config()?)] {
            let folder = root.join(network);
            let path = folder.join("diffusion_pytorch_model.safetensors");
            weights(self.variables, network, &path)?;
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
            "conditioning_embedding_out_channels": self.config.conditioning,
            "controlnet_conditioning_channel_order": "rgb",
            "downsample_padding": 1,
            "flip_sin_to_cos": true,
            "freq_shift": 0,
            "global_pool_conditions": false,
            "mid_block_scale_factor": 1,
        });
        let mut config = with(serde_json::to_value(&self.config.unet)?, extra);
        if let Value::Object(entries) = &mut config {
            for other in ["out_channels", "sample_size"] {
                entries.remove(other);
            }
        }
        Ok(config)
    }

    fn text_config(&self) -> Result<Value> {
        let end = self.config.text_encoder.vocab_size - 1;
        let extra = json!({
            "architectures": ["CLIPTextModel"],
            "model_type": "clip_text_model",
            "hidden_act": "quick_gelu",
            "attention_dropout": 0.0,
            "bos_token_id": end - 1,
            "eos_token_id": end,
            "pad_token_id": end,
            "projection_dim": self.config.text_encoder.hidden_size,
        });
        Ok(with(
            serde_json::to_value(&self.config.text_encoder)?,
            extra,
        ))
    }

    /// Weights of the network or part whose names begin with `prefix`.
    pub(super) fn parameters(&self, prefix: &str) -> i64 {
        let own = self.variables.iter().chain(self.text);
        let own = own.map(|(name, tensor)| (name.as_str(), tensor.size()));
        let frozen = self.frozen.names().filter(|name| name.starts_with("vae."));
        let frozen = frozen.map(|name| (name, self.frozen.shape(name).unwrap_or_default()));
        own.chain(frozen)
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(_, shape)| shape.iter().product::<i64>())
            .sum()
    }

    /// Weights of the pixel attentions, and how many there are.
    pub(super) fn pixel_attentions(&self) -> (i64, usize) {
        let is_pixel = |name: &str| name.contains(".pixel_attentions.");
        let own = self.variables.iter().filter(|(name, _)| is_pixel(name));
        let weights = own.map(|(_, tensor)| tensor.numel() as i64).sum();
        let is_first = |name: &&String| is_pixel(name) && name.ends_with(".proj_in.weight");
        (weights, self.variables.keys().filter(is_first).count())
    }
}

/// Writes what `tensors` has of `network`.
fn weights(tensors: &BTreeMap<String, Tensor>, network: &str, path: &Path) -> Result<()> {
    let prefix = format!("{network}.");
    let below = |(name, tensor): (&String, &Tensor)| {
        let name = name.strip_prefix(&prefix)?.to_owned();
        Some((name, tensor.shallow_clone()))
    };
    let own: BTreeMap<String, Tensor> = tensors.iter().filter_map(below).collect();
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    state::write(path, &own, Kind::Half, &metadata)
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
