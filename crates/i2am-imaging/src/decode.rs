//! Decoding of PNG and JPEG files, recognized by their content, into 8-bit images as Pillow gives them.

use std::path::Path;

use i2am_files::{Action, FileError};
use image::{
    DynamicImage, GrayImage, ImageBuffer, ImageFormat, ImageReader, Luma, Pixel, Rgb, RgbImage,
};

use crate::ImagingError;

mod jpeg;

/// The picture in the file `path` as RGB, as `Image.open(path).convert("RGB")` of Pillow gives it.
///
/// Palettes are resolved, gray is copied into the three channels, an alpha channel is **dropped, not composited** (what
/// it hides shows), a rotation noted in EXIF is not applied. Of 16-bit channels the high byte is taken; Pillow does the
/// same except for 16-bit gray, which it cuts off at 255 (white for nearly every picture).
///
/// PNG files give Pillow's levels exactly. JPEG files differ from it by at most 4 levels, 0.4 on average with chroma
/// at half size and 0.01 without, because the standard leaves the decoder some freedom.
///
/// # Errors
/// [`ImagingError::File`] if the file cannot be read, [`ImagingError::NotAnImage`] if it is neither PNG nor JPEG,
/// [`ImagingError::Decode`] if it is damaged or cut off.
pub fn read_rgb(path: impl AsRef<Path>) -> Result<RgbImage, ImagingError> {
    decode(path.as_ref()).map(to_rgb)
}

/// The picture in the file `path` as gray, as `Image.open(path).convert("L")` of Pillow gives it.
///
/// Gray stays as it is; colors become their ITU-R 601-2 luma in Pillow's fixed-point arithmetic
/// (`0.299 R + 0.587 G + 0.114 B`). Everything else as in [`read_rgb`].
///
/// # Errors
/// As [`read_rgb`].
pub fn read_gray(path: impl AsRef<Path>) -> Result<GrayImage, ImagingError> {
    Ok(match decode(path.as_ref())? {
        DynamicImage::ImageLuma8(image) => image,
        DynamicImage::ImageLumaA8(image) => convert(&image, |p| Luma([p.0[0]])),
        DynamicImage::ImageLuma16(image) => convert(&image, |p| Luma([high_byte(p.0[0])])),
        DynamicImage::ImageLumaA16(image) => convert(&image, |p| Luma([high_byte(p.0[0])])),
        colored => rgb_to_gray(&to_rgb(colored)),
    })
}

/// Height and width of the picture in the file `path`, from its header.
///
/// # Errors
/// [`ImagingError::File`] if the file cannot be read, [`ImagingError::Decode`] if its header cannot.
pub fn read_size(path: impl AsRef<Path>) -> Result<[usize; 2], ImagingError> {
    let path = path.as_ref();
    let unread = |cause| FileError::new(Action::Read, path, cause);
    let reader = ImageReader::open(path).map_err(unread)?;
    let reader = reader.with_guessed_format().map_err(unread)?;
    let size = reader.into_dimensions();
    let (width, height) = size.map_err(|error| ImagingError::Decode {
        path: path.to_path_buf(),
        format: "PNG or JPEG",
        reason: error.to_string(),
    })?;
    Ok([height as usize, width as usize])
}

/// A picture in gray, as `image.convert("L")` of Pillow gives it: see [`read_gray`].
pub fn rgb_to_gray(image: &RgbImage) -> GrayImage {
    convert(image, |p| luma(*p))
}

fn to_rgb(decoded: DynamicImage) -> RgbImage {
    match decoded {
        DynamicImage::ImageLuma16(image) => convert(&image, |p| Rgb([high_byte(p.0[0]); 3])),
        DynamicImage::ImageLumaA16(image) => convert(&image, |p| Rgb([high_byte(p.0[0]); 3])),
        DynamicImage::ImageRgb16(image) => convert(&image, |p| p.to_rgb().0.map(high_byte).into()),
        DynamicImage::ImageRgba16(image) => convert(&image, |p| p.to_rgb().0.map(high_byte).into()),
        of_eight_bits => of_eight_bits.into_rgb8(),
    }
}

fn convert<P: Pixel, Q: Pixel>(
    image: &ImageBuffer<P, Vec<P::Subpixel>>,
    pixel: impl Fn(&P) -> Q,
) -> ImageBuffer<Q, Vec<Q::Subpixel>> {
    ImageBuffer::from_fn(image.width(), image.height(), |x, y| {
        pixel(image.get_pixel(x, y))
    })
}

fn high_byte(level: u16) -> u8 {
    level.to_be_bytes()[0]
}

/// ITU-R 601-2 luma with weights of 16 bits, rounded to nearest.
fn luma(Rgb([r, g, b]): Rgb<u8>) -> Luma<u8> {
    let weighted = 19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b);
    Luma([((weighted + 0x8000) >> 16) as u8])
}

fn decode(path: &Path) -> Result<DynamicImage, ImagingError> {
    let bytes = i2am_files::read(path)?;
    let (format, name) = match image::guess_format(&bytes) {
        Ok(ImageFormat::Png) => (ImageFormat::Png, "PNG"),
        Ok(ImageFormat::Jpeg) => (ImageFormat::Jpeg, "JPEG"),
        other => {
            let found = describe(&bytes, other.ok());
            return Err(ImagingError::NotAnImage {
                path: path.to_path_buf(),
                found,
            });
        }
    };
    let failed = |reason| ImagingError::Decode {
        path: path.to_path_buf(),
        format: name,
        reason,
    };
    // The decoder fills the missing part of a cut JPEG with gray and reports nothing.
    if format == ImageFormat::Jpeg && !jpeg::is_complete(&bytes) {
        return Err(failed(
            "the file is cut off before the end-of-image marker".to_owned(),
        ));
    }
    image::load_from_memory_with_format(&bytes, format).map_err(|error| failed(error.to_string()))
}

/// What a file that is neither PNG nor JPEG looks like.
fn describe(bytes: &[u8], format: Option<ImageFormat>) -> String {
    match (bytes, format) {
        ([], _) => "an empty file".to_owned(),
        (_, Some(format)) => format!(
            "a {} image",
            format.extensions_str().first().unwrap_or(&"different")
        ),
        (text, _) if text.starts_with(b"version https://git-lfs") => {
            "a Git LFS pointer (fetch the file itself with `git lfs pull`)".to_owned()
        }
        (start, _) => format!(
            "a file that starts with `{}`",
            start[..start.len().min(12)].escape_ascii()
        ),
    }
}
