//! Networks that are taken over from a checkpoint and stay as they are.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use i2am_nets::layout::{Checkpoint, Layout};
use i2am_nets::{Init, TensorSource};
use tch::Tensor;

use crate::config::shared::{Config, Keys};

/// Autoencoder and reference encoder from a checkpoint, the rest trainable.
pub(crate) struct Mixed<'a> {
    pub(crate) kept: &'a dyn TensorSource,
    pub(crate) fresh: &'a dyn TensorSource,
}

impl TensorSource for Mixed<'_> {
    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let is_frozen = name.starts_with("vae.") || name.starts_with("image_encoder.");
        let source = if is_frozen { self.kept } else { self.fresh };
        source.tensor(name, shape, init)
    }
}

/// The frozen networks of `config`: those of its folder, which must be a diffusers folder, and the autoencoder that takes the place of that one.
///
/// # Errors
/// A checkpoint of another layout, or what cannot be opened.
pub(crate) fn open<K: Keys>(config: &Config<K>) -> Result<Checkpoint> {
    let path = &config.frozen;
    let mut checkpoint = Checkpoint::open(path)?;
    let found = checkpoint.layout();
    ensure!(
        found == Layout::Diffusers,
        "{}: expected a diffusers folder, found the layout {found}",
        path.display()
    );
    if let Some(folder) = config.keys.autoencoder() {
        checkpoint.lay_over(Checkpoint::open_network(folder, "vae", None)?);
    }
    Ok(checkpoint)
}

/// What the frozen networks of `config` are, by the content of their files.
pub(crate) fn identity<K: Keys>(config: &Config<K>) -> Result<String> {
    let hash = |path: &Path| {
        i2am_files::sha256_file(path).with_context(|| format!("cannot hash {}", path.display()))
    };
    let hashes: Vec<String> = open(config)?.files().map(hash).collect::<Result<_>>()?;
    Ok(hashes.join(" "))
}
