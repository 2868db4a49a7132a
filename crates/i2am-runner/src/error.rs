//! The one error type of this crate.

use std::path::PathBuf;

use i2am_attribution::AttributionError;
use i2am_datasets::Part;
use i2am_nets::NetError;
use i2am_nets::guard::{FailureKind, TorchFailure};

/// What can go wrong between a sample and its picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// The checkpoint cannot be loaded.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A tensor operator failed, or another part of the program panicked.
    #[error(transparent)]
    Torch(TorchFailure),
    /// There was not enough memory.
    #[error(
        "{0}; less is needed with a smaller batch, with precision f16 or bf16, at a smaller size, or with a smaller attribution.capture.chunk_mib"
    )]
    OutOfMemory(TorchFailure),
    /// The device cannot be used again in this process.
    #[error("the device cannot be used again by this process: {0}")]
    DeviceLost(TorchFailure),
    /// A number of steps that the schedule does not allow.
    #[error("sampler.steps = {steps}: {reason}")]
    Steps {
        /// What was asked for.
        steps: u32,
        /// Why it cannot work.
        reason: String,
    },
    /// A setting of what is recorded out of range.
    #[error(transparent)]
    Attribution(#[from] AttributionError),
    /// A setting out of range.
    #[error("{key}: expected {expected}, found {found}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The checkpoint belongs to another family.
    #[error("{}: expected a {family} checkpoint, found {found}", .path.display())]
    WrongFamily {
        /// The checkpoint.
        path: PathBuf,
        /// The family asked for.
        family: &'static str,
        /// What tells it apart.
        found: String,
    },
    /// Picture and mask differ in size.
    #[error(
        "sample {sample}: expected a mask of {expected:?} (height, width) like the image, found {found:?}"
    )]
    MaskSize {
        /// The sample's id.
        sample: String,
        /// Height and width of the image.
        expected: (u32, u32),
        /// Height and width of the mask.
        found: (u32, u32),
    },
    /// The tokenizer's files cannot be used.
    #[error("{}: {reason}", .path.display())]
    Tokenizer {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A sample lacks a part that the family reads.
    #[error("sample {sample}: a {family} model needs its {part}, which the data set does not give")]
    MissingPart {
        /// The sample's id.
        sample: String,
        /// The family.
        family: &'static str,
        /// What is lacking.
        part: Part,
    },
    /// A part of a sample that the family cannot work with.
    #[error("sample {sample}: {part}: {reason}")]
    Sample {
        /// The sample's id.
        sample: String,
        /// The part.
        part: Part,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Injected noise is absent or has another shape.
    #[error("noise for `{purpose}`: expected shape {expected:?}, found {}", .found.as_ref().map_or("none".to_owned(), |f| format!("{f:?}")))]
    Noise {
        /// What it is for.
        purpose: String,
        /// The shape needed.
        expected: Vec<i64>,
        /// The shape given, if any.
        found: Option<Vec<i64>>,
    },
    /// The model produced numbers that are not finite.
    #[error(
        "sample {sample}: {what} holds values that are not finite; a higher precision, or another checkpoint, may help"
    )]
    NotFinite {
        /// The sample's id.
        sample: String,
        /// Which tensor, and in which step it arose.
        what: String,
    },
    /// A rule of an intervention that cannot work.
    #[error("intervene.{rule}: {reason}")]
    Intervene {
        /// The rule: `scale` or `forbid`, and its number from 0.
        rule: String,
        /// Why not.
        reason: String,
    },
    /// A damage that cannot be done to the model.
    #[error("damage.{index}: {reason}")]
    Damage {
        /// Its number among the model's, from 0.
        index: usize,
        /// Why not.
        reason: String,
    },
    /// A layer named for position-by-position maps does not exist or has no spatial reference.
    #[error("attribution.specific: layer `{layer}`: {reason}")]
    Specific {
        /// The layer.
        layer: String,
        /// Why not.
        reason: String,
    },
}

impl From<TorchFailure> for RunnerError {
    fn from(failure: TorchFailure) -> Self {
        match failure.kind {
            FailureKind::OutOfMemory => Self::OutOfMemory(failure),
            FailureKind::DeviceLost => Self::DeviceLost(failure),
            FailureKind::Other => Self::Torch(failure),
        }
    }
}
