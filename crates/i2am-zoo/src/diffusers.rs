//! Files of checkpoints, in half precision: diffusers folders, and snapshots under LDM names.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context as _, Result};
use i2am_nets::layout::{BASE_KEY, config_key, to_ldm};
use i2am_nets::unet::UNetConfig;
use i2am_nets::vae::VaeConfig;
use serde_json::{Value, json};
use tch::{Kind, Tensor};

use crate::state;

/// Version of the diffusers library whose files these are made like.
pub(crate) const LIBRARY: &str = "0.35.1";

/// Writes a `config.json`.
pub(crate) fn write(path: &Path, value: &Value) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    i2am_files::write_atomic(path, text.as_bytes())?;
    Ok(())
}

/// `sizes` and what else the library's class wants to know.
pub(crate) fn with(sizes: Value, extra: Value) -> Value {
    let (Value::Object(mut all), Value::Object(extra)) = (sizes, extra) else {
        unreachable!("both are objects");
    };
    all.extend(extra);
    Value::Object(all)
}

/// The `config.json` of a UNet for latents of `height` rows.
pub(crate) fn unet_config(unet: &UNetConfig, height: i64) -> Result<Value> {
    let up = |name: &String| {
        if name == "DownBlock2D" {
            "UpBlock2D"
        } else {
            "CrossAttnUpBlock2D"
        }
    };
    let up: Vec<&str> = unet.down_block_types.iter().rev().map(up).collect();
    let extra = json!({
        "_class_name": "UNet2DConditionModel",
        "_diffusers_version": LIBRARY,
        "sample_size": height,
        "up_block_types": up,
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "act_fn": "silu",
        "center_input_sample": false,
        "downsample_padding": 1,
        "flip_sin_to_cos": true,
        "freq_shift": 0,
        "mid_block_scale_factor": 1,
    });
    Ok(with(serde_json::to_value(unet)?, extra))
}

/// The `config.json` of an autoencoder.
pub(crate) fn vae_config(vae: &VaeConfig) -> Result<Value> {
    let levels = vae.block_out_channels.len();
    let extra = json!({
        "_class_name": "AutoencoderKL",
        "_diffusers_version": LIBRARY,
        "act_fn": "silu",
        "down_block_types": vec!["DownEncoderBlock2D"; levels],
        "up_block_types": vec!["UpDecoderBlock2D"; levels],
    });
    Ok(with(serde_json::to_value(vae)?, extra))
}

/// Writes what `tensors` has of `network` into the file `path` of its folder.
pub(crate) fn write_weights(
    path: &Path,
    network: &str,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<()> {
    let prefix = format!("{network}.");
    let below = |(name, tensor): (&String, &Tensor)| {
        let name = name.strip_prefix(&prefix)?.to_owned();
        Some((name, tensor.shallow_clone()))
    };
    let own: BTreeMap<String, Tensor> = tensors.iter().filter_map(below).collect();
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    state::write(path, &own, Kind::Half, &metadata)
}

/// Writes the bytes of `files` of one folder into another.
pub(crate) fn copy(from: &Path, to: &Path, files: &[&str]) -> Result<()> {
    for name in files {
        let bytes = i2am_files::read(from.join(name))?;
        i2am_files::write_atomic(to.join(name), &bytes)?;
    }
    Ok(())
}

/// Writes `tensors` under LDM names. The snapshot names the folder `base` next to it for what it lacks, and carries the sizes of its
/// `unet`, and of its autoencoder if it has one of its own.
pub(crate) fn write_snapshot(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    base: &Path,
    unet: &UNetConfig,
    vae: Option<&VaeConfig>,
) -> Result<()> {
    let name = base.file_name().and_then(OsStr::to_str);
    let name = name.with_context(|| format!("no folder name: {}", base.display()))?;
    let mut metadata = BTreeMap::from([
        ("format".to_owned(), "pt".to_owned()),
        (BASE_KEY.to_owned(), name.to_owned()),
        (config_key("unet"), serde_json::to_string(unet)?),
    ]);
    if let Some(vae) = vae {
        metadata.insert(config_key("vae"), serde_json::to_string(vae)?);
    }
    state::write(path, &to_ldm(tensors)?, Kind::Half, &metadata)
}
