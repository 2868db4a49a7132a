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

    /// The file holds colors where numbers are wanted.
    #[error("{}: expected a PNG of labels, with a palette or gray, found {found}", .path.display())]
    NotLabels {
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
