//! The files of one sample, read.

use std::path::PathBuf;

use i2am_imaging::{GrayImage, ImagingError, read_labels};
use image::GenericImageView;

use crate::{DatasetError, LABELS, Part, Pose};

/// Stored mask levels from here on count as set, in all published families (`StableVITON`: `>= 128`; Paint-by-Example:
/// `1 - level / 255 < 0.5`).
const MASK_THRESHOLD: u8 = 128;

/// Reads pictures of one sample.
pub(super) struct Reader<'a> {
    pub(super) id: &'a str,
    pub(super) path: &'a dyn Fn(Part) -> Result<PathBuf, DatasetError>,
}

impl Reader<'_> {
    pub(super) fn read<P>(
        &self,
        part: Part,
        read: impl Fn(PathBuf) -> Result<P, ImagingError>,
    ) -> Result<P, DatasetError> {
        read((self.path)(part)?).map_err(|cause| DatasetError::Picture {
            sample: self.id.to_owned(),
            part,
            cause: Box::new(cause),
        })
    }

    /// Reads a parse map.
    pub(super) fn labels(
        &self,
        part: Part,
        expected: [usize; 2],
    ) -> Result<GrayImage, DatasetError> {
        let labels = self.sized(part, expected, read_labels)?;
        match labels.iter().copied().find(|&label| label >= LABELS) {
            None => Ok(labels),
            Some(found) => Err(DatasetError::Mismatch {
                sample: self.id.to_owned(),
                path: (self.path)(part)?,
                expected: format!("labels below {LABELS}"),
                found: found.to_string(),
            }),
        }
    }

    pub(super) fn pose(&self) -> Result<Pose, DatasetError> {
        let path = (self.path)(Part::Pose)?;
        Pose::parse(&i2am_files::read(&path)?).map_err(|reason| DatasetError::Content {
            sample: self.id.to_owned(),
            path,
            reason,
        })
    }

    /// Reads a picture that must be as large as the one it lies over.
    pub(super) fn sized<P: GenericImageView>(
        &self,
        part: Part,
        expected: [usize; 2],
        read: impl Fn(PathBuf) -> Result<P, ImagingError>,
    ) -> Result<P, DatasetError> {
        let picture = self.read(part, read)?;
        let found = size(&picture);
        if found == expected {
            return Ok(picture);
        }
        let other = part.size_of();
        let [height, width] = expected;
        Err(DatasetError::Mismatch {
            sample: self.id.to_owned(),
            path: (self.path)(part)?,
            expected: format!(
                "`{part}` to have the size of `{other}`, {height} x {width} (height x width)"
            ),
            found: format!("{} x {}", found[0], found[1]),
        })
    }
}

/// Height and width.
pub(super) fn size(picture: &impl GenericImageView) -> [usize; 2] {
    let (width, height) = picture.dimensions();
    [height as usize, width as usize]
}

/// 255 from the threshold on, else 0.
pub(super) fn binary(mut mask: GrayImage) -> GrayImage {
    for level in mask.iter_mut() {
        *level = if *level >= MASK_THRESHOLD { 255 } else { 0 };
    }
    mask
}
