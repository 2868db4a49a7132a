//! Where the trained networks start: drawn, then taken over from a checkpoint as far as it has them.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use i2am_nets::layout::Checkpoint;
use tch::{Kind, Tensor};

use crate::init;

/// The start without a checkpoint: residual branches begin as nothing, and so do the convolutions behind the warp blocks. What lies
/// before those is drawn: behind a second and third zero the garment would wait for its first gradient.
pub(super) fn draw(variables: &BTreeMap<String, Tensor>) {
    for network in ["unet.", "control_model."] {
        init::start_as_identity(variables, network, &["conv2.weight", "proj_out.weight"]);
    }
    init::start_drawn(variables, |name| {
        let is_warp = name.starts_with("unet.warp_flow_blks.") && name.ends_with("proj_out.weight");
        is_warp || name == "control_model.cond_first_block.weight"
    });
}

/// How many tensors came from where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TakenOver {
    /// The checkpoint's own.
    pub(super) whole: usize,
    /// Tensors of the control model from the checkpoint's UNet.
    pub(super) from_unet: usize,
    /// Not in the checkpoint.
    pub(super) left: usize,
}

/// Copies what `checkpoint` has into `variables`.
///
/// As the published model starts from Paint-by-Example: a UNet with fewer input channels gets zeros for the new ones, and a control model that
/// is not there starts as the UNet's encoder. Latents may have more channels than those of the checkpoint, whose channels are then the first
/// ones; the others begin with zeros too.
///
/// # Errors
/// A tensor of another shape, but for these channels.
pub(super) fn take_over(
    variables: &BTreeMap<String, Tensor>,
    checkpoint: &Checkpoint,
) -> Result<TakenOver> {
    const OUTPUT: &str = "unet.conv_out.weight";
    let _guard = tch::no_grad_guard();
    let before = checkpoint.shape(OUTPUT).map_or(0, |size| size[0]);
    let after = variables.get(OUTPUT).map_or(before, |v| v.size()[0]);
    let mut taken = TakenOver::default();
    for (name, variable) in variables {
        let in_unet = name
            .strip_prefix("control_model.")
            .map(|rest| format!("unet.{rest}"));
        let (source, count) = if checkpoint.shape(name).is_some() {
            (name.clone(), &mut taken.whole)
        } else if let Some(unet) = in_unet.filter(|unet| checkpoint.shape(unet).is_some()) {
            (unet, &mut taken.from_unet)
        } else {
            taken.left += 1;
            continue;
        };
        *count += 1;
        let found = checkpoint.tensor(&source)?.to_kind(Kind::Float);
        let size = variable.size();
        let widened = widened(&source, &found, &size, [before, after]);
        ensure!(
            widened.size() == size,
            "{}: tensor `{source}`: expected {size:?}, found {:?}",
            checkpoint.path().display(),
            found.size()
        );
        variable.detach().copy_(&widened);
    }
    Ok(taken)
}

/// The tensor `found` of the name `source` with as many channels of latents as `size` has, if that is where they are: latents have `before`
/// channels in the checkpoint and `after` in training.
fn widened(source: &str, found: &Tensor, size: &[i64], [before, after]: [i64; 2]) -> Tensor {
    let axis = match source {
        "unet.conv_out.weight" | "unet.conv_out.bias" => 0,
        "unet.conv_in.weight"
        | "control_model.conv_in.weight"
        | "control_model.cond_first_block.weight" => 1,
        _ => return found.shallow_clone(),
    };
    // The input: noisy latents, those of the masked picture, the mask, and those of the body parts.
    let blocks = [
        (before, 0),
        (before, after),
        (1, 2 * after),
        (before, 2 * after + 1),
    ];
    let places = blocks
        .into_iter()
        .flat_map(|(count, start)| start..start + count);
    let places: Vec<i64> = places.take(found.size()[axis] as usize).collect();
    let fits =
        places.len() as i64 == found.size()[axis] && places.iter().all(|place| *place < size[axis]);
    if !fits {
        return found.shallow_clone();
    }
    init::spread(found, axis as i64, &places, size[axis])
}

#[cfg(test)]
mod tests;
