//! What can go wrong while measuring.

use std::path::PathBuf;

use i2am_files::FileError;
use i2am_imaging::ImagingError;
#[cfg(feature = "torch")]
use i2am_nets::guard::{FailureKind, TorchFailure};

/// An error of this crate. Those about a file name it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// A picture could not be read.
    #[error(transparent)]
    Image(#[from] ImagingError),

    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),

    /// A network could not be built from its weights.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Net(#[from] i2am_nets::NetError),

    /// libtorch gave up, or the program at work with it.
    #[cfg(feature = "torch")]
    #[error("{metric}: {}", Self::reason_of(.failure))]
    Torch {
        /// The metric.
        metric: &'static str,
        /// What went wrong.
        failure: TorchFailure,
    },

    /// A metric that libtorch computes, in a build without it.
    #[error("{metric}: this build has no libtorch, so it cannot measure it")]
    NeedsTorch {
        /// The metric.
        metric: &'static str,
    },

    /// Weights that a metric cannot do without are nowhere.
    #[error("no weights `{name}`: expected {}; {help}", .looked_for.join(" or "))]
    NoWeights {
        /// As in `--weights NAME=FILE`.
        name: &'static str,
        /// The places that were looked at.
        looked_for: Vec<String>,
        /// How to get them.
        help: &'static str,
    },

    /// The two pictures of a pair must have one size.
    #[error("expected pictures of one size, found generated {} x {}, real {} x {} (height x width)", .generated[0], .generated[1], .real[0], .real[1])]
    PairSize {
        /// Height and width of the generated picture.
        generated: [u32; 2],
        /// Height and width of the real picture.
        real: [u32; 2],
    },

    /// A picture is smaller than the metric's window or network allows.
    #[error("{metric}: expected pictures of at least {least} x {least}, found {} x {}", .found[0], .found[1])]
    TooSmall {
        /// The metric.
        metric: &'static str,
        /// Least height and width.
        least: u32,
        /// Height and width of the picture.
        found: [u32; 2],
    },

    /// A set holds fewer pictures than the metric is defined for.
    #[error("{metric}: expected at least {least} pictures in {place}, found {found}")]
    TooFew {
        /// The metric.
        metric: &'static str,
        /// The folder, list or data set.
        place: String,
        /// The least number.
        least: usize,
        /// The number of pictures there.
        found: usize,
    },

    /// A folder or list that cannot be used as a set of pictures.
    #[error("{}: {reason}", .path.display())]
    Set {
        /// The folder or list.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },

    /// A file of statistics that cannot be used.
    #[error("{}: {reason}", .path.display())]
    Statistics {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },

    /// Settings, weights or sets that cannot be used.
    #[error("{metric}: {reason}")]
    Unusable {
        /// The metric.
        metric: &'static str,
        /// What was expected and what was found.
        reason: String,
    },
}

impl MetricError {
    /// Whether the device cannot be used again in this process, so that whatever follows would fail too.
    pub fn is_device_lost(&self) -> bool {
        #[cfg(feature = "torch")]
        if let Self::Torch { failure, .. } = self {
            return failure.kind == FailureKind::DeviceLost;
        }
        false
    }

    /// What went wrong, and what can be done about it.
    #[cfg(feature = "torch")]
    pub(crate) fn reason_of(failure: &TorchFailure) -> String {
        let advice = match failure.kind {
            FailureKind::OutOfMemory => {
                "; take fewer images at a time (--batch-size), or smaller images"
            }
            FailureKind::DeviceLost => "; the device is lost to this process: start again",
            FailureKind::Other => "",
        };
        format!("{failure}{advice}")
    }
}
