//! Saves a checkpoint trained from nothing as a diffusers folder.

use std::collections::BTreeMap;

use anyhow::Result;
use i2am_nets::vae::VaeConfig;
use serde_json::{Value, json};
use tch::Tensor;

use super::PaintByExampleZoo;
use crate::diffusers::{LIBRARY, unet_config, vae_config, with, write, write_weights};

/// Writes weights and configurations.
pub(super) fn save(
    config: &PaintByExampleZoo,
    variables: &BTreeMap<String, Tensor>,
    scaling_factor: f64,
) -> Result<()> {
    let root = &config.output;
    let weights = [
        ("unet", "diffusion_pytorch_model.safetensors"),
        ("vae", "diffusion_pytorch_model.safetensors"),
        ("image_encoder", "model.safetensors"),
    ];
    for (network, file) in weights {
        write_weights(&root.join(network).join(file), network, variables)?;
    }
    let vae = VaeConfig {
        scaling_factor,
        ..config.vae.net.clone()
    };
    let height = config.data.height as i64 / config.vae.net.factor();
    let unet = unet_config(&config.diffusion.unet, height)?;
    write(&root.join("unet/config.json"), &unet)?;
    write(&root.join("vae/config.json"), &vae_config(&vae)?)?;
    write(
        &root.join("image_encoder/config.json"),
        &encoder_config(config)?,
    )?;
    write(
        &root.join("scheduler/scheduler_config.json"),
        &scheduler_config(),
    )?;
    let preprocessor = preprocessor_config(config.reference.net.image_size);
    write(
        &root.join("feature_extractor/preprocessor_config.json"),
        &preprocessor,
    )?;
    write(&root.join("model_index.json"), &model_index())
}

fn encoder_config(config: &PaintByExampleZoo) -> Result<Value> {
    let extra = json!({
        "architectures": ["PaintByExampleImageEncoder"],
        "model_type": "clip_vision_model",
        "hidden_act": "quick_gelu",
        "num_channels": 3,
        "attention_dropout": 0.0,
    });
    Ok(with(serde_json::to_value(&config.reference.net)?, extra))
}

fn scheduler_config() -> Value {
    json!({
        "_class_name": "PNDMScheduler",
        "_diffusers_version": LIBRARY,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "skip_prk_steps": true,
        "set_alpha_to_one": false,
        "steps_offset": 1,
        "prediction_type": "epsilon",
        "clip_sample": false,
    })
}

fn preprocessor_config(size: i64) -> Value {
    json!({
        "image_processor_type": "CLIPImageProcessor",
        "crop_size": { "height": size, "width": size },
        "size": { "shortest_edge": size },
        "do_resize": true,
        "do_center_crop": true,
        "do_rescale": true,
        "do_normalize": true,
        "do_convert_rgb": true,
        "rescale_factor": 1.0 / 255.0,
        "resample": 3,
        "image_mean": [0.481_454_66, 0.457_827_5, 0.408_210_73],
        "image_std": [0.268_629_54, 0.261_302_58, 0.275_777_11],
    })
}

fn model_index() -> Value {
    json!({
        "_class_name": "PaintByExamplePipeline",
        "_diffusers_version": LIBRARY,
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "image_encoder": ["paint_by_example", "PaintByExampleImageEncoder"],
        "requires_safety_checker": false,
        "safety_checker": [null, null],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    })
}
