//! Pictures to tensors and back.

use i2am_imaging::{GrayImage, RgbImage};
use tch::{Kind, Tensor};

/// `[3, H, W]` bytes.
pub(crate) fn from_rgb(image: &RgbImage) -> Tensor {
    let (width, height) = image.dimensions();
    Tensor::from_slice(image.as_raw())
        .reshape([i64::from(height), i64::from(width), 3])
        .permute([2, 0, 1])
        .contiguous()
}

/// `[1, H, W]` bytes.
pub(crate) fn from_gray(image: &GrayImage) -> Tensor {
    let (width, height) = image.dimensions();
    Tensor::from_slice(image.as_raw()).reshape([1, i64::from(height), i64::from(width)])
}

/// `[3, H, W]` about `[-1, 1]` to a picture, clamped and rounded.
pub(crate) fn to_rgb(x: &Tensor) -> RgbImage {
    let size = x.size();
    let bytes = (((x.to_kind(Kind::Float) + 1.0) * 127.5)
        .clamp(0.0, 255.0)
        .round())
    .to_kind(Kind::Uint8);
    let bytes = bytes
        .permute([1, 2, 0])
        .contiguous()
        .view(-1)
        .to_device(tch::Device::Cpu);
    let raw: Vec<u8> = Vec::try_from(bytes).expect("a flat byte tensor is a byte vector");
    RgbImage::from_raw(size[2] as u32, size[1] as u32, raw)
        .expect("3 bytes for each of the H x W pixels")
}

/// Bytes to `[-1, 1]`.
pub(crate) fn signed(x: &Tensor) -> Tensor {
    x.to_kind(Kind::Float) / 127.5 - 1.0
}
