//! Small rules that several families share.

use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{Heads, UNetConfig};
use tch::Tensor;

use crate::RunnerError;
use crate::schedule::{Schedule, TRAIN_STEPS};

/// Layers that are recorded: every cross-attention but the one at the lowest resolution, as in the published method.
pub(super) fn all_but_the_middle(layer: &str) -> bool {
    !layer.starts_with("mid_block.")
}

/// Whether a guidance scale asks for a pass without the reference.
pub(super) fn is_guided(guidance: f64) -> bool {
    (guidance - 1.0).abs() > f64::EPSILON
}

/// Height and width of a generated picture.
///
/// # Errors
/// [`RunnerError::Setting`] unless both are positive multiples of `multiple`.
pub(super) fn checked_size(
    [height, width]: [i64; 2],
    multiple: i64,
) -> Result<(i64, i64), RunnerError> {
    if height <= 0 || width <= 0 || height % multiple != 0 || width % multiple != 0 {
        return Err(RunnerError::Setting {
            key: "model.size",
            expected: format!("[height, width] in multiples of {multiple}"),
            found: format!("[{height}, {width}]"),
        });
    }
    Ok((height, width))
}

/// Sets the numbers of attention heads, which the shapes of tensors do not show, where settings give them.
pub(super) fn set_heads(
    (unet, given): (&mut UNetConfig, Option<i64>),
    (encoder, clip): (&mut ImageEncoderConfig, Option<i64>),
) {
    if let Some(heads) = given {
        unet.attention_head_dim = Heads::Same(heads);
    }
    if let Some(heads) = clip {
        encoder.num_attention_heads = heads;
    }
}

/// Whether `checkpoint` holds an autoencoder and a UNet that takes as many channels as `inputs` says of the latent's.
///
/// # Errors
/// What is there instead.
pub(super) fn has_unet(checkpoint: &Checkpoint, inputs: fn(i64) -> i64) -> Result<(), String> {
    let axis = |name: &str, axis: usize| checkpoint.shape(name)?.get(axis).copied();
    let found = axis("unet.conv_in.weight", 1);
    let latent = axis("vae.post_quant_conv.weight", 0);
    let (Some(found), Some(latent)) = (found, latent) else {
        return Err("no UNet with an autoencoder".to_owned());
    };
    let expected = inputs(latent);
    if found == expected {
        Ok(())
    } else {
        Err(format!(
            "a UNet with {found} input channels instead of {expected}"
        ))
    }
}

/// Whether `checkpoint` holds an encoder of the reference that has a token for no reference.
///
/// # Errors
/// That it does not.
pub(super) fn has_image_encoder(checkpoint: &Checkpoint) -> Result<(), String> {
    match checkpoint.shape("image_encoder.uncond_vector") {
        Some(_) => Ok(()),
        None => Err("no image encoder with an unconditional vector".to_owned()),
    }
}

/// A clean latent noised to the last timestep of training: where sampling starts that does not start from pure noise.
///
/// The first model call is at an earlier timestep, as in the published code.
pub(super) fn noised(clean: &Tensor, noise: &Tensor) -> Tensor {
    let alpha = Schedule::default().alpha(TRAIN_STEPS - 1);
    clean * alpha.sqrt() + noise * (1.0 - alpha).sqrt()
}
