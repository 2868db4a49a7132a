//! From LDM names to diffusers names.

use std::collections::BTreeSet;

use super::View;

/// LDM's and diffusers' names at both ends of a UNet.
pub(super) const UNET_ENDS: [(&str, &str); 5] = [
    ("time_embed.0.", "time_embedding.linear_1."),
    ("time_embed.2.", "time_embedding.linear_2."),
    ("input_blocks.0.0.", "conv_in."),
    ("out.0.", "conv_norm_out."),
    ("out.2.", "conv_out."),
];

/// In a residual block of a UNet.
pub(super) const RESNET: [(&str, &str); 6] = [
    ("in_layers.0.", "norm1."),
    ("in_layers.2.", "conv1."),
    ("emb_layers.1.", "time_emb_proj."),
    ("out_layers.0.", "norm2."),
    ("out_layers.3.", "conv2."),
    ("skip_connection.", "conv_shortcut."),
];

/// In the autoencoder's attention; all but the normalization, which is no convolution.
pub(super) const VAE_ATTENTION: [(&str, &str); 4] = [
    ("q.", "to_q."),
    ("k.", "to_k."),
    ("v.", "to_v."),
    ("proj_out.", "to_out.0."),
];

/// In a block of the mapper; all but queries, keys and values, which are one tensor.
pub(super) const MAPPER: [(&str, &str); 5] = [
    ("attn.c_proj.", "attn1.to_out.0."),
    ("ln_1.", "norm1."),
    ("ln_2.", "norm3."),
    ("mlp.c_fc.", "ff.net.0.proj."),
    ("mlp.c_proj.", "ff.net.2."),
];

/// Counts that the numbered blocks of an LDM checkpoint do not say by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Levels {
    /// Residual blocks per level of the UNet on the way down.
    pub(super) unet_layers: usize,
    pub(super) unet: usize,
    pub(super) vae: usize,
}

impl Levels {
    /// The UNet's from the place of its first downsampling (`input_blocks.N.0.op`) and the number of them, the
    /// autoencoder's from its decoder. A control model repeats the UNet's way down, so that either tells.
    pub(super) fn of(names: impl Iterator<Item = String>) -> Self {
        let mut downsamplings = BTreeSet::new();
        let mut last = 1;
        let mut vae = 0;
        for name in names {
            let encoder = ["model.diffusion_model.", "control_model."]
                .iter()
                .find_map(|network| name.strip_prefix(network)?.strip_prefix("input_blocks."));
            if let Some(rest) = encoder {
                let Some((number, rest)) = split_number(rest) else {
                    continue;
                };
                last = last.max(number);
                if rest == "0.op.weight" {
                    downsamplings.insert(number);
                }
            } else if let Some(rest) = name.strip_prefix("first_stage_model.decoder.up.") {
                vae = vae.max(split_number(rest).map_or(0, |(level, _)| level + 1));
            }
        }
        let unet_layers = downsamplings
            .first()
            .map_or(last, |first| first.saturating_sub(1))
            .max(1);
        Self {
            unet_layers,
            unet: downsamplings.len() + 1,
            vae,
        }
    }
}

/// Blocks that a network may be numbered up to; published ones have some ten.
const MAX_NUMBER: usize = 999;

/// `"12.rest"` to `(12, "rest")`; a larger number than any network has is no number of a block.
pub(super) fn split_number(text: &str) -> Option<(usize, &str)> {
    let (number, rest) = text.split_once('.')?;
    let number = number.parse().ok()?;
    (number <= MAX_NUMBER).then_some((number, rest))
}

/// Tensors of published files that no network reads at inference.
pub(super) fn is_ballast(name: &str) -> bool {
    const BUFFERS: [&str; 14] = [
        "betas",
        "alphas_cumprod",
        "alphas_cumprod_prev",
        "sqrt_alphas_cumprod",
        "sqrt_one_minus_alphas_cumprod",
        "log_one_minus_alphas_cumprod",
        "sqrt_recip_alphas_cumprod",
        "sqrt_recipm1_alphas_cumprod",
        "posterior_variance",
        "posterior_log_variance_clipped",
        "posterior_mean_coef1",
        "posterior_mean_coef2",
        "lvlb_weights",
        "logvar",
    ];
    const TRAINING_ONLY: [&str; 4] = ["model_ema.", "vgg.", "lastzc.", "first_stage_model.loss."];
    BUFFERS.contains(&name)
        || TRAINING_ONLY.iter().any(|prefix| name.starts_with(prefix))
        || name.ends_with("position_ids")
}

/// Every full diffusers name that the LDM tensor `name` provides; none if it is unknown.
pub(super) fn rename(name: &str, levels: &Levels) -> Vec<(String, View)> {
    if name.ends_with("position_ids") {
        return Vec::new();
    }
    let whole = |name: Option<String>| name.map(|name| (name, View::Whole)).into_iter().collect();
    if let Some(rest) = name.strip_prefix("model.diffusion_model.") {
        return whole(unet(rest, levels).map(|name| format!("unet.{name}")));
    }
    if let Some(rest) = name.strip_prefix("control_model.") {
        return whole(control(rest, levels).map(|name| format!("control_model.{name}")));
    }
    if let Some(rest) = name.strip_prefix("first_stage_model.") {
        return vae(rest, levels.vae)
            .map(|(name, view)| (format!("vae.{name}"), view))
            .into_iter()
            .collect();
    }
    if let Some(rest) = name.strip_prefix("cond_stage_model.transformer.") {
        return whole(Some(format!("image_encoder.model.{rest}")));
    }
    if let Some(rest) = name.strip_prefix("cond_stage_model.mapper.resblocks.") {
        return mapper(rest);
    }
    if let Some(rest) = name.strip_prefix("cond_stage_model.final_ln.") {
        return whole(Some(format!("image_encoder.final_layer_norm.{rest}")));
    }
    if name.starts_with("proj_out.") {
        return whole(Some(format!("image_encoder.{name}")));
    }
    if name == "learnable_vector" {
        return whole(Some("image_encoder.uncond_vector".to_owned()));
    }
    // A setting that LDM keeps among the tensors where it was measured rather than given.
    if name == "scale_factor" {
        return whole(Some(format!("vae.{name}")));
    }
    Vec::new()
}

fn unet(name: &str, levels: &Levels) -> Option<String> {
    if let Some(name) = renamed(name, &UNET_ENDS) {
        return Some(name);
    }
    if let Some(rest) = name.strip_prefix("input_blocks.") {
        let (number, rest) = split_number(rest).filter(|(number, _)| *number > 0)?;
        let per_level = levels.unet_layers + 1;
        let (block, layer) = ((number - 1) / per_level, (number - 1) % per_level);
        if let Some(rest) = rest.strip_prefix("0.op.") {
            return Some(format!("down_blocks.{block}.downsamplers.0.conv.{rest}"));
        }
        return in_block(&format!("down_blocks.{block}"), layer, rest);
    }
    if let Some(rest) = name.strip_prefix("middle_block.") {
        let (part, rest) = split_number(rest)?;
        return match part {
            0 | 2 => Some(format!("mid_block.resnets.{}.{}", part / 2, resnet(rest)?)),
            1 => Some(format!("mid_block.attentions.0.{rest}")),
            _ => None,
        };
    }
    // Warp blocks have no counterpart in the diffusers library and are numbered in forward order already.
    if name.starts_with("warp_flow_blks.") || name.starts_with("warp_zero_convs.") {
        return Some(name.to_owned());
    }
    let (number, rest) = split_number(name.strip_prefix("output_blocks.")?)?;
    let per_level = levels.unet_layers + 1;
    let (block, layer) = (number / per_level, number % per_level);
    if block >= levels.unet {
        return None;
    }
    // The upsampling comes after the residual block, and after the transformer where there is one.
    for place in ["1.conv.", "2.conv."] {
        if let Some(rest) = rest.strip_prefix(place) {
            return Some(format!("up_blocks.{block}.upsamplers.0.conv.{rest}"));
        }
    }
    in_block(&format!("up_blocks.{block}"), layer, rest)
}

/// The control model's blocks are counted as the UNet's.
fn control(name: &str, levels: &Levels) -> Option<String> {
    match name.strip_prefix("cond_first_block.0.") {
        Some(rest) => Some(format!("cond_first_block.{rest}")),
        None => unet(name, levels),
    }
}

/// `0.*` is the residual block of a layer, `1.*` its transformer.
fn in_block(block: &str, layer: usize, rest: &str) -> Option<String> {
    let (part, rest) = split_number(rest)?;
    match part {
        0 => Some(format!("{block}.resnets.{layer}.{}", resnet(rest)?)),
        1 => Some(format!("{block}.attentions.{layer}.{rest}")),
        _ => None,
    }
}

fn resnet(name: &str) -> Option<String> {
    renamed(name, &RESNET)
}

/// `name` with the beginning that `table` has on the left replaced by what it has on the right.
pub(super) fn renamed(name: &str, table: &[(&str, &str)]) -> Option<String> {
    table.iter().find_map(|(ldm, diffusers)| {
        name.strip_prefix(ldm)
            .map(|rest| format!("{diffusers}{rest}"))
    })
}

fn vae(name: &str, levels: usize) -> Option<(String, View)> {
    if name.starts_with("quant_conv.") || name.starts_with("post_quant_conv.") {
        return Some((name.to_owned(), View::Whole));
    }
    let (half, rest) = name.split_once('.')?;
    if half != "encoder" && half != "decoder" {
        return None;
    }
    let whole = |name: String| Some((format!("{half}.{name}"), View::Whole));
    if rest.starts_with("conv_in.") || rest.starts_with("conv_out.") {
        return whole(rest.to_owned());
    }
    if let Some(rest) = rest.strip_prefix("norm_out.") {
        return whole(format!("conv_norm_out.{rest}"));
    }
    let shortcut = |rest: &str| rest.replace("nin_shortcut", "conv_shortcut");
    if let Some(rest) = rest.strip_prefix("mid.") {
        return if let Some(rest) = rest.strip_prefix("block_1.") {
            whole(format!("mid_block.resnets.0.{}", shortcut(rest)))
        } else if let Some(rest) = rest.strip_prefix("block_2.") {
            whole(format!("mid_block.resnets.1.{}", shortcut(rest)))
        } else {
            mid_attention(rest.strip_prefix("attn_1.")?)
                .map(|(name, view)| (format!("{half}.mid_block.{name}"), view))
        };
    }
    let (side, rest) = rest.split_once('.')?;
    let (level, rest) = split_number(rest)?;
    let block = match side {
        "down" => format!("down_blocks.{level}"),
        // The LDM decoder counts its levels from the highest resolution, diffusers from the lowest.
        "up" => format!("up_blocks.{}", levels.checked_sub(level + 1)?),
        _ => return None,
    };
    if let Some(rest) = rest.strip_prefix("downsample.conv.") {
        return whole(format!("{block}.downsamplers.0.conv.{rest}"));
    }
    if let Some(rest) = rest.strip_prefix("upsample.conv.") {
        return whole(format!("{block}.upsamplers.0.conv.{rest}"));
    }
    whole(format!(
        "{block}.resnets.{}",
        shortcut(rest.strip_prefix("block.")?)
    ))
}

fn mid_attention(name: &str) -> Option<(String, View)> {
    if let Some(rest) = name.strip_prefix("norm.") {
        return Some((format!("attentions.0.group_norm.{rest}"), View::Whole));
    }
    let name = renamed(name, &VAE_ATTENTION)?;
    Some((format!("attentions.0.{name}"), View::Squeeze))
}

fn mapper(name: &str) -> Vec<(String, View)> {
    let Some((block, rest)) = split_number(name) else {
        return Vec::new();
    };
    let block = format!("image_encoder.mapper.blocks.{block}");
    if let Some(rest) = rest.strip_prefix("attn.c_qkv.") {
        let part = |(part, name): (i64, &str)| {
            (format!("{block}.attn1.{name}.{rest}"), View::Third { part })
        };
        return [(0, "to_q"), (1, "to_k"), (2, "to_v")].map(part).to_vec();
    }
    renamed(rest, &MAPPER)
        .map(|name| (format!("{block}.{name}"), View::Whole))
        .into_iter()
        .collect()
}
