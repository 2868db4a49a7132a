//! The one error type of the crate.

use std::io;
use std::path::PathBuf;

/// Why a weight file, or one tensor of it, could not be read. Every message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightError {
    /// The file could not be opened or mapped.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The weight file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is a link to nothing.
    #[error("{}: a link to {}, which is not there; the download it belongs to may have failed", .path.display(), .target.display())]
    Dangling {
        /// The link.
        path: PathBuf,
        /// Where it points.
        target: PathBuf,
    },
    /// The content is none of the formats this crate reads.
    #[error(
        "{}: not a weight file: expected safetensors or a file of torch.save or torch.jit.save, found {found}",
        .path.display()
    )]
    Unrecognized {
        /// The file.
        path: PathBuf,
        /// What the content looks like.
        found: String,
    },
    /// The format is known, this variant of it is not read.
    #[error("{}: {feature}; {advice}", .path.display())]
    Unsupported {
        /// The weight file.
        path: PathBuf,
        /// What is not supported, with the record or tensor it was met in.
        feature: String,
        /// What the user can do about it.
        advice: &'static str,
    },
    /// A part of the file has another length than its description says.
    #[error("{}: {part}: expected {expected} bytes, found {found}", .path.display())]
    Length {
        /// The weight file.
        path: PathBuf,
        /// The part: header, record, storage or tensor.
        part: String,
        /// Bytes the description asks for.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A part of the file does not say what it must say.
    #[error("{}: {part}: expected {expected}, found {found}", .path.display())]
    Malformed {
        /// The weight file.
        path: PathBuf,
        /// The part: header, record, storage or tensor.
        part: String,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A pickle stream is damaged.
    #[error("{}: {record}: pickle byte {offset}: {problem}", .path.display())]
    Pickle {
        /// The weight file.
        path: PathBuf,
        /// The record that holds the pickle.
        record: String,
        /// Where in the pickle, in bytes.
        offset: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The pickle wants something called that does not build tensors or plain containers. Nothing was called.
    #[error(
        "{}: refused: {place} calls for `{global}`, which builds neither tensors nor plain containers; nothing was run",
        .path.display()
    )]
    UnsafePickle {
        /// The weight file.
        path: PathBuf,
        /// The entry or the pickle byte that asks for it.
        place: String,
        /// The Python global, `module.name`.
        global: String,
    },
    /// The checksum recorded in the file is not that of the bytes.
    #[error(
        "{}: {part}: expected crc32 {expected:08x}, found {found:08x}; the file is damaged",
        .path.display()
    )]
    Checksum {
        /// The weight file.
        path: PathBuf,
        /// The record.
        part: String,
        /// The recorded checksum.
        expected: u32,
        /// The checksum of the bytes.
        found: u32,
    },
    /// A count is beyond what any real weight file has; reading on would let the file choose how much memory is used.
    #[error("{}: {part}: more than {limit} {what}", .path.display())]
    Limit {
        /// The weight file.
        path: PathBuf,
        /// Where the count was met.
        part: String,
        /// The limit.
        limit: usize,
        /// What was counted.
        what: &'static str,
    },
    /// The file is sound but holds no tensor that has a name.
    #[error("{}: expected named tensors, found none", .path.display())]
    NoTensors {
        /// The weight file.
        path: PathBuf,
    },
    /// There is no tensor of this name.
    #[error("{}: no tensor `{name}`", .path.display())]
    Missing {
        /// The weight file.
        path: PathBuf,
        /// The name asked for.
        name: String,
    },
}
