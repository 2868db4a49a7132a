//! Pictures to tensors and back, in the ways the published code does it.

use i2am_imaging::{GrayImage, RgbImage};
use i2am_nets::levels::OF_CLIP;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// The bytes of a picture, `[1, 3, H, W]`, on the CPU.
pub fn bytes(image: &RgbImage) -> Tensor {
    let (width, height) = image.dimensions();
    Tensor::from_slice(image.as_raw())
        .reshape([1, i64::from(height), i64::from(width), 3])
        .permute([0, 3, 1, 2])
        .contiguous()
}

/// The same, f32 in 0 to 255.
fn levels(image: &RgbImage) -> Tensor {
    bytes(image).to_kind(Kind::Float)
}

/// `[1, 3, H, W]` f32 in `[-1, 1]`.
pub fn signed(image: &RgbImage) -> Tensor {
    (levels(image) / 255.0 - 0.5) / 0.5
}

/// [`signed`] in the arithmetic of `StableVITON`'s reader, which differs in the last bit: `level / 127.5 - 1`.
pub fn centered(image: &RgbImage) -> Tensor {
    levels(image) / 127.5 - 1.0
}

/// `[1, 3, H, W]` f32, normalized per channel as CLIP's input.
pub fn clip_normalised(image: &RgbImage) -> Tensor {
    clip_normalise(&levels(image))
}

/// Levels `[batch, 3, H, W]` in 0 to 255, f32, normalized per channel as CLIP's input.
pub fn clip_normalise(levels: &Tensor) -> Tensor {
    clip_normalise_unit(&(levels / 255.0))
}

/// [`clip_normalise`] of values in `[0, 1]`.
pub fn clip_normalise_unit(unit: &Tensor) -> Tensor {
    let axis = |values: &[f32; 3]| {
        Tensor::from_slice(values)
            .reshape([1, 3, 1, 1])
            .to_device(unit.device())
    };
    (unit - axis(&OF_CLIP.mean)) / axis(&OF_CLIP.deviation)
}

/// `[1, 1, H, W]` f32 in `[0, 1]`.
pub fn unit(mask: &GrayImage) -> Tensor {
    let (width, height) = mask.dimensions();
    let flat = Tensor::from_slice(mask.as_raw()).to_kind(Kind::Float);
    flat.reshape([1, 1, i64::from(height), i64::from(width)]) / 255.0
}

/// How a decoded value becomes a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantise {
    /// Cut off, as the latent diffusion scripts do.
    Truncate,
    /// To the nearest, as the diffusers library does.
    Round,
}

/// A decoded `[1, 3, H, W]` in `[-1, 1]`, clamped, as a picture.
///
/// # Panics
/// If `decoded` has another shape.
pub fn to_rgb(decoded: &Tensor, quantise: Quantise) -> RgbImage {
    let unit = (decoded.to_device(Device::Cpu).to_kind(Kind::Float) + 1.0) / 2.0;
    unit_to_rgb(&unit.clamp(0.0, 1.0), quantise)
}

/// A `[1, 3, H, W]` in `[0, 1]`, f32 on the CPU, as a picture.
///
/// # Panics
/// If `unit` has another shape.
pub fn unit_to_rgb(unit: &Tensor, quantise: Quantise) -> RgbImage {
    let levels = unit * 255.0;
    let levels = match quantise {
        Quantise::Truncate => levels.floor(),
        Quantise::Round => levels.round(),
    };
    from_levels(&levels)
}

/// `painted` with the pixels of `original` put back where `keep` `[1, 1, H, W]` is 1, mixed where it is between 0 and 1, truncated.
///
/// # Panics
/// If the sizes differ.
pub fn put_back(original: &RgbImage, painted: &RgbImage, keep: &Tensor) -> RgbImage {
    let (width, height) = painted.dimensions();
    let keep = keep.to_device(Device::Cpu).to_kind(Kind::Float);
    let keep = keep.expand([1, 3, i64::from(height), i64::from(width)], false);
    let mixed = levels(original) * &keep + levels(painted) * (-&keep + 1.0);
    from_levels(&mixed)
}

/// Levels `[1, 3, H, W]` in 0 to 255, truncated to bytes, as a picture.
///
/// # Panics
/// If `levels` has another shape.
pub fn from_levels(levels: &Tensor) -> RgbImage {
    let size = levels.size();
    let flat = levels
        .to_kind(Kind::Uint8)
        .to_device(Device::Cpu)
        .permute([0, 2, 3, 1])
        .contiguous()
        .view(-1);
    let raw: Vec<u8> = Vec::try_from(flat).expect("a flat byte tensor is a byte vector");
    RgbImage::from_raw(size[3] as u32, size[2] as u32, raw)
        .expect("3 bytes for each of the H x W pixels")
}
