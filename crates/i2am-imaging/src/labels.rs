//! Label maps: PNG files whose numbers mean things, not colors.

use std::io::Cursor;
use std::path::Path;

use image::GrayImage;
use png::{BitDepth, ColorType, Transformations};

use crate::ImagingError;

/// Bytes that one compressed byte of a PNG can stand for at most: 258 bytes take two bits.
const MOST_INFLATED: usize = 1032;

/// The numbers in the PNG file `path`, as `numpy.array(Image.open(path))` of Pillow gives them: of a palette the number of each
/// pixel's color, of gray its level. The colors of the palette do not matter.
///
/// # Errors
/// [`ImagingError::File`] if the file cannot be read, [`ImagingError::NotLabels`] if it is no PNG of 8 bits or fewer with a palette
/// or gray, [`ImagingError::Decode`] if it is damaged.
pub fn read_labels(path: impl AsRef<Path>) -> Result<GrayImage, ImagingError> {
    let path = path.as_ref();
    let bytes = i2am_files::read(path)?;
    let not_labels = |found: &str| ImagingError::NotLabels {
        path: path.to_path_buf(),
        found: found.to_owned(),
    };
    if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Err(not_labels("a file that is no PNG"));
    }
    let damaged = |reason: String| ImagingError::Decode {
        path: path.to_path_buf(),
        format: "PNG",
        reason,
    };
    let undecodable = |error: png::DecodingError| damaged(error.to_string());
    let mut decoder = png::Decoder::new(Cursor::new(&bytes));
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(undecodable)?;
    let (width, height) = reader.info().size();
    let (color, depth) = (reader.info().color_type, reader.info().bit_depth);
    if !matches!(color, ColorType::Indexed | ColorType::Grayscale) {
        return Err(not_labels("colors without a palette"));
    }
    if depth == BitDepth::Sixteen {
        return Err(not_labels("16-bit gray"));
    }
    // A header may claim any size: memory is taken for what the bytes can hold only.
    let most = bytes.len().saturating_mul(MOST_INFLATED);
    let size = reader.output_buffer_size().filter(|&size| size <= most);
    let mut packed = vec![
        0;
        size.ok_or_else(|| damaged(format!(
            "its header claims {height} x {width} pixels, more than its bytes can hold"
        )))?
    ];
    let frame = reader.next_frame(&mut packed).map_err(undecodable)?;
    let mut numbers = Vec::with_capacity(width as usize * height as usize);
    for row in packed.chunks_exact(frame.line_size) {
        unpack(row, depth, width as usize, color, &mut numbers);
    }
    GrayImage::from_raw(width, height, numbers).ok_or_else(|| not_labels("rows of odd length"))
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
