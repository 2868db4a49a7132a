//! What can be wrong with a dataset.

use std::path::PathBuf;

use i2am_files::FileError;
use i2am_imaging::ImagingError;

use crate::{Gap, Part};

/// An error of this crate. Those about a sample name it, its part and the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),

    /// Files that a run will need do not exist.
    #[error("{}", .gaps.iter().map(Gap::to_string).collect::<Vec<_>>().join("; "))]
    MissingFiles {
        /// What is missing, part by part.
        gaps: Vec<Gap>,
    },

    /// The dataset has no such part for this sample.
    #[error("sample `{sample}` of the {dataset} dataset {} has no part `{part}`{hint}", .root.display())]
    NoPart {
        /// The kind of dataset.
        dataset: &'static str,
        /// Its root.
        root: PathBuf,
        /// The sample.
        sample: String,
        /// The part asked for.
        part: Part,
        /// Why, or what to do; starts with `: ` unless empty.
        hint: &'static str,
    },

    /// A picture of a sample cannot be decoded.
    #[error("sample `{sample}`: part `{part}`: {cause}")]
    Picture {
        /// The sample.
        sample: String,
        /// The part.
        part: Part,
        /// What is wrong with the file; names it.
        cause: Box<ImagingError>,
    },

    /// A pixel of a parse map has a label that means nothing.
    #[error("sample `{sample}`: {}: expected labels below {count}, found {found}", .path.display())]
    Label {
        /// The sample.
        sample: String,
        /// The parse map.
        path: PathBuf,
        /// Labels there are.
        count: u8,
        /// The label found.
        found: u8,
    },

    /// A file of joints cannot be understood.
    #[error("sample `{sample}`: {}: {reason}", .path.display())]
    Pose {
        /// The sample.
        sample: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A picture of a synthetic set cannot be written.
    #[error(transparent)]
    WritePicture(Box<ImagingError>),

    /// Two pictures that lie over each other have different sizes.
    #[error(
        "sample `{sample}`: {}: expected `{part}` to have the size of `{other}`, {} x {} (height x width), found {} x {}",
        .path.display(), .expected[0], .expected[1], .found[0], .found[1]
    )]
    Size {
        /// The sample.
        sample: String,
        /// The part that does not fit.
        part: Part,
        /// Its file.
        path: PathBuf,
        /// The part it must fit.
        other: Part,
        /// Height and width of `other`.
        expected: [usize; 2],
        /// Height and width of `part`.
        found: [usize; 2],
    },

    /// An image is not as large as its annotation says.
    #[error(
        "sample `{sample}`: {}: expected {} x {} pixels (height x width) as {} says, found {} x {}",
        .path.display(), .expected[0], .expected[1], .annotations.display(), .found[0], .found[1]
    )]
    AnnotatedSize {
        /// The sample.
        sample: String,
        /// Its image.
        path: PathBuf,
        /// The annotation file.
        annotations: PathBuf,
        /// Height and width as annotated.
        expected: [usize; 2],
        /// Height and width of the image.
        found: [usize; 2],
    },

    /// There is no sample with this number.
    #[error("expected a sample number below {count}, found {index}")]
    NoSample {
        /// The number asked for.
        index: usize,
        /// Number of samples.
        count: usize,
    },

    /// The dataset has no samples, or its limit is 0.
    #[error("{}: expected at least one sample, found none{hint}", .path.display())]
    Empty {
        /// The file that lists the samples.
        path: PathBuf,
        /// Why, if known; starts with `: ` unless empty.
        hint: &'static str,
    },

    /// The name of a split is not that of a folder.
    #[error("expected the name of a split, such as `test` or `train`, found `{found}`")]
    Split {
        /// The name given.
        found: String,
    },

    /// A line of a pairs file is not two file names.
    #[error("{}: line {line}: expected `PERSON CLOTH`, two file names, found `{found}`", .path.display())]
    PairsLine {
        /// The pairs file.
        path: PathBuf,
        /// Line number from 1.
        line: u64,
        /// The line.
        found: String,
    },

    /// A CSV file is not well-formed.
    #[error("{}: line {line}: {reason}", .path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Line number from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },

    /// The table of a super-resolution set contradicts itself.
    #[error("[dataset] of kind `sr`: {setting}: expected {expected}, found {found}")]
    SrSetting {
        /// The key, or the keys.
        setting: &'static str,
        /// What was expected.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A folder is no set of pictures, each with a name of its own.
    #[error("{}: expected {expected}, found {found}", .path.display())]
    PictureFolder {
        /// The folder.
        path: PathBuf,
        /// What was expected.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A high-resolution picture is not as many times larger than its low-resolution one as the set says.
    #[error(
        "sample `{sample}`: {}: expected {} x {} pixels (height x width), {scale} times {}, found {} x {}",
        .path.display(), .expected[0], .expected[1], .low.display(), .found[0], .found[1]
    )]
    Scale {
        /// The sample.
        sample: String,
        /// The high-resolution picture.
        path: PathBuf,
        /// The low-resolution picture.
        low: PathBuf,
        /// How many times larger.
        scale: u32,
        /// Height and width that it should have.
        expected: [usize; 2],
        /// Height and width that it has.
        found: [usize; 2],
    },

    /// A high-resolution picture cannot be cut to a size that is divisible.
    #[error(
        "sample `{sample}`: {}: expected {expected} {multiple}, found {} x {} pixels (height x width)",
        .path.display(), .found[0], .found[1]
    )]
    Multiple {
        /// The sample.
        sample: String,
        /// The high-resolution picture.
        path: PathBuf,
        /// What is expected of height and width.
        expected: &'static str,
        /// What they are to be multiples of.
        multiple: usize,
        /// Height and width.
        found: [usize; 2],
    },

    /// An annotation file is not JSON, or lacks what is needed.
    #[error("{}: {reason}", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        reason: String,
    },

    /// An image or an object of an annotation file cannot be used.
    #[error("{}: {thing}: expected {expected}, found {found}", .path.display())]
    Annotation {
        /// The file.
        path: PathBuf,
        /// The image or object, by its id.
        thing: String,
        /// What was expected of it.
        expected: String,
        /// What is there.
        found: String,
    },

    /// No object can cover such a share of its image.
    #[error(
        "min_area, max_area: expected shares from 0 to 1, the smaller first, found {low} to {high}"
    )]
    AreaRange {
        /// The least share.
        low: f64,
        /// The largest share.
        high: f64,
    },

    /// A manifest has a column that means nothing here, or one twice.
    #[error("{}: line 1: expected each column to be one of {known}, at most once; found `{column}`", .path.display())]
    UnknownColumn {
        /// The manifest.
        path: PathBuf,
        /// The column's name.
        column: String,
        /// The names allowed.
        known: String,
    },

    /// A manifest lacks a column.
    #[error("{}: line 1: expected a column `{column}`, found {found}", .path.display())]
    MissingColumn {
        /// The manifest.
        path: PathBuf,
        /// The column's name.
        column: &'static str,
        /// The columns that are there.
        found: String,
    },

    /// A cell that every sample needs is empty.
    #[error("{}: line {line}: expected a file name in column `{column}`, found an empty cell", .path.display())]
    EmptyCell {
        /// The manifest.
        path: PathBuf,
        /// Line number from 1.
        line: u64,
        /// The column's name.
        column: &'static str,
    },

    /// Two samples have the same id.
    #[error("{}: line {line}: expected every id once, found `{id}` also on line {first}", .path.display())]
    DuplicateId {
        /// The file that lists the samples.
        path: PathBuf,
        /// Line number from 1.
        line: u64,
        /// The line that has the id already.
        first: u64,
        /// The id.
        id: String,
    },

    /// An id cannot be a file name.
    #[error("{}: line {line}: expected an id that can be a file name, found `{id}`: {reason}", .path.display())]
    Id {
        /// The file that lists the samples.
        path: PathBuf,
        /// Line number from 1.
        line: u64,
        /// The id.
        id: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// The folder for a synthetic set holds something else, which is not overwritten.
    #[error("{}: expected an empty folder, or a synthetic set with `{marker}`, found other files: choose another folder", .path.display())]
    NotSynthetic {
        /// The folder.
        path: PathBuf,
        /// The file that marks a synthetic set.
        marker: &'static str,
    },

    /// The folder for a synthetic set holds another synthetic set, which is not overwritten.
    #[error("{}: expected the synthetic set {expected}, found {found}: choose another folder or delete this one", .path.display())]
    OtherSynthetic {
        /// The folder.
        path: PathBuf,
        /// The set wanted.
        expected: String,
        /// The set that is there.
        found: String,
    },

    /// Count or size of a synthetic set is out of range.
    #[error("a synthetic set: expected {name} from {low} to {high}, found {found}")]
    SynthRange {
        /// What is out of range.
        name: &'static str,
        /// The least value.
        low: usize,
        /// The largest value.
        high: usize,
        /// The value given.
        found: usize,
    },
}
