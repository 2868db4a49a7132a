//! Weight files, read without running code: safetensors, and what torch saves.
//!
//! [`WeightFile::open`] maps the file and reads its headers; tensors are byte ranges of the map until they are
//! asked for. Pickles are read as data by a machine that cannot call anything (see
//! [`WeightError::UnsafePickle`]).
//!
//! ```no_run
//! # fn main() -> Result<(), i2am_weights::WeightError> {
//! let file = i2am_weights::WeightFile::open("model.ckpt")?;
//! for (name, info) in file.tensors() {
//!     let values = file.to_f32(name)?;
//!     assert_eq!(values.len(), info.elements);
//! }
//! # Ok(())
//! # }
//! ```

mod archive;
mod contents;
mod detect;
mod dtype;
mod error;
mod file;
mod format;
mod legacy;
mod map;
mod pickle;
mod safetensors;
mod source;
mod state_dict;
mod tensor;
mod torch;
mod torch_zip;
mod torchscript;

pub use detect::describe;
pub use dtype::DType;
pub use error::WeightError;
pub use file::WeightFile;
pub use format::FileFormat;
pub use tensor::TensorInfo;
