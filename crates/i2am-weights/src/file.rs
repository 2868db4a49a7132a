//! The public type: an open weight file.

use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

use half::{bf16, f16};

use crate::contents::Contents;
use crate::detect;
use crate::dtype::DType;
use crate::error::WeightError;
use crate::format::FileFormat;
use crate::map::MappedFile;
use crate::source::Source;
use crate::tensor::{Tensor, TensorInfo};

/// An open weight file: the names and shapes of its tensors, and their bytes on request.
///
/// Opening reads headers and pickles only. Tensor data stays on disk until [`WeightFile::bytes`] asks for it.
#[derive(Debug)]
pub struct WeightFile {
    map: MappedFile,
    contents: Contents,
    sha256: OnceLock<String>,
}

impl WeightFile {
    /// Opens a safetensors file, a file of `torch.save` of any age but the tar format, or one of `torch.jit.save`.
    ///
    /// Names are those of the state dict (under `state_dict`, `model_state_dict` or `model`, else the saved dictionary
    /// itself); nested dictionaries and `TorchScript` modules are joined by dots, `TorchScript` constants are
    /// `CONSTANTS.c0`, ... All shapes and byte ranges are checked here, so a truncated file fails to open.
    ///
    /// # Errors
    /// Any [`WeightError`] but [`WeightError::Missing`]. [`WeightError::UnsafePickle`] if the pickle names
    /// something that runs code, or has the result of an unknown call in place of a tensor; nothing of a
    /// pickle is ever called.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightError> {
        let map = MappedFile::open(path.as_ref())?;
        let contents = detect::open(Source {
            path: map.path(),
            bytes: map.bytes(),
        })?;
        if contents.tensors.is_empty() {
            return Err(WeightError::NoTensors {
                path: map.path().to_path_buf(),
            });
        }
        Ok(Self {
            map,
            contents,
            sha256: OnceLock::new(),
        })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        self.map.path()
    }

    /// The layout of the file.
    pub fn format(&self) -> FileFormat {
        self.contents.format
    }

    /// The free text that a safetensors file has under `key`; what torch saves has none.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.contents.metadata.get(key).map(String::as_str)
    }

    /// The number of tensors, at least one.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a file without tensors does not open"
    )]
    pub fn len(&self) -> usize {
        self.contents.tensors.len()
    }

    /// The names of all tensors, sorted by their bytes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.contents.tensors.keys().map(String::as_str)
    }

    /// Names and descriptions of all tensors, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.contents
            .tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), &tensor.info))
    }

    /// What the tensor `name` is, if the file has it.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.contents.tensors.get(name).map(|tensor| &tensor.info)
    }

    /// The elements of a tensor in row-major order, little-endian: borrowed from the file if they lie there so, else
    /// copied together from a strided view.
    ///
    /// # Errors
    /// [`WeightError::Missing`] for an unknown name, [`WeightError::Unsupported`] for elements of [`DType::Other`],
    /// [`WeightError::Checksum`] if a zip record is damaged, [`WeightError::Read`] if there is no memory for a copy.
    pub fn bytes(&self, name: &str) -> Result<Cow<'_, [u8]>, WeightError> {
        let tensor = self.tensor(name)?;
        let storage = self.contents.storages[tensor.storage].checked(self.source())?;
        self.cut(tensor, storage)
    }

    fn cut<'a>(&self, tensor: &Tensor, storage: &'a [u8]) -> Result<Cow<'a, [u8]>, WeightError> {
        if let Some(bytes) = tensor.borrow(storage) {
            return Ok(Cow::Borrowed(bytes));
        }
        tensor
            .gather(storage)
            .map(Cow::Owned)
            .ok_or_else(|| WeightError::Read {
                path: self.path().to_path_buf(),
                source: std::io::ErrorKind::OutOfMemory.into(),
            })
    }

    /// The elements of a tensor as f32, rounded to nearest where the type on disk is finer.
    ///
    /// # Errors
    /// As [`WeightFile::bytes`].
    pub fn to_f32(&self, name: &str) -> Result<Vec<f32>, WeightError> {
        let bytes = self.bytes(name)?;
        Ok(floats(&bytes, self.tensor(name)?.info.dtype))
    }

    /// Whether every element of a tensor, as f32, passes `test`. Only as much is read as is needed to tell, and no checksum is compared.
    ///
    /// # Errors
    /// As [`WeightFile::bytes`], but for checksums.
    pub fn all(&self, name: &str, test: impl Fn(f32) -> bool) -> Result<bool, WeightError> {
        const ELEMENTS: usize = 1024;
        let tensor = self.tensor(name)?;
        let storage = &self.map.bytes()[self.contents.storages[tensor.storage].range.clone()];
        let (bytes, dtype) = (self.cut(tensor, storage)?, tensor.info.dtype);
        let mut parts = bytes.chunks(ELEMENTS * dtype.size());
        Ok(parts.all(|part| floats(part, dtype).into_iter().all(&test)))
    }

    /// Whether the elements of a tensor have a type that can be read.
    ///
    /// # Errors
    /// [`WeightError::Missing`] and [`WeightError::Unsupported`], as [`WeightFile::bytes`].
    pub fn check_readable(&self, name: &str) -> Result<(), WeightError> {
        self.tensor(name).map(drop)
    }

    /// SHA-256 of the whole file, in lower-case hexadecimal; computed on the first call, which reads the file.
    pub fn sha256(&self) -> &str {
        self.sha256
            .get_or_init(|| i2am_files::sha256_hex(self.map.bytes()))
    }

    fn source(&self) -> Source<'_> {
        Source {
            path: self.map.path(),
            bytes: self.map.bytes(),
        }
    }

    /// A tensor that can be read.
    fn tensor(&self, name: &str) -> Result<&Tensor, WeightError> {
        let tensor = self.contents.tensors.get(name);
        let tensor = tensor.ok_or_else(|| WeightError::Missing {
            path: self.path().to_path_buf(),
            name: name.to_owned(),
        })?;
        match &tensor.unread {
            None => Ok(tensor),
            Some(kind) => Err(self.source().unsupported(
                format!("tensor `{name}`: {kind} is not supported"),
                "convert it to a floating-point, integer or boolean tensor and save again",
            )),
        }
    }
}

fn floats(bytes: &[u8], dtype: DType) -> Vec<f32> {
    match dtype {
        DType::F16 => convert(bytes, |b| f16::from_le_bytes(b).to_f32()),
        DType::BF16 => convert(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        DType::F32 => convert(bytes, f32::from_le_bytes),
        DType::F64 => convert(bytes, |b| f64::from_le_bytes(b) as f32),
        DType::F8E4M3 => convert(bytes, |[b]| e4m3_to_f32(b)),
        DType::F8E5M2 => convert(bytes, |[b]| f16::from_le_bytes([0, b]).to_f32()),
        DType::I8 => convert(bytes, |b| i8::from_le_bytes(b).into()),
        DType::I16 => convert(bytes, |b| i16::from_le_bytes(b).into()),
        DType::I32 => convert(bytes, |b| i32::from_le_bytes(b) as f32),
        DType::I64 => convert(bytes, |b| i64::from_le_bytes(b) as f32),
        DType::U8 => convert(bytes, |[b]| b.into()),
        DType::Bool => convert(bytes, |[b]| f32::from(u8::from(b != 0))),
        DType::Other => Vec::new(),
    }
}

/// The byte's exponent and mantissa are those of an f16 whose exponent is 8 smaller; but all ones are no number, and there is no infinity.
fn e4m3_to_f32(byte: u8) -> f32 {
    const SHIFT: f32 = 256.0;
    let magnitude = u16::from(byte & 0x7f);
    if magnitude == 0x7f {
        return f32::NAN;
    }
    let value = f16::from_bits(magnitude << 7).to_f32() * SHIFT;
    if byte & 0x80 == 0 { value } else { -value }
}

fn convert<const N: usize>(bytes: &[u8], element: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|&chunk| element(chunk))
        .collect()
}
