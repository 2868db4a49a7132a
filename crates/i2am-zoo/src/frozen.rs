//! Networks that are taken over from a checkpoint and stay as they are.

use anyhow::{Context, Result};
use i2am_nets::layout::Checkpoint;
use i2am_nets::{Init, TensorSource};
use tch::Tensor;

/// Whether the tensor belongs to a network that is taken over: autoencoder or reference encoder.
pub(crate) fn is_frozen(name: &str) -> bool {
    name.starts_with("vae.") || name.starts_with("image_encoder.")
}

/// Autoencoder and reference encoder from a checkpoint, the rest trainable.
pub(crate) struct Mixed<'a> {
    pub(crate) kept: &'a dyn TensorSource,
    pub(crate) fresh: &'a dyn TensorSource,
}

impl TensorSource for Mixed<'_> {
    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let source = if is_frozen(name) {
            self.kept
        } else {
            self.fresh
        };
        source.tensor(name, shape, init)
    }
}

/// What the frozen networks are, by the content of their files.
pub(crate) fn identity(frozen: &Checkpoint) -> Result<String> {
    let hash = |path: &std::path::Path| {
        i2am_files::sha256_file(path).with_context(|| format!("cannot hash {}", path.display()))
    };
    let hashes: Vec<String> = frozen.files().map(hash).collect::<Result<_>>()?;
    Ok(hashes.join(" "))
}
