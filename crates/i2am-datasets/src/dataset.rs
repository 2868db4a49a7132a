//! What every layout offers, and what follows from it.

mod reader;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use i2am_files::{FileHashes, sha256_hex};
use i2am_imaging::{BoundingBox, MaskDoubt, StoredMask, read_rgb, read_size};

use crate::{DatasetError, Fingerprint, Gap, MaskSettings, Pairing, Part, Sample, masks};
use reader::{Reader, size};

/// What a model is asked to do with the pictures of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// To repaint the masked region.
    Repaint,
    /// To make the reference image larger: everything is generated, so there is no mask and [`Sample::mask`] is white everywhere.
    Enlarge {
        /// How many times as high and wide the result is to be; exactly, or it cannot be compared with the ground truth.
        scale: u32,
    },
}

/// What is strange about a mask of a sample.
#[derive(Clone, Debug)]
pub struct MaskRemark {
    /// Which mask.
    pub part: Part,
    /// What kind of strangeness.
    pub doubt: MaskDoubt,
    /// What people should know.
    pub text: String,
}

/// A list of samples, each a set of files.
///
/// A layout says where the files are: [`name`](Self::name), [`split`](Self::split), [`pairing`](Self::pairing), [`root`](Self::root),
/// [`ids`](Self::ids) and [`path`](Self::path) are all that it must provide. Reading, checking and hashing follow from them; a layout
/// that makes pictures instead of reading them replaces [`load_parts`](Self::load_parts) and says which
/// ([`is_derived`](Self::is_derived)) and from what ([`decides`](Self::decides)).
///
/// # Identity
/// Two hashes and a fingerprint identify a data set; none of them depends on where it is stored.
///
/// | | covers | does not cover |
/// |---|---|---|
/// | [`fingerprint`](Self::fingerprint), one for each sample | content of every file of the sample; pairing; settings and annotations that decide the sample | the sample's id, file names, other samples |
/// | [`list_sha256`](Self::list_sha256) | kind, split, pairing; ids; which file is which part of which sample, by name | what is in the files |
/// | [`index_sha256`](Self::index_sha256) | the same, and the size of every file | content of the same size |
pub trait Dataset: Send + Sync {
    /// The kind, as registered in [`crate::DATASETS`].
    fn name(&self) -> &'static str;

    /// The split: `test`, `train`, or `all` where the layout has none.
    fn split(&self) -> &str;

    /// Which garment is tried on; none where the layout does not say.
    fn pairing(&self) -> Option<Pairing>;

    /// The folder that file names in hashes are relative to.
    fn root(&self) -> &Path;

    /// The samples' names: sorted as texts, unique, fit for file names.
    fn ids(&self) -> &[String];

    /// The number of the sample called `id`.
    fn position(&self, id: &str) -> Option<usize> {
        let found = self.ids().binary_search_by(|other| other.as_str().cmp(id));
        found.ok()
    }

    /// Where a part of sample `index` is stored, whether or not the file exists. None if the dataset has no such part for
    /// this sample, or no such sample.
    fn path(&self, index: usize, part: Part) -> Option<PathBuf>;

    /// The files of sample `index` by part, in the order of [`Part::ALL`], whether or not they exist. Parts that are the same file
    /// have the same path.
    fn files(&self, index: usize) -> Vec<(Part, PathBuf)> {
        let file = |part| Some((part, self.path(index, part)?));
        Part::ALL.into_iter().filter_map(file).collect()
    }

    /// What decides the pictures of sample `index` besides its files: settings, annotations, or its own name.
    fn decides(&self, _index: usize) -> String {
        String::new()
    }

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

    /// How its masks are stored.
    fn masks(&self) -> MaskSettings {
        MaskSettings::default()
    }

    /// What was passed over when the set was opened.
    fn warnings(&self) -> &[String] {
        &[]
    }

    /// What is worth saying about the set as a whole before a run.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Reads the headers of the images of sample `index`, of the parts that every sample has and of `parts`: whether each is an image,
    /// and as large as the one that it lies over.
    ///
    /// # Errors
    /// As [`Dataset::load_parts`], which is asked for the error where a header shows a fault.
    fn check_headers(&self, index: usize, parts: &[Part]) -> Result<(), DatasetError> {
        let wanted = |part: &Part| Part::REQUIRED.contains(part) || parts.contains(part);
        let is_image = |part: &Part| !(self.is_derived(*part) || *part == Part::Pose);
        let mut sizes = BTreeMap::new();
        for part in Part::ALL.into_iter().filter(wanted).filter(is_image) {
            let size = self.path(index, part).map(read_size);
            sizes.insert(part, size.and_then(Result::ok));
        }
        let fits = |(part, size): (&Part, &Option<[usize; 2]>)| {
            let other = sizes.get(&part.size_of()).unwrap_or(size);
            size.is_some() && size == other
        };
        if sizes.iter().all(fits) {
            Ok(())
        } else {
            self.load_parts(index, parts).map(|_sample| ())
        }
    }

    /// Reads the masks of sample `index` that are files: the masked region, and those of `parts`.
    ///
    /// # Errors
    /// [`DatasetError::NoSample`]; [`DatasetError::Picture`] if a mask is damaged, or shows something that would not count.
    fn check_masks(&self, index: usize, parts: &[Part]) -> Result<Vec<MaskRemark>, DatasetError> {
        let Some(id) = self.ids().get(index) else {
            return Err(DatasetError::no_sample(self.ids(), index));
        };
        let reader = Reader {
            id,
            path: &|part| part_path(self, index, part),
            masks: self.masks(),
        };
        let wanted = |part: &Part| {
            let asked = *part == Part::Mask || parts.contains(part);
            asked && self.path(index, *part).is_some_and(|path| path.is_file())
        };
        let mut remarks = Vec::new();
        for part in Part::MASKS.into_iter().filter(wanted) {
            let remark = |doubt: MaskDoubt| MaskRemark {
                part,
                text: masks::remark(part, &doubt),
                doubt,
            };
            remarks.extend(reader.mask(part, None)?.doubts.into_iter().map(remark));
        }
        Ok(remarks)
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
    /// [`DatasetError::Mismatch`] if two parts that lie over each other differ in size, or if a label means nothing;
    /// [`DatasetError::Content`] if a file of joints cannot be understood.
    fn load_parts(&self, index: usize, parts: &[Part]) -> Result<Sample, DatasetError> {
        let Some(id) = self.ids().get(index) else {
            return Err(DatasetError::no_sample(self.ids(), index));
        };
        let reader = Reader {
            id,
            path: &|part| part_path(self, index, part),
            masks: self.masks(),
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
            .then(|| reader.mask(Part::ReferenceMask, Some(over_reference)))
            .transpose()?;
        let labels = |part: Part| {
            let wanted = parts.contains(&part);
            wanted.then(|| reader.labels(part, over_image)).transpose()
        };
        let warped = parts
            .contains(&Part::Warped)
            .then(|| reader.read(Part::Warped, read_rgb))
            .transpose()?;
        let warped_mask = parts
            .contains(&Part::WarpedMask)
            .then(|| reader.mask(Part::WarpedMask, warped.as_ref().map(size)))
            .transpose()?;
        Ok(Sample {
            id: id.clone(),
            mask: reader.mask(Part::Mask, Some(over_image))?.into_binary(),
            reference_mask: reference_mask.map(StoredMask::into_binary),
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
            warped_mask: warped_mask.map(|mask| mask.levels),
            correspondence: parts
                .contains(&Part::Correspondence)
                .then(|| reader.correspondence(over_image))
                .transpose()?,
            image,
            reference,
        })
    }

    /// Makes sure, before a run, that the files it will need exist: the parts that every sample has, and those of `needs`.
    ///
    /// # Errors
    /// [`DatasetError::NoPart`] if the dataset has no such part for a sample; else [`DatasetError::MissingFiles`], which
    /// says for each part how many files are missing and where the first should be.
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

    /// The identity of sample `index` by the content of its files. A file that does not exist is left out, so that the fingerprint
    /// differs once it is there.
    ///
    /// # Errors
    /// [`DatasetError::NoSample`]; [`DatasetError::File`] if a file exists and cannot be read.
    fn fingerprint(&self, index: usize, hashes: &FileHashes) -> Result<Fingerprint, DatasetError> {
        if index >= self.ids().len() {
            return Err(DatasetError::no_sample(self.ids(), index));
        }
        let mut parts = BTreeMap::new();
        for (part, path) in self.files(index) {
            if path.is_file() {
                parts.insert(part, hashes.sha256(&path)?);
            }
        }
        let pairing = self.pairing().map_or("-", Pairing::name);
        let mut decides = format!("{pairing}\t{}", self.decides(index));
        let masks = self.masks();
        if masks != MaskSettings::default() {
            write!(decides, "\t{masks:?}").expect("writing to a String cannot fail");
        }
        Ok(Fingerprint::of(&decides, parts))
    }

    /// sha256 (hexadecimal) of what is listed: a line with kind, split and pairing, then a line for each part of each sample with
    /// id, part, and file name relative to [`Dataset::root`]. It stays the same when a file changes, is repaired or is missing.
    fn list_sha256(&self) -> String {
        sha256_hex(lines(self, |path, below| {
            // A file outside the root has only its name: its folder may move.
            let outside = || Path::new(path.file_name().unwrap_or_default());
            below.unwrap_or_else(outside).display().to_string()
        }))
    }

    /// sha256 (hexadecimal) of what is listed, as [`Dataset::list_sha256`] has it, with the size of each file in bytes, or `-` if it is
    /// missing. Manifests of runs and baselines hold it.
    ///
    /// The content of the files is not read: that is what [`Dataset::fingerprint`] is for.
    fn index_sha256(&self) -> String {
        sha256_hex(lines(self, |path, below| {
            let size = file_size(path);
            format!("{}\t{size}", below.unwrap_or(path).display())
        }))
    }
}

/// The lines of a list of samples. Those of parts end with what `file` says of a path and of the same relative to the root, if it is
/// below it.
fn lines<D: Dataset + ?Sized>(
    dataset: &D,
    file: impl Fn(&Path, Option<&Path>) -> String,
) -> String {
    let pairing = dataset.pairing().map_or("-", Pairing::name);
    let mut text = format!("{}\t{}\t{pairing}\n", dataset.name(), dataset.split());
    for (index, id) in dataset.ids().iter().enumerate() {
        for (part, path) in dataset.files(index) {
            let file = file(&path, path.strip_prefix(dataset.root()).ok());
            writeln!(text, "{id}\t{part}\t{file}").expect("writing to a String cannot fail");
        }
    }
    text
}

/// In bytes; `-` for a file that is missing.
pub(crate) fn file_size(path: &Path) -> String {
    std::fs::metadata(path).map_or("-".to_owned(), |found| found.len().to_string())
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
