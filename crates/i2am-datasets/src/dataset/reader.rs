//! The files of one sample, read.

use std::path::PathBuf;

use i2am_imaging::{
    Correspondence, GrayImage, ImagingError, StoredMask, read_correspondence, read_labels,
    read_mask,
};
use image::GenericImageView;

use crate::{DatasetError, LABELS, MaskSettings, Part, Pose};

/// Reads pictures of one sample.
pub(super) struct Reader<'a> {
    pub(super) id: &'a str,
    pub(super) path: &'a dyn Fn(Part) -> Result<PathBuf, DatasetError>,
    pub(super) masks: MaskSettings,
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

    /// Reads a mask, of the size of another picture if one is `expected`.
    pub(super) fn mask(
        &self,
        part: Part,
        expected: Option<[usize; 2]>,
    ) -> Result<StoredMask, DatasetError> {
        let mask = self.read(part, |path| read_mask(path, self.masks.of(part)))?;
        if let Some(expected) = expected {
            self.check_size(part, size(&mask.levels), expected)?;
        }
        Ok(mask)
    }

    pub(super) fn pose(&self) -> Result<Pose, DatasetError> {
        let path = (self.path)(Part::Pose)?;
        Pose::parse(&i2am_files::read_text(&path)?).map_err(|reason| DatasetError::Content {
            sample: self.id.to_owned(),
            path,
            reason,
        })
    }

    /// Reads from where the pixels of a picture of the size `expected` come.
    pub(super) fn correspondence(
        &self,
        expected: [usize; 2],
    ) -> Result<Correspondence, DatasetError> {
        let part = Part::Correspondence;
        let correspondence = self.read(part, read_correspondence)?;
        self.check_size(part, correspondence.size(), expected)?;
        Ok(correspondence)
    }

    /// Reads a picture that must be as large as the one it lies over.
    pub(super) fn sized<P: GenericImageView>(
        &self,
        part: Part,
        expected: [usize; 2],
        read: impl Fn(PathBuf) -> Result<P, ImagingError>,
    ) -> Result<P, DatasetError> {
        let picture = self.read(part, read)?;
        self.check_size(part, size(&picture), expected)?;
        Ok(picture)
    }

    fn check_size(
        &self,
        part: Part,
        found: [usize; 2],
        expected: [usize; 2],
    ) -> Result<(), DatasetError> {
        if found == expected {
            return Ok(());
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
