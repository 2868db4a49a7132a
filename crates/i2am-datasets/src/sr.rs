//! Super-resolution: pictures to make larger.
//!
//! | given | low-resolution picture ([`Part::Reference`]) | high-resolution picture ([`Part::GroundTruth`]) |
//! |---|---|---|
//! | `low` | the file | none |
//! | `low` and `high` | the file | the file of the same stem, exactly `scale` times as high and wide |
//! | `high` | made of the high one when it is loaded ([`DegradationConfig`]) | the file, cut to a multiple ([`Crop`]) |
//! | `synth` | the same | the persons of the synthetic set, drawn as PNG files |
//!
//! [`Part::Image`] is the low picture enlarged by `scale` with Pillow's bicubic filter: what one has without a model, and as large as
//! the result and the ground truth. [`Part::Mask`] is white throughout: everything is generated ([`Goal::Enlarge`]). Both are stored nowhere.
//!
//! What is made of a picture depends on the picture, the sample's id and the settings alone, never on order or number.

mod config;
mod degradation;
mod files;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use i2am_files::sha256_hex;
use i2am_imaging::{GrayImage, ImagingError, RgbImage, pillow_bicubic_rgb, read_rgb, read_size};
use image::Luma;
use image::imageops::crop_imm;

use i2am_synth::SynthSet;

use crate::dataset::{file_size, part_path};
use crate::{Dataset, DatasetError, Goal, Layout, Pairing, Part, Sample, ids};

pub use config::{Crop, SrConfig};
pub use degradation::{DegradationConfig, DegradationKind, Pass};

/// Goes up whenever a degraded pixel can change.
pub const VERSION: u32 = 1;

/// Sides of the pictures that latent models generate are multiples of this.
const LATENT: usize = 8;

/// Where the low-resolution pictures come from.
#[derive(Clone, Debug)]
enum Low {
    /// Files, one for each sample.
    Files(Vec<PathBuf>),
    /// The high-resolution pictures.
    Made(Box<DegradationConfig>),
}

/// The folders, read.
#[derive(Clone, Debug)]
pub struct Sr {
    root: PathBuf,
    ids: Vec<String>,
    scale: u32,
    crop: Crop,
    low: Low,
    /// One for each sample, or none at all.
    high: Vec<PathBuf>,
}

/// The folder of the drawn set `synth`.
fn drawn_into(generated: &Path, synth: &SynthSet) -> PathBuf {
    generated.join(format!("sr-synth-{}", synth.folder_name()))
}

impl Sr {
    /// Lists the folders; pictures are read later. A sample's id is its file's stem. A drawn set that does not exist yet is drawn
    /// into a folder of its own below `generated`; `progress` gets the number of pictures drawn so far.
    ///
    /// # Errors
    /// [`DatasetError::Setting`] if the settings contradict each other; [`DatasetError::Folder`] if a folder holds no pictures, two of
    /// one stem, one whose stem cannot be a sample's name, or if a picture lacks its counterpart; [`DatasetError::Empty`] if the limit
    /// is 0; [`DatasetError::File`]; for a drawn set also [`DatasetError::Synth`].
    pub fn open(
        config: &SrConfig,
        generated: &Path,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Self, DatasetError> {
        config.check()?;
        let high = match &config.synth {
            None => config.high.clone(),
            Some(synth) => {
                let folder = drawn_into(generated, synth);
                synth.write_persons(&folder, progress)?;
                Some(folder)
            }
        };
        let root = match (&config.low, &high) {
            (Some(folder), _) | (None, Some(folder)) => folder.clone(),
            (None, None) => return Err(config::no_source()),
        };
        let listed = files::pictures(&root)?;
        let counterparts = match (&config.low, &high) {
            (Some(low), Some(high)) => files::counterparts(low, &listed, high)?,
            _ => Vec::new(),
        };
        let mut counterparts = counterparts.into_iter();
        let with_counterpart = |(id, file)| (id, (file, counterparts.next()));
        let listed = listed.into_iter().map(with_counterpart).collect();
        let (ids, files) = ids::sorted(&root, listed, config.limit, "")?;
        let (files, counterparts): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let (low, high) = match config.low {
            Some(_) => (
                Low::Files(files),
                counterparts.into_iter().flatten().collect(),
            ),
            None => (Low::Made(config.degradation()), files),
        };
        Ok(Self {
            root,
            ids,
            scale: config.scale,
            crop: config.crop.unwrap_or_default(),
            low,
            high,
        })
    }

    fn picture(&self, index: usize, part: Part) -> Result<RgbImage, DatasetError> {
        let path = part_path(self, index, part)?;
        read_rgb(path).map_err(|cause| self.unread(index, part, cause))
    }

    fn unread(&self, index: usize, part: Part, cause: ImagingError) -> DatasetError {
        DatasetError::Picture {
            sample: self.ids[index].clone(),
            part,
            cause: Box::new(cause),
        }
    }

    /// Makes sure that the high-resolution picture of sample `index`, of size `high`, is `scale` times the low one, of size `low`.
    fn check_scale(
        &self,
        index: usize,
        low: [usize; 2],
        high: [usize; 2],
    ) -> Result<(), DatasetError> {
        let expected = low.map(|side| side * self.scale as usize);
        if high == expected {
            return Ok(());
        }
        let [height, width] = expected;
        let low = part_path(self, index, Part::Reference)?;
        Err(DatasetError::Mismatch {
            sample: self.ids[index].clone(),
            path: part_path(self, index, Part::GroundTruth)?,
            expected: format!(
                "{height} x {width} pixels (height x width), {} times {}",
                self.scale,
                low.display()
            ),
            found: format!("{} x {}", high[0], high[1]),
        })
    }

    /// Top, left, height and width of what is kept of a high-resolution picture of size `found`.
    fn kept(&self, index: usize, found: [usize; 2]) -> Result<[usize; 4], DatasetError> {
        let multiple = config::common_multiple(LATENT, self.scale as usize);
        let [height, width] = found.map(|side| side / multiple * multiple);
        let whole = [height, width] == found;
        let refuse = |expected: &str| {
            Err(DatasetError::Mismatch {
                sample: self.ids[index].clone(),
                path: part_path(self, index, Part::GroundTruth)?,
                expected: format!("{expected} {multiple}"),
                found: format!("{} x {} pixels (height x width)", found[0], found[1]),
            })
        };
        if height == 0 || width == 0 {
            return refuse("height and width of at least");
        }
        match self.crop {
            Crop::None if !whole => {
                refuse("height and width (`crop = \"none\"`) to be multiples of")
            }
            Crop::None | Crop::TopLeft => Ok([0, 0, height, width]),
            Crop::Center => {
                let [rows, columns] = found;
                Ok([(rows - height) / 2, (columns - width) / 2, height, width])
            }
        }
    }

    /// The low-resolution picture of sample `index`, and the high one if it is at hand or `wanted`.
    fn both(
        &self,
        index: usize,
        wanted: bool,
    ) -> Result<(RgbImage, Option<RgbImage>), DatasetError> {
        match &self.low {
            Low::Files(_) => {
                let low = self.picture(index, Part::Reference)?;
                if !wanted {
                    return Ok((low, None));
                }
                let high = self.picture(index, Part::GroundTruth)?;
                self.check_scale(index, size(&low), size(&high))?;
                Ok((low, Some(high)))
            }
            Low::Made(degradation) => {
                let whole = self.picture(index, Part::GroundTruth)?;
                let [top, left, height, width] =
                    self.kept(index, size(&whole))?.map(|length| length as u32);
                let high = crop_imm(&whole, left, top, width, height).to_image();
                let low = degradation.degrade(&high, self.scale, &self.ids[index]);
                Ok((low, Some(high)))
            }
        }
    }
}

/// Height and width.
fn size(picture: &RgbImage) -> [usize; 2] {
    [picture.height() as usize, picture.width() as usize]
}

impl Dataset for Sr {
    fn name(&self) -> &'static str {
        SrConfig::INFO.name
    }

    fn split(&self) -> &'static str {
        "all"
    }

    fn pairing(&self) -> Option<Pairing> {
        None
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn ids(&self) -> &[String] {
        &self.ids
    }

    /// Of the ground truth the file as it is, which [`Crop`] cuts when it is loaded.
    fn path(&self, index: usize, part: Part) -> Option<PathBuf> {
        match (part, &self.low) {
            (Part::Reference, Low::Files(files)) => files.get(index).cloned(),
            (Part::GroundTruth, _) => self.high.get(index).cloned(),
            _ => None,
        }
    }

    fn why_without(&self, part: Part) -> &'static str {
        match part {
            Part::GroundTruth => ": only `low` is given; add the folder `high`",
            _ => ": super-resolution knows a low- and a high-resolution picture only",
        }
    }

    fn is_derived(&self, part: Part) -> bool {
        match part {
            Part::Image | Part::Mask => true,
            Part::Reference => matches!(self.low, Low::Made(_)),
            _ => false,
        }
    }

    fn goal(&self) -> Goal {
        Goal::Enlarge { scale: self.scale }
    }

    fn remark(&self) -> Option<String> {
        let from = match &self.low {
            Low::Files(_) => "low-resolution files".to_owned(),
            Low::Made(degradation) => {
                format!("low-resolution pictures made by `{}`", degradation.kind)
            }
        };
        Some(format!(
            "super-resolution by {} from {from}: everything is generated, so there is no mask and IMACS has no value",
            self.scale
        ))
    }

    fn load_parts(&self, index: usize, parts: &[Part]) -> Result<Sample, DatasetError> {
        let Some(id) = self.ids.get(index) else {
            return Err(DatasetError::no_sample(&self.ids, index));
        };
        for part in parts.iter().filter(|part| !Part::REQUIRED.contains(part)) {
            part_path(self, index, *part)?;
        }
        let wanted = parts.contains(&Part::GroundTruth);
        let (low, high) = self.both(index, wanted)?;
        let [height, width] = size(&low).map(|side| side * self.scale as usize);
        Ok(Sample {
            id: id.clone(),
            image: pillow_bicubic_rgb(&low, height, width),
            mask: GrayImage::from_pixel(width as u32, height as u32, Luma([255])),
            reference: low,
            ground_truth: high.filter(|_| wanted),
            ..Sample::default()
        })
    }

    /// Also makes sure that sizes fit, from the files' headers.
    fn check(&self, needs: &[Part]) -> Result<(), DatasetError> {
        let gaps = self.gaps(&[&[Part::Reference], needs].concat())?;
        if !gaps.is_empty() {
            return Err(DatasetError::MissingFiles { gaps });
        }
        let size_of = |index: usize, part: Part| {
            let path = part_path(self, index, part)?;
            read_size(path).map_err(|cause| self.unread(index, part, cause))
        };
        for index in 0..self.high.len() {
            let high = size_of(index, Part::GroundTruth)?;
            match &self.low {
                Low::Files(_) => self.check_scale(index, size_of(index, Part::Reference)?, high)?,
                Low::Made(_) => self.kept(index, high).map(drop)?,
            }
        }
        Ok(())
    }

    /// The scale, and how the pictures are made, where they are; that depends on the sample's id too.
    fn decides(&self, index: usize) -> String {
        let made = match &self.low {
            Low::Files(_) => String::new(),
            Low::Made(degradation) => {
                let (id, crop) = (self.ids.get(index), self.crop);
                format!("\tv{VERSION}\t{crop:?}\t{degradation:?}\t{id:?}")
            }
        };
        format!("{}{made}", self.scale)
    }

    /// Starts with [`VERSION`]; files have their names alone, since two folders have no root in common.
    fn index_sha256(&self) -> String {
        let mut text = format!("{}\tv{VERSION}\t-\n", self.name());
        for (index, id) in self.ids.iter().enumerate() {
            for (part, path) in self.files(index) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                writeln!(text, "{id}\t{part}\t{name}\t{}", file_size(&path))
                    .expect("writing to a String cannot fail");
            }
        }
        sha256_hex(text)
    }
}

#[cfg(test)]
mod tests;
