//! Configuration files of diffusers folders.

use std::path::Path;

use anyhow::Result;
use i2am_nets::unet::UNetConfig;
use serde_json::{Value, json};

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
