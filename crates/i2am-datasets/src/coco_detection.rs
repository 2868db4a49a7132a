//! Objects in pictures, from annotations as COCO has them: a picture, the box of one object in it, and the crop of that box.
//!
//! For each image of the annotation file, the **first** object in file order whose box covers enough and not too much of the image; an
//! image without one is left out. The box is the masked region, its crop the reference, and the image itself
//! the ground truth, so that a model has to put the object back. Categories and occlusion do not matter; crowds count like objects
//! unless [`Crowds::Skip`] says otherwise. Entries of the file that cannot be used are passed over with a warning.
//!
//! Masks and references are made when a sample is loaded and stored nowhere.
//!
//! # Source
//! `qkrwnstj306/I2AM_PBE_Object_Detection`: `make_dataset.py` @ 27df587, which writes image, mask and crop into folders, image and
//! crop as JPEG once more.

mod annotations;
mod file;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use i2am_files::sha256_hex;
use i2am_imaging::{BoundingBox, GrayImage, read_rgb, read_size};
use image::Luma;
use image::imageops::crop_imm;
use serde::{Deserialize, Serialize};

use crate::dataset::{file_size, part_path};
use crate::masks::is_default;
use crate::{Dataset, DatasetError, DatasetInfo, Layout, Pairing, Part, Sample, ids};
use annotations::{Annotated, Chosen, Crop};

/// The table `[dataset]` of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CocoDetectionConfig {
    /// The annotation file, such as `instances_val2017.json`.
    pub annotations: PathBuf,
    /// The folder that the annotations' file names are relative to.
    pub images: PathBuf,
    /// Least share of the image that an object's box covers, 0 to 1.
    #[serde(default = "least_area")]
    pub min_area: f64,
    /// Largest share of the image that an object's box covers, 0 to 1.
    #[serde(default = "largest_area")]
    pub max_area: f64,
    /// Whether an object that stands for a crowd can be taken.
    #[serde(default, skip_serializing_if = "is_default")]
    pub crowds: Crowds,
    /// Keep only the first samples, in the order of their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// What becomes of annotations with `iscrowd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crowds {
    /// They are objects like others, as for the published builder.
    #[default]
    Keep,
    /// They are not taken.
    Skip,
}

fn least_area() -> f64 {
    0.1
}

fn largest_area() -> f64 {
    0.3
}

impl Layout for CocoDetectionConfig {
    const INFO: &'static DatasetInfo = &DatasetInfo {
        name: "coco-detection",
        summary: "COCO-style annotations: one object of each image is masked, and repainted from a crop of it",
        example: "annotations = 'instances_val2017.json'\nimages = 'val2017'",
    };

    const PLACES: &'static [&'static str] = &["annotations", "images"];

    fn resolve(&mut self, base: &Path) {
        self.annotations = i2am_files::resolve(base, &self.annotations);
        self.images = i2am_files::resolve(base, &self.images);
    }

    fn open(
        &self,
        _generated: &Path,
        _progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Box<dyn Dataset>, DatasetError> {
        Ok(Box::new(CocoDetection::open(self)?))
    }
}

/// The objects, chosen.
#[derive(Clone, Debug)]
pub struct CocoDetection {
    config: CocoDetectionConfig,
    split: String,
    ids: Vec<String>,
    samples: Vec<Annotated>,
    /// Images in the annotation file.
    images: usize,
    /// What was passed over in it.
    warnings: Vec<String>,
}

/// Why there may be no sample.
const NONE_FITS: &str =
    ": no image has an object whose box covers a share from min_area to max_area of it";

impl CocoDetection {
    /// Reads the annotations and chooses the objects; pictures are read later.
    ///
    /// A sample's id is the image's: a number in twelve digits, as in COCO's own file names, a text as it is.
    ///
    /// # Errors
    /// [`DatasetError::File`] if the file cannot be read; [`DatasetError::List`] if it is not an annotation file, or nothing in it can
    /// be used; [`DatasetError::Entry`] if two images have one id; [`DatasetError::Setting`] if no object can be of such an area;
    /// [`DatasetError::Empty`].
    pub fn open(config: &CocoDetectionConfig) -> Result<Self, DatasetError> {
        let (low, high) = (config.min_area, config.max_area);
        if !(0.0 <= low && low <= high && high <= 1.0) {
            return Err(DatasetError::Setting {
                kind: CocoDetectionConfig::INFO.name,
                setting: "min_area, max_area",
                expected: "shares from 0 to 1, the smaller first".to_owned(),
                found: format!("{low} to {high}"),
            });
        }
        let path = &config.annotations;
        let file = file::read(path)?;
        let Chosen {
            samples,
            images,
            warnings,
        } = annotations::choose(path, &file, [low, high], config.crowds)?;
        if samples.is_empty() && !warnings.is_empty() {
            return Err(DatasetError::List {
                path: path.clone(),
                reason: format!(
                    "expected at least one sample, found none{NONE_FITS}; {}",
                    warnings.join("; ")
                ),
            });
        }
        let (ids, samples) = ids::sorted(path, samples, config.limit, NONE_FITS)?;
        let split = path.file_stem().unwrap_or_default();
        Ok(Self {
            config: config.clone(),
            split: split.to_string_lossy().into_owned(),
            ids,
            samples,
            images,
            warnings,
        })
    }
}

impl Dataset for CocoDetection {
    fn name(&self) -> &'static str {
        CocoDetectionConfig::INFO.name
    }

    /// The annotation file's name without its ending.
    fn split(&self) -> &str {
        &self.split
    }

    fn pairing(&self) -> Option<Pairing> {
        None
    }

    fn root(&self) -> &Path {
        &self.config.images
    }

    fn ids(&self) -> &[String] {
        &self.ids
    }

    fn path(&self, index: usize, part: Part) -> Option<PathBuf> {
        let sample = self.samples.get(index)?;
        let stored = matches!(part, Part::Image | Part::GroundTruth);
        stored.then(|| self.config.images.join(&sample.file))
    }

    fn is_derived(&self, part: Part) -> bool {
        matches!(part, Part::Mask | Part::Reference)
    }

    fn why_without(&self, _part: Part) -> &'static str {
        ": annotations give an image, a mask and a reference only"
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn object(&self, index: usize) -> Option<BoundingBox> {
        self.samples.get(index).map(|sample| sample.bounds)
    }

    fn remark(&self) -> Option<String> {
        let (low, high) = (100.0 * self.config.min_area, 100.0 * self.config.max_area);
        Some(format!(
            "{} of {} images with an object of {low} to {high} % of their area",
            self.samples.len(),
            self.images
        ))
    }

    /// The image must be as large as annotated.
    fn check_headers(&self, index: usize, parts: &[Part]) -> Result<(), DatasetError> {
        let size = self.path(index, Part::Image).map(read_size);
        let annotated = self.samples.get(index).map(|sample| sample.size);
        if annotated.is_some() && size.and_then(Result::ok) == annotated {
            return Ok(());
        }
        self.load_parts(index, parts).map(|_sample| ())
    }

    fn load_parts(&self, index: usize, parts: &[Part]) -> Result<Sample, DatasetError> {
        let Some(sample) = self.samples.get(index) else {
            return Err(DatasetError::no_sample(&self.ids, index));
        };
        let made = |part: &Part| Part::REQUIRED.contains(part) || *part == Part::GroundTruth;
        if let Some(&lacking) = parts.iter().find(|part| !made(part)) {
            part_path(self, index, lacking)?;
        }
        let id = &self.ids[index];
        let path = part_path(self, index, Part::Image)?;
        let image = read_rgb(&path).map_err(|cause| DatasetError::Picture {
            sample: id.clone(),
            part: Part::Image,
            cause: Box::new(cause),
        })?;
        let found = [image.height() as usize, image.width() as usize];
        if found != sample.size {
            let [height, width] = sample.size;
            return Err(DatasetError::Mismatch {
                sample: id.clone(),
                path,
                expected: format!(
                    "{height} x {width} pixels (height x width) as {} says",
                    self.config.annotations.display()
                ),
                found: format!("{} x {}", found[0], found[1]),
            });
        }
        let Crop {
            left,
            top,
            width,
            height,
        } = sample.crop;
        let mask = GrayImage::from_fn(image.width(), image.height(), |x, y| {
            let inside = (left..left + width).contains(&x) && (top..top + height).contains(&y);
            Luma([if inside { 255 } else { 0 }])
        });
        Ok(Sample {
            id: id.clone(),
            mask,
            reference: crop_imm(&image, left, top, width, height).to_image(),
            ground_truth: parts.contains(&Part::GroundTruth).then(|| image.clone()),
            image,
            ..Sample::default()
        })
    }

    /// Size and box as annotated, and the cut.
    fn decides(&self, index: usize) -> String {
        let line = |sample: &Annotated| {
            let (size, bounds, crop) = (sample.size, sample.bounds, sample.crop);
            format!("{size:?}\t{bounds:?}\t{crop:?}")
        };
        self.samples.get(index).map(line).unwrap_or_default()
    }

    /// A line for each sample, with file and size of its image and with what the annotation decides.
    fn index_sha256(&self) -> String {
        let mut text = format!("{}\t{}\t-\n", self.name(), self.split);
        for (index, (id, sample)) in self.ids.iter().zip(&self.samples).enumerate() {
            let size = file_size(&self.config.images.join(&sample.file));
            writeln!(
                text,
                "{id}\t{}\t{size}\t{}",
                sample.file,
                self.decides(index)
            )
            .expect("writing to a String cannot fail");
        }
        sha256_hex(text)
    }
}

#[cfg(test)]
mod tests;
