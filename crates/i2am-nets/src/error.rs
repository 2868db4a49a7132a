//! The one error type of the crate.

use std::path::PathBuf;

use i2am_weights::WeightError;

use crate::load_report::LoadReport;

/// What can be wrong with a network or its checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// A weight file could not be read.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// A checkpoint's path holds nothing that any layout knows.
    #[error("{}: {reason}", .path.display())]
    Layout {
        /// The checkpoint.
        path: PathBuf,
        /// What was looked for and what was found.
        reason: String,
    },
    /// A `config.json` could not be read or asks for something that is not built here.
    #[error("{}: {reason}", .path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The key, what was expected and what was found.
        reason: String,
    },
    /// Sizes could not be inferred because a tensor that tells them is absent.
    #[error("{}: cannot infer the sizes of the {network}: tensor `{tensor}` is missing", .path.display())]
    Infer {
        /// The checkpoint.
        path: PathBuf,
        /// The network.
        network: &'static str,
        /// The tensor, in the diffusers spelling.
        tensor: String,
    },
    /// Tensors are missing or have another shape than the network needs.
    #[error("{}: {}", .path.display(), .report.complaint())]
    Tensors {
        /// The checkpoint.
        path: PathBuf,
        /// Everything that is wrong.
        report: Box<LoadReport>,
    },
    /// A tensor of a network that LDM files have no name for, or a part of one that they store with others.
    #[error("tensor `{tensor}`: LDM files have no place for it alone")]
    NoLdmName {
        /// The full name in the spelling used here.
        tensor: String,
    },
    /// A file that is not a weight file could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}
