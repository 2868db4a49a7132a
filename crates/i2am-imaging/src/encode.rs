//! Encoding to PNG and JPEG, in memory or into a file that is never half written.

use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, GrayImage, ImageEncoder, ImageResult, RgbImage};

use crate::ImagingError;

/// `image` as the bytes of a PNG file, 8 bits a channel. The same image always gives the same bytes.
///
/// # Errors
/// [`ImagingError::Encode`] if the image has no pixel.
pub fn encode_png_rgb(image: &RgbImage) -> Result<Vec<u8>, ImagingError> {
    encode_png(image, image.dimensions(), ExtendedColorType::Rgb8)
}

/// `image` as the bytes of a gray PNG file of 8 bits. The same image always gives the same bytes.
///
/// # Errors
/// [`ImagingError::Encode`] if the image has no pixel.
pub fn encode_png_gray(image: &GrayImage) -> Result<Vec<u8>, ImagingError> {
    encode_png(image, image.dimensions(), ExtendedColorType::L8)
}

/// `image` as the bytes of a JPEG file. `quality` from 1 (small) to 100 (good).
///
/// # Errors
/// [`ImagingError::Encode`] if the image has no pixel or a side of more than 65,535.
pub fn encode_jpeg_rgb(image: &RgbImage, quality: u8) -> Result<Vec<u8>, ImagingError> {
    let mut bytes = Vec::new();
    let (width, height) = image.dimensions();
    if width == 0 || height == 0 {
        return Err(encode_error(
            "JPEG",
            (width, height),
            "it has no pixel".to_owned(),
        ));
    }
    let written = JpegEncoder::new_with_quality(&mut bytes, quality).write_image(
        image,
        width,
        height,
        ExtendedColorType::Rgb8,
    );
    finish("JPEG", (width, height), bytes, written)
}

/// Writes `image` to `path` as PNG, atomically; parent folders are created.
pub fn write_png_rgb(path: impl AsRef<Path>, image: &RgbImage) -> Result<(), ImagingError> {
    Ok(i2am_files::write_atomic(path, encode_png_rgb(image)?)?)
}

/// Writes `image` to `path` as gray PNG, atomically; parent folders are created.
pub fn write_png_gray(path: impl AsRef<Path>, image: &GrayImage) -> Result<(), ImagingError> {
    Ok(i2am_files::write_atomic(path, encode_png_gray(image)?)?)
}

/// Writes `image` to `path` as JPEG, atomically; parent folders are created. `quality` from 1 (small) to 100 (good).
pub fn write_jpeg_rgb(
    path: impl AsRef<Path>,
    image: &RgbImage,
    quality: u8,
) -> Result<(), ImagingError> {
    Ok(i2am_files::write_atomic(
        path,
        encode_jpeg_rgb(image, quality)?,
    )?)
}

fn encode_png(
    levels: &[u8],
    (width, height): (u32, u32),
    color: ExtendedColorType,
) -> Result<Vec<u8>, ImagingError> {
    let mut bytes = Vec::new();
    let written =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
            .write_image(levels, width, height, color);
    finish("PNG", (width, height), bytes, written)
}

fn finish(
    format: &'static str,
    size: (u32, u32),
    bytes: Vec<u8>,
    written: ImageResult<()>,
) -> Result<Vec<u8>, ImagingError> {
    match written {
        Ok(()) => Ok(bytes),
        Err(error) => Err(encode_error(format, size, error.to_string())),
    }
}

fn encode_error(format: &'static str, (width, height): (u32, u32), reason: String) -> ImagingError {
    ImagingError::Encode {
        format,
        height: height as usize,
        width: width as usize,
        reason,
    }
}
