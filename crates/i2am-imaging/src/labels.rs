//! Label maps: PNG files whose numbers mean things, not colors.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, GrayImage};
use png::{BitDepth, ColorType, Transformations};

use crate::ImagingError;
use crate::encoded::{Encoded, Format};

/// The numbers in the PNG file `path`, as `numpy.array(Image.open(path))` of Pillow gives them: of a palette the number of each
/// pixel's color, of gray its level. The colors of the palette do not matter. The orientation that EXIF data note is applied.
///
/// # Errors
/// As [`read_rgb`](crate::read_rgb); [`ImagingError::NotLabels`] if it is no PNG of 8 bits or fewer with a palette or gray.
pub fn read_labels(path: impl AsRef<Path>) -> Result<GrayImage, ImagingError> {
    let encoded = Encoded::open(path.as_ref())?;
    let not_labels = |found: &str| ImagingError::NotLabels {
        path: encoded.path.to_path_buf(),
        found: found.to_owned(),
    };
    if encoded.format != Format::Png {
        return Err(not_labels("a JPEG image, whose levels are not kept"));
    }
    // Memory is taken for what the bytes can hold only.
    let [height, width] = encoded.stored_size()?;
    let undecodable = |error: png::DecodingError| encoded.damaged(error.to_string());
    let mut decoder = png::Decoder::new(Cursor::new(&encoded.bytes));
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(undecodable)?;
    let (color, depth) = (reader.info().color_type, reader.info().bit_depth);
    if !matches!(color, ColorType::Indexed | ColorType::Grayscale) {
        return Err(not_labels("colors without a palette"));
    }
    if depth == BitDepth::Sixteen {
        return Err(not_labels("16-bit gray"));
    }
    let size = reader.output_buffer_size();
    let mut packed = vec![0; size.ok_or_else(|| not_labels("rows that are too long"))?];
    let frame = reader.next_frame(&mut packed).map_err(undecodable)?;
    let mut numbers = Vec::with_capacity(width * height);
    for row in packed.chunks_exact(frame.line_size) {
        unpack(row, depth, width, color, &mut numbers);
    }
    let labels = GrayImage::from_raw(width as u32, height as u32, numbers);
    let mut labels =
        DynamicImage::ImageLuma8(labels.ok_or_else(|| not_labels("rows of odd length"))?);
    labels.apply_orientation(encoded.orientation());
    Ok(labels.into_luma8())
}

/// Appends the `width` numbers that `row` holds. Gray of fewer than 8 bits is spread over 0 to 255, as Pillow does for one bit and
/// as its levels mean; numbers of a palette stay what they are.
fn unpack(row: &[u8], depth: BitDepth, width: usize, color: ColorType, numbers: &mut Vec<u8>) {
    let bits = depth as usize;
    let most = (1_u16 << bits) - 1;
    let number = |column: usize| {
        let place = column * bits;
        let shift = 8 - bits - place % 8;
        let number = (u16::from(row[place / 8]) >> shift) & most;
        match color {
            ColorType::Grayscale => (number * (255 / most)) as u8,
            _ => number as u8,
        }
    };
    numbers.extend((0..width).map(number));
}

/// Writes `labels` to `path` as a PNG with the colors of `palette`, atomically; parent folders are created.
///
/// # Errors
/// [`ImagingError::Encode`] if there is no pixel, or a number without a color; [`ImagingError::File`].
pub fn write_png_labels(
    path: impl AsRef<Path>,
    labels: &GrayImage,
    palette: &[[u8; 3]],
) -> Result<(), ImagingError> {
    let (width, height) = labels.dimensions();
    let failed = |reason: String| ImagingError::Encode {
        format: "PNG",
        height: height as usize,
        width: width as usize,
        reason,
    };
    if let Some(label) = labels
        .iter()
        .find(|&&label| usize::from(label) >= palette.len())
    {
        let colors = palette.len();
        return Err(failed(format!("label {label} has none of {colors} colors")));
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette.as_flattened());
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(labels.as_raw()))
        .map_err(|error| failed(error.to_string()))?;
    Ok(i2am_files::write_atomic(path, bytes)?)
}
