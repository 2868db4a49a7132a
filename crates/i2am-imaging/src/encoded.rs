//! A picture file as it is stored: its format, its size, which way up it is, and whether it is whole.

use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{ImageDecoder as _, ImageFormat};

use crate::{ImagingError, limit};

mod jpeg;
mod png;
mod stranger;

/// Bytes that one compressed byte of a PNG can stand for at most: 258 bytes take two bits.
const MOST_INFLATED: u64 = 1032;
/// Pixels that one byte of a JPEG can stand for at most: 64 pixels take one bit.
const MOST_PIXELS: u64 = 512;

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    Jpeg,
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
        }
    }
}

/// A file that starts as a picture does.
pub(crate) struct Encoded<'a> {
    pub(crate) path: &'a Path,
    pub(crate) bytes: Vec<u8>,
    pub(crate) format: Format,
}

impl<'a> Encoded<'a> {
    /// Reads the file `path`.
    ///
    /// # Errors
    /// [`ImagingError::File`], [`ImagingError::NotAnImage`].
    pub(crate) fn open(path: &'a Path) -> Result<Self, ImagingError> {
        let bytes = i2am_files::read(path)?;
        let format = match image::guess_format(&bytes) {
            Ok(ImageFormat::Png) => Format::Png,
            Ok(ImageFormat::Jpeg) => Format::Jpeg,
            other => {
                return Err(ImagingError::NotAnImage {
                    path: path.to_path_buf(),
                    found: stranger::describe(&bytes, other.ok()),
                });
            }
        };
        Ok(Self {
            path,
            bytes,
            format,
        })
    }

    /// Height and width as stored, from the header, once it is clear that the file is whole, can hold as much as its header claims, and
    /// is not larger than wanted.
    ///
    /// # Errors
    /// [`ImagingError::Decode`], [`ImagingError::TooLarge`].
    pub(crate) fn stored_size(&self) -> Result<[usize; 2], ImagingError> {
        if let Some(fault) = self.fault() {
            return Err(self.damaged(fault));
        }
        let length = self.bytes.len() as u64;
        let (width, height, holds) = match self.format {
            Format::Png => {
                let mut decoder = ::png::Decoder::new(Cursor::new(&self.bytes));
                let header = decoder.read_header_info();
                let header = header.map_err(|error| self.damaged(error.to_string()))?;
                let bits = u64::from(header.width) * header.bits_per_pixel() as u64;
                let raw = bits.div_ceil(8).saturating_mul(header.height.into());
                let holds = raw <= length.saturating_mul(MOST_INFLATED);
                (header.width, header.height, holds)
            }
            Format::Jpeg => {
                let header = image::codecs::jpeg::JpegDecoder::new(Cursor::new(&self.bytes));
                let header = header.map_err(|error| self.undecodable(&error))?;
                let (width, height) = header.dimensions();
                let pixels = u64::from(width) * u64::from(height);
                (width, height, pixels <= length.saturating_mul(MOST_PIXELS))
            }
        };
        if !holds {
            return Err(self.damaged(format!(
                "its header claims {height} x {width} pixels, more than its {length} bytes can hold"
            )));
        }
        let size = [height as usize, width as usize];
        limit::check(self.path, size)?;
        Ok(size)
    }

    /// Which way up the picture is, as noted in its EXIF data.
    pub(crate) fn orientation(&self) -> Orientation {
        let exif = match self.format {
            Format::Png => png::exif(&self.bytes),
            Format::Jpeg => jpeg::exif(&self.bytes),
        };
        exif.and_then(Orientation::from_exif_chunk)
            .unwrap_or(Orientation::NoTransforms)
    }

    /// Where the file ends too early, or what else shows without decoding it. A decoder of JPEG fills the missing part with gray and reports
    /// nothing.
    fn fault(&self) -> Option<String> {
        match self.format {
            Format::Png => png::fault(&self.bytes),
            Format::Jpeg if jpeg::is_complete(&self.bytes) => None,
            Format::Jpeg => Some("the file is cut off before the end-of-image marker".to_owned()),
        }
    }

    /// The file is damaged.
    pub(crate) fn damaged(&self, reason: String) -> ImagingError {
        ImagingError::Decode {
            path: self.path.to_path_buf(),
            format: self.format.name(),
            reason,
        }
    }

    /// The words of the decoder, without those that only repeat which format it is.
    pub(crate) fn undecodable(&self, error: &image::ImageError) -> ImagingError {
        let words = error.to_string();
        let words = words.trim_start_matches("Format error decoding Jpeg: ");
        let words = words.trim_start_matches("Format error decoding Png: ");
        self.damaged(words.trim().to_owned())
    }
}

/// Height and width once the picture stands as `orientation` says.
pub(crate) fn upright([height, width]: [usize; 2], orientation: Orientation) -> [usize; 2] {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => [width, height],
        _ => [height, width],
    }
}
