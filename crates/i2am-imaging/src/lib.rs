//! Decoding, encoding, the named resizes, color maps, overlays and boxes.
//!
//! Two kinds of pictures: 8-bit images ([`RgbImage`], [`GrayImage`]) and [`Plane`], a map of `f32`. Sizes are always
//! given as height, then width.
//!
//! No function is just `resize`: libraries disagree on what bicubic means (see [`resize`]), so that every function is
//! named after the library whose numbers it gives.

mod blur;
mod bounding_box;
mod channels;
mod color_bar;
mod colormap;
mod correspondence;
mod decode;
mod draw;
mod encode;
mod encoded;
mod ending;
mod error;
mod grid;
mod labels;
mod limit;
mod mask;
mod morphology;
mod overlay;
mod plane;
pub mod resize;
mod text;

pub use blur::pillow_gaussian_blur;
pub use bounding_box::{BoundingBox, draw_box};
pub use channels::read_values;
pub use color_bar::color_bar;
pub use colormap::{ColorMap, jet_colors};
pub use correspondence::{Correspondence, read_correspondence, write_correspondence};
pub use decode::{read_gray, read_rgb, read_size, rgb_to_gray};
pub use draw::{pillow_ellipse, pillow_polygon, pillow_rectangle, pillow_wide_line};
pub use encode::{
    encode_jpeg_rgb, encode_png_gray, encode_png_rgb, write_jpeg_rgb, write_png_gray, write_png_rgb,
};
pub use ending::PictureEnding;
pub use error::ImagingError;
pub use grid::{Cell, CellSize, PictureGrid};
pub use image::{GrayImage, RgbImage};
pub use labels::{read_labels, write_png_labels};
pub use limit::{MAX_MEGAPIXELS, limit_megapixels};
pub use mask::{
    MaskChannel, MaskDoubt, MaskLevels, MaskPolarity, MaskReading, StoredMask, read_mask,
};
pub use morphology::{opencv_dilate, opencv_erode};
pub use overlay::{colored, outlined, overlay};
pub use plane::{Plane, gray_to_plane, plane_to_gray};
pub use resize::{
    opencv_linear_gray, opencv_linear_rgb, pillow_bicubic, pillow_bicubic_gray, pillow_bicubic_rgb,
    pillow_bilinear_gray, pillow_bilinear_rgb, pillow_lanczos_gray, pillow_lanczos_rgb,
    pillow_nearest_gray, pillow_nearest_rgb, tensorflow_bilinear, torch_adaptive_average,
    torch_bicubic, torch_bilinear, torch_nearest,
};
