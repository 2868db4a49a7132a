//! Small rules that several families share.

use i2am_datasets::Sample;
use i2am_imaging::{GrayImage, RgbImage, pillow_bicubic_gray, pillow_bicubic_rgb};
use i2am_nets::NetError;
use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{Heads, UNetConfig};
use i2am_nets::vae::VaeConfig;
use tch::Tensor;

use super::Attends;
use crate::RunnerError;
use crate::schedule::{Schedule, TRAIN_STEPS};

/// Why attention to a text is not recorded.
pub(super) const PROMPT: Attends = Attends::Unrecorded("the keys are those of the prompt");
/// Why the attention at the lowest resolution is not recorded.
pub(super) const MIDDLE: Attends = Attends::Unrecorded(LEFT_OUT);
const LEFT_OUT: &str = "the published method leaves out the middle block";

/// Every cross-attention reads one token of the reference image; all are recorded but the one at the lowest resolution.
pub(super) fn one_token_in_cross_attention(_network: &str, layer: &str) -> Option<Attends> {
    match layer.rsplit_once('.')?.1 {
        "attn1" => Some(Attends::Own),
        "attn2" if layer.starts_with("mid_block.") => Some(MIDDLE),
        "attn2" => Some(Attends::Pooled),
        _ => None,
    }
}

/// Every self-attention reads positions of the reference image in addition to its own; all are recorded but the one at the lowest
/// resolution.
pub(super) fn positions_in_self_attention(layer: &str) -> Option<Attends> {
    match layer.rsplit_once('.')?.1 {
        "attn1" if layer.starts_with("mid_block.") => Some(Attends::UnrecordedPositions(LEFT_OUT)),
        "attn1" => Some(Attends::Positions),
        _ => None,
    }
}

/// Whether a guidance scale asks for a pass without the reference.
pub(super) fn is_guided(guidance: f64) -> bool {
    (guidance - 1.0).abs() > f64::EPSILON
}

/// `without + scale (with - without)` of the noise predicted in rows `[without, with]`, each half with a row for each of `samples`; of
/// rows under the reference alone, these.
pub(super) fn guided(rows: Tensor, samples: i64, scale: f64) -> Tensor {
    if rows.size()[0] == samples {
        return rows;
    }
    let halves = rows.chunk(2, 0);
    &halves[0] + (&halves[1] - &halves[0]) * scale
}

/// `x`, the rows of all samples of a batch, once for every row that a sample has in `rows`.
pub(super) fn for_rows(x: &Tensor, rows: i64) -> Tensor {
    x.repeat([rows / x.size()[0], 1, 1, 1])
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
///
/// # Errors
/// [`RunnerError::Setting`] for a number that does not divide the channels, be it given or that of published files.
pub(super) fn set_heads(
    (unet, given): (&mut UNetConfig, Option<i64>),
    (encoder, clip): (&mut ImageEncoderConfig, Option<i64>),
) -> Result<(), RunnerError> {
    if let Some(given) = given {
        unet.attention_head_dim = Heads::Same(given);
    }
    if let Some(given) = clip {
        encoder.num_attention_heads = given;
    }
    setting("model.unet_heads", unet.check_heads())?;
    setting("model.clip_heads", encoder.check_heads())
}

/// Whether the groups of normalizations, which no tensor tells, divide the channels.
///
/// # Errors
/// [`RunnerError::Setting`].
pub(super) fn check_groups(unet: &UNetConfig, vae: &VaeConfig) -> Result<(), RunnerError> {
    let checked = unet.check_groups().and_then(|()| vae.check_groups());
    setting("model.checkpoint", checked)
}

/// What was found wrong with numbers that no tensor tells, as an error about the setting `key`.
///
/// # Errors
/// [`RunnerError::Setting`].
pub(super) fn setting(key: &'static str, checked: Result<(), String>) -> Result<(), RunnerError> {
    checked.map_err(|found| RunnerError::Setting {
        key,
        expected: "numbers that divide the channels".to_owned(),
        found,
    })
}

/// What the image encoder gives the UNet: in words, and its width.
pub(super) fn tokens_of(encoder: &ImageEncoderConfig) -> (&'static str, i64) {
    (
        "`projection_dim` of the image encoder",
        encoder.projection_dim,
    )
}

/// Whether the networks of `checkpoint` fit each other: the UNet predicts latents of the autoencoder and reads `tokens`, in words and by
/// width.
///
/// # Errors
/// [`NetError::Config`] or [`NetError::Layout`] for the first that do not.
pub(super) fn fit(
    checkpoint: &Checkpoint,
    unet: &UNetConfig,
    vae: &VaeConfig,
    (tokens, width): (&str, i64),
) -> Result<(), NetError> {
    fit_latents(checkpoint, unet, vae)?;
    let found = unet.cross_attention_dim;
    agree(checkpoint, "cross_attention_dim", found, (tokens, width))
}

/// Whether the UNet of `checkpoint` predicts latents of its autoencoder.
///
/// # Errors
/// As [`fit`].
pub(super) fn fit_latents(
    checkpoint: &Checkpoint,
    unet: &UNetConfig,
    vae: &VaeConfig,
) -> Result<(), NetError> {
    let latent = ("`latent_channels` of the autoencoder", vae.latent_channels);
    agree(checkpoint, "out_channels", unet.out_channels, latent)
}

/// Whether `found`, which `key` says of the UNet, is what another network has, in words and by value.
fn agree(
    checkpoint: &Checkpoint,
    key: &str,
    found: i64,
    (other, expected): (&str, i64),
) -> Result<(), NetError> {
    if found == expected {
        return Ok(());
    }
    let reason = format!("`{key}` of the UNet: expected {expected}, as {other}, found {found}");
    Err(match checkpoint.config("unet") {
        Some(config) => config.refuse(reason),
        None => NetError::Layout {
            path: checkpoint.path().to_owned(),
            reason,
        },
    })
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

/// Image and mask at a model's size.
///
/// # Errors
/// [`RunnerError::MaskSize`].
pub(super) fn fitted(
    sample: &Sample,
    (height, width): (i64, i64),
) -> Result<(RgbImage, GrayImage), RunnerError> {
    let size = |(width, height): (u32, u32)| (height, width);
    let (expected, found) = (
        size(sample.image.dimensions()),
        size(sample.mask.dimensions()),
    );
    if expected != found {
        return Err(RunnerError::MaskSize {
            sample: sample.id.clone(),
            expected,
            found,
        });
    }
    if expected == (height as u32, width as u32) {
        return Ok((sample.image.clone(), sample.mask.clone()));
    }
    let (height, width) = (height as usize, width as usize);
    Ok((
        pillow_bicubic_rgb(&sample.image, height, width),
        pillow_bicubic_gray(&sample.mask, height, width),
    ))
}

/// The shorter edge brought to `side`, then the middle square: CLIP's own preparation.
pub(super) fn center(image: &RgbImage, side: u32) -> RgbImage {
    let Square { size, left, top } = Square::of(image.dimensions(), side);
    let resized = pillow_bicubic_rgb(image, size.0, size.1);
    RgbImage::from_fn(side, side, |x, y| *resized.get_pixel(left + x, top + y))
}

/// The part of a mask that [`center`] takes of its image.
pub(super) fn center_gray(mask: &GrayImage, side: u32) -> GrayImage {
    let Square { size, left, top } = Square::of(mask.dimensions(), side);
    let resized = pillow_bicubic_gray(mask, size.0, size.1);
    GrayImage::from_fn(side, side, |x, y| *resized.get_pixel(left + x, top + y))
}

/// The middle square of a resized image.
struct Square {
    /// Height and width of the resized image.
    size: (usize, usize),
    left: u32,
    top: u32,
}

impl Square {
    fn of((width, height): (u32, u32), side: u32) -> Self {
        let short = width.min(height);
        // The library cuts the longer edge down to whole pixels.
        let scaled = |edge: u32| (u64::from(side) * u64::from(edge) / u64::from(short)) as u32;
        let (new_width, new_height) = (scaled(width), scaled(height));
        Self {
            size: (new_height as usize, new_width as usize),
            left: (new_width - side) / 2,
            top: (new_height - side) / 2,
        }
    }
}
