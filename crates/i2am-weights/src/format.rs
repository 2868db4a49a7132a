//! The formats of weight files.

use std::fmt;

/// How a weight file is laid out; found by content, never by extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileFormat {
    /// A safetensors file.
    Safetensors,
    /// A zip file of `torch.save` since torch 1.6.
    PytorchZip,
    /// A stream of `torch.save` before torch 1.6.
    PytorchLegacy,
    /// A zip file of `torch.jit.save`.
    TorchScript,
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Safetensors => "safetensors",
            Self::PytorchZip => "pytorch zip",
            Self::PytorchLegacy => "pytorch legacy",
            Self::TorchScript => "torchscript",
        })
    }
}
