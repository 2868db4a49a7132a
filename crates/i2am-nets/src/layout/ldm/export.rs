//! From diffusers names to LDM names: the way back of `names`.

use std::collections::BTreeMap;

use tch::Tensor;

use super::names::{
    Levels, MAPPER, RESNET, UNET_ENDS, VAE_ATTENTION, renamed as forward, split_number,
};
use crate::NetError;

/// `tensors` by their full names in the spelling used here, as one LDM file holds them; the other way round from
/// [`crate::layout::Checkpoint::open`]. For models that are trained here and known elsewhere by LDM names only.
///
/// # Errors
/// [`NetError::NoLdmName`] for the first name that LDM has none for, or a part of the mapper's attention that is lacking.
pub fn to_ldm(tensors: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>, NetError> {
    let count = |prefix: &str| {
        let child = |i: usize| {
            let start = format!("{prefix}.{i}.");
            tensors.keys().any(|name| name.starts_with(&start))
        };
        (0..usize::MAX).take_while(|&i| child(i)).count()
    };
    let levels = Levels {
        unet_layers: count("unet.down_blocks.0.resnets"),
        unet: count("unet.down_blocks"),
        vae: count("vae.decoder.up_blocks"),
    };
    let has = |prefix: &str| tensors.keys().any(|name| name.starts_with(prefix));
    let mut stored = BTreeMap::new();
    for (name, tensor) in tensors {
        if let Some((whole, part)) = third(name) {
            if part == 0 {
                let rows = ["to_q", "to_k", "to_v"].map(|other| name.replace("to_q", other));
                let rows = rows
                    .iter()
                    .map(|row| tensors.get(row).ok_or_else(|| no_name(row)));
                let rows: Vec<&Tensor> = rows.collect::<Result<_, _>>()?;
                stored.insert(whole, Tensor::cat(&rows, 0));
            }
            continue;
        }
        let place = place(name, &levels, &has).ok_or_else(|| no_name(name))?;
        // Autoencoders store linear layers of their attention as 1 x 1 convolutions.
        let is_linear = name.starts_with("vae.") && name.contains(".attentions.");
        let tensor = match tensor.size()[..] {
            [outputs, inputs] if is_linear => tensor.reshape([outputs, inputs, 1, 1]),
            _ => tensor.shallow_clone(),
        };
        stored.insert(place, tensor);
    }
    Ok(stored)
}

fn no_name(tensor: &str) -> NetError {
    NetError::NoLdmName {
        tensor: tensor.to_owned(),
    }
}

/// Where queries, keys and values of a mapper's block are stored as one, and which of them `name` is.
fn third(name: &str) -> Option<(String, usize)> {
    let rest = name.strip_prefix("image_encoder.mapper.blocks.")?;
    let (block, rest) = rest.split_once(".attn1.to_")?;
    let (part, kind) = rest.split_once('.')?;
    let part = ["q", "k", "v"].iter().position(|other| *other == part)?;
    let whole = format!("cond_stage_model.mapper.resblocks.{block}.attn.c_qkv.{kind}");
    Some((whole, part))
}

fn place(name: &str, levels: &Levels, has: &dyn Fn(&str) -> bool) -> Option<String> {
    let (network, rest) = name.split_once('.')?;
    match network {
        "unet" => unet(rest, levels, has).map(|name| format!("model.diffusion_model.{name}")),
        "control_model" => {
            let name = match rest.strip_prefix("cond_first_block.") {
                Some(rest) => format!("cond_first_block.0.{rest}"),
                None => unet(rest, levels, has)?,
            };
            Some(format!("control_model.{name}"))
        }
        "vae" if rest == "scale_factor" => Some(rest.to_owned()),
        "vae" => vae(rest, levels.vae).map(|name| format!("first_stage_model.{name}")),
        "image_encoder" => image_encoder(rest),
        _ => None,
    }
}

/// [`forward`] from right to left.
fn backward(name: &str, table: &[(&str, &str)]) -> Option<String> {
    let turned: Vec<(&str, &str)> = table.iter().map(|&(ldm, new)| (new, ldm)).collect();
    forward(name, &turned)
}

fn unet(name: &str, levels: &Levels, has: &dyn Fn(&str) -> bool) -> Option<String> {
    if name.starts_with("warp_") {
        return Some(name.to_owned());
    }
    if let Some(name) = backward(name, &UNET_ENDS) {
        return Some(name);
    }
    let per_level = levels.unet_layers + 1;
    if let Some(rest) = name.strip_prefix("mid_block.resnets.") {
        let (number, rest) = split_number(rest)?;
        return Some(format!(
            "middle_block.{}.{}",
            2 * number,
            backward(rest, &RESNET)?
        ));
    }
    if let Some(rest) = name.strip_prefix("mid_block.attentions.0.") {
        return Some(format!("middle_block.1.{rest}"));
    }
    let (side, rest) = name.split_once('.')?;
    let (block, rest) = split_number(rest)?;
    let (kind, rest) = rest.split_once('.')?;
    let (layer, rest) = split_number(rest)?;
    let (first, ldm) = match side {
        "down_blocks" => (1, "input_blocks"),
        "up_blocks" => (0, "output_blocks"),
        _ => return None,
    };
    let start = block * per_level + first;
    match kind {
        "resnets" => Some(format!(
            "{ldm}.{}.0.{}",
            start + layer,
            backward(rest, &RESNET)?
        )),
        "attentions" => Some(format!("{ldm}.{}.1.{rest}", start + layer)),
        "downsamplers" => {
            let rest = rest.strip_prefix("conv.")?;
            Some(format!("{ldm}.{}.0.op.{rest}", start + levels.unet_layers))
        }
        "upsamplers" => {
            let after = 1 + usize::from(has(&format!("unet.up_blocks.{block}.attentions.")));
            Some(format!(
                "{ldm}.{}.{after}.{rest}",
                start + levels.unet_layers
            ))
        }
        _ => None,
    }
}

fn vae(name: &str, levels: usize) -> Option<String> {
    if name.starts_with("quant_conv.") || name.starts_with("post_quant_conv.") {
        return Some(name.to_owned());
    }
    let (half, rest) = name.split_once('.')?;
    let below = if let Some(rest) = rest.strip_prefix("conv_norm_out.") {
        format!("norm_out.{rest}")
    } else if let Some(rest) = rest.strip_prefix("mid_block.resnets.") {
        let (number, rest) = split_number(rest)?;
        format!("mid.block_{}.{rest}", number + 1)
    } else if let Some(rest) = rest.strip_prefix("mid_block.attentions.0.") {
        match rest.strip_prefix("group_norm.") {
            Some(rest) => format!("mid.attn_1.norm.{rest}"),
            None => format!("mid.attn_1.{}", backward(rest, &VAE_ATTENTION)?),
        }
    } else if let Some((side, rest)) = rest.split_once("_blocks.") {
        let (number, rest) = split_number(rest)?;
        let level = match side {
            "down" => number,
            "up" => levels.checked_sub(number + 1)?,
            _ => return None,
        };
        let rest = backward(
            rest,
            &[
                ("block.", "resnets."),
                ("downsample.", "downsamplers.0."),
                ("upsample.", "upsamplers.0."),
            ],
        )?;
        format!("{side}.{level}.{rest}")
    } else {
        rest.to_owned()
    };
    Some(format!(
        "{half}.{}",
        below.replace("conv_shortcut", "nin_shortcut")
    ))
}

fn image_encoder(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("mapper.blocks.") {
        let (block, rest) = split_number(rest)?;
        let rest = backward(rest, &MAPPER)?;
        return Some(format!("cond_stage_model.mapper.resblocks.{block}.{rest}"));
    }
    let whole = [
        ("cond_stage_model.transformer.", "model."),
        ("cond_stage_model.final_ln.", "final_layer_norm."),
        ("proj_out.", "proj_out."),
        ("learnable_vector", "uncond_vector"),
    ];
    backward(name, &whole)
}
