//! What every layout offers, and what follows from it.

use std::path::{Path, PathBuf};

use i2am_files::sha256_hex;
use i2am_imaging::{BoundingBox, GrayImage, ImagingError, read_gray, read_labels, read_rgb};
use image::GenericImageView;

use crate::pose::PoseError;
use crate::{DatasetError, Gap, LABELS, Pairing, Part, Pose, Sample};

/// Stored mask levels from here on count as set, in all published families (`StableVITON`: `>= 128`; Paint-by-Example:
/// `1 - level / 255 < 0.5`).
const MASK_THRESHOLD: u8 = 128;

/// What a model is asked to do with the pictures of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// To repaint the hole that the mask shows.
    Repaint,
    /// To make the reference larger: everything is generated, so there is no mask to speak of and [`Sample::mask`] is white throughout.
    Enlarge {
        /// How many times as high and wide the result is to be; exactly, or it cannot be compared with the ground truth.
        scale: u32,
    },
}

/// A list of samples, each a set of files.
///
/// A layout says where the files are; reading, checking and hashing are provided.
pub trait Dataset: Send + Sync {
    /// The kind, as registered in [`crate::DATASETS`].
    fn name(&self) -> &'static str;

    /// The split: `test`, `train`, or `all` where the layout has none.
    fn split(&self) -> &str;

    /// Which garment is tried on; none where the layout does not say.
    fn pairing(&self) -> Option<Pairing>;

    /// The folder that file names are told relative to.
    fn root(&self) -> &Path;

    /// The samples' names: sorted, unique, fit for file names.
    fn ids(&self) -> &[String];

    /// Where a part of sample `index` is stored, whether or not the file exists. None if the dataset has no such part for
    /// this sample, or no such sample.
    fn path(&self, index: usize, part: Part) -> Option<PathBuf>;

    /// Why a part may be lacking, or what to do about it; starts with `: ` unless empty.
    fn why_without(&self, _part: Part) -> &'static str {
        ""
    }

    /// Whether a part that every sample has is stored nowhere, but made from other parts when a sample is loaded.
    fn is_derived(&self, _part: Part) -> bool {
        false
    }

    /// The true box of the object in the image of sample `index`, in its pixels. None if the dataset knows of no objects, or of no
    /// such sample.
    fn object(&self, _index: usize) -> Option<BoundingBox> {
        None
    }

    /// What a model is asked for.
    fn goal(&self) -> Goal {
        Goal::Repaint
    }

    /// What is worth saying about the set as a whole before a run.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Reads sample `index` with all parts whose files exist.
    ///
    /// # Errors
    /// As [`Dataset::load_parts`].
    fn load(&self, index: usize) -> Result<Sample, DatasetError> {
        self.load_present(index, &Part::ALL)
    }

    /// Reads sample `index`: the parts that every sample has, and those of `parts` whose files exist.
    ///
    /// # Errors
    /// As [`Dataset::load_parts`].
    fn load_present(&self, index: usize, parts: &[Part]) -> Result<Sample, DatasetError> {
        let exists = |part: &Part| self.path(index, *part).is_some_and(|path| path.is_file());
        let parts: Vec<Part> = parts.iter().copied().filter(exists).collect();
        self.load_parts(index, &parts)
    }

    /// Reads sample `index`: the parts that every sample has, and those of `parts`; the other fields stay empty.
    ///
    /// # Errors
    /// [`DatasetError::NoSample`], [`DatasetError::NoPart`]; [`DatasetError::Picture`] if a file is missing or damaged;
    /// [`DatasetError::Size`] if two parts that lie over each other differ in size; [`DatasetError::Label`], [`DatasetError::Pose`] as
    /// they say.
    fn load_parts(&self, index: usize, parts: &[Part]) -> Result<Sample, DatasetError> {
        let Some(id) = self.ids().get(index) else {
            let count = self.ids().len();
            return Err(DatasetError::NoSample { index, count });
        };
        let reader = Reader {
            id,
            path: &|part| part_path(self, index, part),
        };
        let image = reader.read(Part::Image, read_rgb)?;
        let reference = reader.read(Part::Reference, read_rgb)?;
        let (over_image, over_reference) = (size(&image), size(&reference));
        let rgb = |part: Part| {
            let wanted = parts.contains(&part);
            let read = || reader.sized(part, over_image, read_rgb);
            wanted.then(read).transpose()
        };
        let reference_mask = parts
            .contains(&Part::ReferenceMask)
            .then(|| reader.sized(Part::ReferenceMask, over_reference, read_gray))
            .transpose()?;
        let labels = |part: Part| {
            let wanted = parts.contains(&part);
            wanted.then(|| reader.labels(part, over_image)).transpose()
        };
        let warped = parts
            .contains(&Part::Warped)
            .then(|| reader.read(Part::Warped, read_rgb))
            .transpose()?;
        let warped_mask = parts.contains(&Part::WarpedMask).then(|| match &warped {
            Some(warped) => reader.sized(Part::WarpedMask, size(warped), read_gray),
            None => reader.read(Part::WarpedMask, read_gray),
        });
        Ok(Sample {
            id: id.clone(),
            mask: binary(reader.sized(Part::Mask, over_image, read_gray)?),
            reference_mask: reference_mask.map(binary),
            ground_truth: if part_is_image(self, index, parts) {
                Some(image.clone())
            } else {
                rgb(Part::GroundTruth)?
            },
            agnostic: rgb(Part::Agnostic)?,
            densepose: rgb(Part::Densepose)?,
            parse: labels(Part::Parse)?,
            agnostic_parse: labels(Part::AgnosticParse)?,
            pose: parts
                .contains(&Part::Pose)
                .then(|| reader.pose())
                .transpose()?,
            warped,
            warped_mask: warped_mask.transpose()?,
            image,
            reference,
        })
    }

    /// Makes sure, before a run, that the files it will need exist: the parts that every sample has, and those of `needs`.
    ///
    /// # Errors
    /// [`DatasetError::NoPart`] if the dataset has no such part for a sample; else [`DatasetError::MissingFiles`], which tells for
    /// each part how many files are missing and where the first should be.
    fn check(&self, needs: &[Part]) -> Result<(), DatasetError> {
        let wanted = |part: &Part| Part::REQUIRED.contains(part) || needs.contains(part);
        let parts: Vec<Part> = Part::ALL.into_iter().filter(wanted).collect();
        let gaps = self.gaps(&parts)?;
        if gaps.is_empty() {
            Ok(())
        } else {
            Err(DatasetError::MissingFiles { gaps })
        }
    }

    /// Those of `parts` whose files do not all exist; parts that are made of others have none.
    ///
    /// # Errors
    /// [`DatasetError::NoPart`].
    fn gaps(&self, parts: &[Part]) -> Result<Vec<Gap>, DatasetError> {
        let needed = self.ids().len();
        let mut gaps = Vec::new();
        for &part in parts.iter().filter(|part| !self.is_derived(**part)) {
            let mut missing = Vec::new();
            for index in 0..needed {
                let path = part_path(self, index, part)?;
                if !path.is_file() {
                    missing.push(path);
                }
            }
            let count = missing.len();
            gaps.extend(missing.into_iter().next().map(|first| Gap {
                part,
                missing: count,
                needed,
                first,
            }));
        }
        Ok(gaps)
    }

    /// sha256 (hexadecimal) of what the dataset is: a line with kind, split and pairing, then a line for each part of each
    /// sample with id, part, file name relative to [`Dataset::root`], and the file's size in bytes, or `-` if it is missing.
    ///
    /// The content of the files is not read: a published set is gigabytes large, and damage nearly always shows in a size.
    fn index_sha256(&self) -> String {
        let pairing = self.pairing().map_or("-", Pairing::name);
        let head = format!("{}\t{}\t{pairing}\n", self.name(), self.split());
        let line = |number: usize, part: Part| {
            let path = self.path(number, part)?;
            let size = std::fs::metadata(&path).map_or("-".to_owned(), |m| m.len().to_string());
            let name = path.strip_prefix(self.root()).unwrap_or(&path);
            let id = &self.ids()[number];
            Some(format!("{id}\t{part}\t{}\t{size}\n", name.display()))
        };
        let samples = 0..self.ids().len();
        let lines = samples.flat_map(|number| Part::ALL.map(|part| line(number, part)));
        sha256_hex(
            [head]
                .into_iter()
                .chain(lines.flatten())
                .collect::<String>(),
        )
    }
}

/// The path of a part, or why there is none.
pub(crate) fn part_path<D: Dataset + ?Sized>(
    dataset: &D,
    index: usize,
    part: Part,
) -> Result<PathBuf, DatasetError> {
    dataset
        .path(index, part)
        .ok_or_else(|| DatasetError::NoPart {
            dataset: dataset.name(),
            root: dataset.root().to_path_buf(),
            sample: dataset.ids()[index].clone(),
            part,
            hint: dataset.why_without(part),
        })
}

/// Whether the ground truth is wanted and is the image itself, as in all paired sets: then it is decoded once.
fn part_is_image<D: Dataset + ?Sized>(dataset: &D, index: usize, parts: &[Part]) -> bool {
    let truth = dataset.path(index, Part::GroundTruth);
    parts.contains(&Part::GroundTruth)
        && truth.is_some()
        && truth == dataset.path(index, Part::Image)
}

/// Reads pictures of one sample.
struct Reader<'a> {
    id: &'a str,
    path: &'a dyn Fn(Part) -> Result<PathBuf, DatasetError>,
}

impl Reader<'_> {
    fn read<P>(
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
    fn labels(&self, part: Part, expected: [usize; 2]) -> Result<GrayImage, DatasetError> {
        let labels = self.sized(part, expected, read_labels)?;
        match labels.iter().copied().find(|&label| label >= LABELS) {
            None => Ok(labels),
            Some(found) => Err(DatasetError::Label {
                sample: self.id.to_owned(),
                path: (self.path)(part)?,
                count: LABELS,
                found,
            }),
        }
    }

    fn pose(&self) -> Result<Pose, DatasetError> {
        let path = (self.path)(Part::Pose)?;
        Pose::read(&path).map_err(|error| match error {
            PoseError::File(error) => (*error).into(),
            PoseError::Content(reason) => DatasetError::Pose {
                sample: self.id.to_owned(),
                path,
                reason,
            },
        })
    }

    /// Reads a picture that must be as large as the one it lies over.
    fn sized<P: GenericImageView>(
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
        Err(DatasetError::Size {
            sample: self.id.to_owned(),
            part,
            path: (self.path)(part)?,
            other: part.size_of(),
            expected,
            found,
        })
    }
}

/// Height and width.
fn size(picture: &impl GenericImageView) -> [usize; 2] {
    let (width, height) = picture.dimensions();
    [height as usize, width as usize]
}

/// 255 from the threshold on, else 0.
fn binary(mut mask: GrayImage) -> GrayImage {
    for level in mask.iter_mut() {
        *level = if *level >= MASK_THRESHOLD { 255 } else { 0 };
    }
    mask
}
