//! Decoding of PNG and JPEG files, recognized by their content, into 8-bit images as Pillow gives them.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::{DynamicImage, GrayImage, ImageBuffer, Limits, Luma, Pixel, Rgb, RgbImage};

use crate::ImagingError;
use crate::encoded::{Encoded, Format, upright};

/// Memory in bytes that a decoder of PNG may take besides the picture: for color profiles and texts.
const ASIDE: u64 = 64 << 20;

/// The picture in the file `path` as RGB, as `ImageOps.exif_transpose(Image.open(path)).convert("RGB")` of Pillow gives it.
///
/// Palettes are resolved, gray is copied into the three channels, an alpha channel is **dropped, not composited** (what
/// it hides shows). The orientation that EXIF data note is **applied**: a picture is as viewers show it. Of 16-bit channels the high
/// byte is taken; Pillow does the same except for 16-bit gray, which it cuts off at 255 (white for nearly every picture). Of an
/// animation the first picture is read.
///
/// PNG files give Pillow's levels exactly. JPEG files differ from it by at most 4 levels, 0.4 on average with chroma
/// at half size and 0.01 without, because the standard leaves the decoder some freedom.
///
/// # Errors
/// [`ImagingError::File`] if the file cannot be read, [`ImagingError::NotAnImage`] if it is neither PNG nor JPEG,
/// [`ImagingError::Decode`] if it is damaged or cut off, [`ImagingError::TooLarge`] if it has more pixels than
/// [`limit_megapixels`](crate::limit_megapixels) allows.
pub fn read_rgb(path: impl AsRef<Path>) -> Result<RgbImage, ImagingError> {
    decode(path.as_ref()).map(to_rgb)
}

/// The picture in the file `path` as gray, as `ImageOps.exif_transpose(Image.open(path)).convert("L")` of Pillow gives it.
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

/// Height and width of the picture in the file `path` as it is read, from its header; of its pixels only that they are all there.
///
/// # Errors
/// As [`read_rgb`], for what the header shows.
pub fn read_size(path: impl AsRef<Path>) -> Result<[usize; 2], ImagingError> {
    let encoded = Encoded::open(path.as_ref())?;
    Ok(upright(encoded.stored_size()?, encoded.orientation()))
}

/// A picture in gray, as `image.convert("L")` of Pillow gives it: see [`read_gray`].
pub fn rgb_to_gray(image: &RgbImage) -> GrayImage {
    convert(image, |p| Luma([luma(p.0.map(u32::from)) as u8]))
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

/// ITU-R 601-2 luma with weights of 16 bits, rounded to nearest, of levels of up to 16 bits.
pub(crate) fn luma([r, g, b]: [u32; 3]) -> u32 {
    (19_595 * r + 38_470 * g + 7_471 * b + 0x8000) >> 16
}

/// The picture in the file `path`, the right way up.
pub(crate) fn decode(path: &Path) -> Result<DynamicImage, ImagingError> {
    let encoded = Encoded::open(path)?;
    let [height, width] = encoded.stored_size()?;
    let bytes = Cursor::new(&encoded.bytes);
    let decoded = match encoded.format {
        Format::Png => {
            let mut limits = Limits::no_limits();
            // Of four channels of 16 bits.
            limits.max_alloc = Some(8 * height as u64 * width as u64 + ASIDE);
            PngDecoder::with_limits(bytes, limits).and_then(DynamicImage::from_decoder)
        }
        Format::Jpeg => JpegDecoder::new(bytes).and_then(DynamicImage::from_decoder),
    };
    let mut picture = decoded.map_err(|error| encoded.undecodable(&error))?;
    picture.apply_orientation(encoded.orientation());
    Ok(picture)
}
