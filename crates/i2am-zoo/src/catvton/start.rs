//! Where the UNet starts: drawn, then taken over from a Paint-by-Example as far as that has its tensors. The published model starts from
//! an inpainting model, too.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use i2am_nets::layout::Checkpoint;
use tch::{Kind, Tensor};

use crate::init;

/// The channels of the noisy latent, and of the masked one.
const LATENT: i64 = 4;

/// The start without a checkpoint: residual branches begin as nothing, and attention looks for what resembles the position that asks.
pub(super) fn draw(variables: &BTreeMap<String, Tensor>) {
    init::start_as_identity(variables, "unet.", &["conv2.weight", "proj_out.weight"]);
    init::start_alike(variables, "attn1.to_q.weight", "attn1.to_k.weight");
}

/// Copies what the UNet of `checkpoint`, a Paint-by-Example, has into `variables`; returns how many tensors were taken.
///
/// Its cross-attention is left out, and what stands in its place, the normalized input, starts at zero. Its input has the masked latent
/// before a mask that is 1 where the picture is kept; here a mask that is 1 where it is repainted comes first.
///
/// # Errors
/// A tensor of another shape.
pub(super) fn take_over(
    variables: &BTreeMap<String, Tensor>,
    checkpoint: &Checkpoint,
) -> Result<usize> {
    let _guard = tch::no_grad_guard();
    let mut taken = 0;
    let found = |name: &str, variable: &Tensor| {
        let found = checkpoint.tensor(name)?.to_kind(Kind::Float);
        ensure!(
            found.size() == variable.size(),
            "{}: tensor `{name}`: expected {:?}, found {:?}",
            checkpoint.path().display(),
            variable.size(),
            found.size()
        );
        Ok(found.to_device(variable.device()))
    };
    for (name, variable) in variables {
        if checkpoint.shape(name).is_none() {
            continue;
        }
        let value = found(name, variable)?;
        let value = if name.contains(".norm2.") && name.contains(".transformer_blocks.") {
            value.zeros_like()
        } else {
            value
        };
        variable.detach().copy_(&value);
        taken += 1;
    }
    let input = |name: &str| {
        let name = format!("unet.conv_in.{name}");
        let variable = variables.get(&name);
        variable.with_context(|| format!("the UNet has no tensor `{name}`"))
    };
    let (weight, bias) = (input("weight")?, input("bias")?);
    let (noisy, masked) = (
        weight.narrow(1, 0, LATENT),
        weight.narrow(1, LATENT, LATENT),
    );
    let keep = weight.narrow(1, 2 * LATENT, 1);
    // The mask is 1 less what it was.
    let every_kept = keep.sum_dim_intlist([1_i64, 2, 3].as_slice(), false, Kind::Float);
    let moved = Tensor::cat(&[&noisy, &-&keep, &masked], 1);
    bias.detach().copy_(&(bias + every_kept));
    weight.detach().copy_(&moved);
    Ok(taken)
}
