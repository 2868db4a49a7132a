//! Resizes, each named after the library whose numbers it gives.
//!
//! | function | source coordinate | filter | when shrinking |
//! |---|---|---|---|
//! | [`torch_bicubic`] | half-pixel centers | cubic, a = -0.75 | 4 x 4 taps, aliases |
//! | [`torch_bilinear`] | half-pixel centers | linear | 2 x 2 taps, aliases |
//! | [`tensorflow_bilinear`] | `out * in_size / out_size` | linear | 2 x 2 taps, aliases |
//! | [`torch_adaptive_average`] | whole input values under each output value | mean | all values under it |
//! | [`torch_nearest`] | `floor(out * in_size / out_size)`, top left of a block | one value | skips values |
//! | [`pillow_bicubic_rgb`], [`pillow_bicubic_gray`] | half-pixel centers | cubic, a = -0.5 | filter widened: antialiased |
//! | [`pillow_bicubic`] | the same, in floating point | the same | the same |
//! | [`pillow_bilinear_rgb`], [`pillow_bilinear_gray`] | half-pixel centers | triangle | filter widened: antialiased |
//! | [`pillow_lanczos_rgb`], [`pillow_lanczos_gray`] | half-pixel centers | sinc of three lobes | filter widened: antialiased |
//! | [`pillow_nearest_rgb`], [`pillow_nearest_gray`] | `floor((out + 0.5) * in_size / out_size)`, middle of a block | one value | skips values |
//! | [`opencv_linear_rgb`], [`opencv_linear_gray`] | half-pixel centers | linear | 2 x 2 taps, aliases; halving: the mean of 4 |
//!
//! Maps and masks inside a model are `torch`, pictures are `pillow` but for the family that uses `opencv`.

mod opencv;
mod pillow;
mod pillow_float;
mod torch;

use image::{ImageBuffer, Pixel};

pub use opencv::{opencv_linear_gray, opencv_linear_rgb};
pub use pillow::{
    pillow_bicubic_gray, pillow_bicubic_rgb, pillow_bilinear_gray, pillow_bilinear_rgb,
    pillow_lanczos_gray, pillow_lanczos_rgb, pillow_nearest_gray, pillow_nearest_rgb,
};
pub use pillow_float::pillow_bicubic;
pub use torch::{
    tensorflow_bilinear, torch_adaptive_average, torch_bicubic, torch_bilinear, torch_nearest,
};

/// `method` on the levels of `image`, given its height and width and those wanted.
fn resized<P: Pixel<Subpixel = u8>>(
    image: &ImageBuffer<P, Vec<u8>>,
    height: usize,
    width: usize,
    method: impl Fn(&[u8], [usize; 2], [usize; 2]) -> Vec<u8>,
) -> ImageBuffer<P, Vec<u8>> {
    let from = [image.height() as usize, image.width() as usize];
    assert!(
        !image.is_empty() && height > 0 && width > 0,
        "{from:?} pixels to {height} x {width}: one is empty"
    );
    let levels = method(image.as_raw(), from, [height, width]);
    ImageBuffer::from_raw(width as u32, height as u32, levels)
        .expect("one level for every channel of every pixel")
}
