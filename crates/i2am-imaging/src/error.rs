//! What can be wrong with a picture or a map.

use std::path::PathBuf;

use i2am_files::FileError;

/// An error of this crate. Those about a file name it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImagingError {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),

    /// The content is neither PNG nor JPEG, whatever the name of the file says.
    #[error("{}: expected a PNG or JPEG image, found {found}", .path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// What its first bytes look like.
        found: String,
    },

    /// The file starts as an image but is damaged, cut off or of a kind that cannot be decoded.
    #[error("{}: expected a complete {format} image, found one that cannot be decoded: {reason}", .path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// `PNG` or `JPEG`.
        format: &'static str,
        /// The words of the decoder.
        reason: String,
    },

    /// The picture has more pixels than are read.
    #[error(
        "{}: expected at most {limit} megapixels, the limit `max_megapixels`, found {height} x {width} pixels (height x width), {} megapixels",
        .path.display(), *.height as f64 * *.width as f64 / 1e6
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// The largest number of megapixels.
        limit: u32,
    },

    /// A mask that cannot mean what its maker sees in it: see [`read_mask`](crate::read_mask).
    #[error("{}: expected a mask that is white (level {white}) in the masked region, found {found}", .path.display())]
    Mask {
        /// The file.
        path: PathBuf,
        /// The level of white: 255, or 65,535 of 16 bits.
        white: u16,
        /// What it is instead, and which setting would accept it.
        found: String,
    },

    /// The picture has colors where its levels are values.
    #[error(
        "{}: expected a gray picture, whose levels are values, found colors in {share} of its pixels: the colors of a color map or overlay cannot be \
         turned back into values; store the values themselves, gray or as safetensors",
        .path.display()
    )]
    NotValues {
        /// The file.
        path: PathBuf,
        /// How much of it is colored.
        share: String,
    },

    /// The file holds colors where numbers are wanted.
    #[error("{}: expected a PNG of labels, with a palette or gray, found {found}", .path.display())]
    NotLabels {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },

    /// The file does not say for every pixel from where it comes.
    #[error(
        "{}: expected places, a PNG of three channels of 16 bits (column, row, and 65,535 where they are known or 0 elsewhere), found {found}",
        .path.display()
    )]
    NotPlaces {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },

    /// The image cannot be written in this format: it is empty, or too large for JPEG.
    #[error("cannot encode an image of {height} x {width} pixels as {format}: {reason}")]
    Encode {
        /// `PNG` or `JPEG`.
        format: &'static str,
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// The words of the encoder.
        reason: String,
    },

    /// A plane of no values, or whose number of values is not height times width.
    #[error("a plane of {height} x {width}: expected {} values, at least one, found {found}", .height * .width)]
    PlaneLength {
        /// Height asked for.
        height: usize,
        /// Width asked for.
        width: usize,
        /// Number of values given.
        found: usize,
    },

    /// Two planes that must have the same size differ.
    #[error("two planes of one size: expected {} x {}, found {} x {}", .expected[0], .expected[1], .found[0], .found[1])]
    PlaneSize {
        /// Height and width of the first plane.
        expected: [usize; 2],
        /// Height and width of the second plane.
        found: [usize; 2],
    },
}
