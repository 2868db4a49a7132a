//! Levels of pictures as bytes, which training sets are held as.

use i2am_imaging::RgbImage;
use tch::{Kind, Tensor};

/// `[3, H, W]` bytes.
pub(crate) fn from_rgb(image: &RgbImage) -> Tensor {
    let (width, height) = image.dimensions();
    Tensor::from_slice(image.as_raw())
        .reshape([i64::from(height), i64::from(width), 3])
        .permute([2, 0, 1])
        .contiguous()
}

/// Bytes to `[-1, 1]`.
pub(crate) fn signed(x: &Tensor) -> Tensor {
    x.to_kind(Kind::Float) / 127.5 - 1.0
}
