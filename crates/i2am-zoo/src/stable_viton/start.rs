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
/// As the published model starts from Paint-by-Example: a UNet with fewer input channels gets zeros for the new ones, which come
/// last, and a control model that is not there starts as the UNet's encoder.
///
/// # Errors
/// A tensor of another shape, but for input channels.
pub(super) fn take_over(
    variables: &BTreeMap<String, Tensor>,
    checkpoint: &Checkpoint,
) -> Result<TakenOver> {
    let _guard = tch::no_grad_guard();
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
        let (found_size, size) = (found.size(), variable.size());
        let is_input = source == "unet.conv_in.weight"
            && found_size[0] == size[0]
            && found_size[2..] == size[2..]
            && found_size[1] <= size[1];
        ensure!(
            found_size == size || is_input,
            "{}: tensor `{source}`: expected {size:?}, found {found_size:?}",
            checkpoint.path().display()
        );
        let target = variable.detach();
        if is_input {
            let _ = target.shallow_clone().zero_();
            target.narrow(1, 0, found_size[1]).copy_(&found);
        } else {
            target.shallow_clone().copy_(&found);
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests;
