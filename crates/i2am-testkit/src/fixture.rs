//! Folders of reference values.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::{skipped, workspace_root};

/// The variable that names a further folder of fixtures, laid out as `<folder>/<family>/<file>`.
const ELSEWHERE: &str = "I2AM_FIXTURES";

/// Folders that hold the reference values of `family`: `<committed>/<family>`, then `$I2AM_FIXTURES/<family>` if that variable is
/// set. A relative path in the variable starts at the workspace root, wherever the test runs.
///
/// If the second folder is missing, the test counts as [`skipped`] there.
///
/// # Panics
/// If the committed folder is missing, or the variable names something that is not a folder.
#[track_caller]
pub fn fixtures(committed: &Path, family: &str) -> Vec<FixtureDir> {
    let elsewhere = env::var_os(ELSEWHERE)
        .filter(|value| !value.is_empty())
        .map(|value| workspace_root().join(value));
    let found = folders(committed, family, elsewhere.as_deref());
    if let (Some(elsewhere), [_]) = (&elsewhere, &*found) {
        skipped(format!("no folder {family} in {}", elsewhere.display()));
    }
    found
}

#[track_caller]
fn folders(committed: &Path, family: &str, elsewhere: Option<&Path>) -> Vec<FixtureDir> {
    let path = committed.join(family);
    assert!(path.is_dir(), "{}: no such fixture folder", path.display());
    let mut found = vec![FixtureDir { path }];

    if let Some(elsewhere) = elsewhere {
        assert!(
            elsewhere.is_dir(),
            "{ELSEWHERE}: {} is not a folder",
            elsewhere.display()
        );
        let path = elsewhere.join(family);
        if path.is_dir() {
            found.push(FixtureDir { path });
        }
    }
    found
}

/// One folder of reference values.
#[derive(Debug, Clone)]
pub struct FixtureDir {
    path: PathBuf,
}

impl FixtureDir {
    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder as it should appear in messages: its path.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether the folder has `file`, given with or without the extension `.safetensors` or `.json`.
    pub fn has(&self, file: &str) -> bool {
        ["", ".safetensors", ".json"]
            .iter()
            .any(|extension| self.path.join(format!("{file}{extension}")).is_file())
    }

    /// Reads `<file>.safetensors`.
    ///
    /// # Panics
    /// If the file cannot be read.
    #[track_caller]
    pub fn tensors(&self, file: &str) -> Tensors {
        let path = self.path.join(format!("{file}.safetensors"));
        let bytes = read(&path);
        let parsed = SafeTensors::deserialize(&bytes)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tensors = parsed
            .iter()
            .map(|(name, view)| {
                let tensor = FixtureTensor {
                    dtype: view.dtype(),
                    shape: view.shape().to_vec(),
                    bytes: view.data().to_vec(),
                };
                (name.to_owned(), tensor)
            })
            .collect();
        Tensors { path, tensors }
    }

    /// Reads `<file>.json`, the configuration that the tensors of the same name were made with.
    ///
    /// # Panics
    /// If the file cannot be read or is not JSON.
    #[track_caller]
    pub fn json(&self, file: &str) -> Value {
        let path = self.path.join(format!("{file}.json"));
        serde_json::from_slice(&read(&path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

#[track_caller]
fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One reference tensor, contiguous and row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct FixtureTensor {
    /// Element type in the file.
    pub dtype: Dtype,
    /// Extent of each axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements, little-endian.
    pub bytes: Vec<u8>,
}

impl FixtureTensor {
    fn elements<const N: usize, T>(&self, decode: fn([u8; N]) -> T) -> Vec<T> {
        let (chunks, rest) = self.bytes.as_chunks::<N>();
        debug_assert!(rest.is_empty(), "safetensors checks sizes");
        chunks.iter().copied().map(decode).collect()
    }
}

/// The tensors of one file, by name.
#[derive(Debug, Clone)]
pub struct Tensors {
    path: PathBuf,
    tensors: BTreeMap<String, FixtureTensor>,
}

impl Tensors {
    /// Names in sorted order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Names and tensors in sorted order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FixtureTensor)> {
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Whether there is a tensor `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor `name`.
    ///
    /// # Panics
    /// If there is none, listing those there are.
    #[track_caller]
    pub fn tensor(&self, name: &str) -> &FixtureTensor {
        self.tensors.get(name).unwrap_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            panic!(
                "{}: no tensor `{name}` among {}",
                self.path.display(),
                names.join(", ")
            )
        })
    }

    /// Shape of the tensor `name`.
    ///
    /// # Panics
    /// As [`Tensors::tensor`].
    #[track_caller]
    pub fn shape(&self, name: &str) -> &[usize] {
        &self.tensor(name).shape
    }

    /// Elements of the 32-bit float tensor `name`.
    ///
    /// # Panics
    /// If there is no such tensor or it has another element type; nothing is converted.
    #[track_caller]
    pub fn f32(&self, name: &str) -> Vec<f32> {
        self.typed(name, Dtype::F32).elements(f32::from_le_bytes)
    }

    /// Elements of the unsigned byte tensor `name`: pictures and masks.
    ///
    /// # Panics
    /// As [`Tensors::f32`].
    #[track_caller]
    pub fn u8(&self, name: &str) -> Vec<u8> {
        self.typed(name, Dtype::U8).bytes.clone()
    }

    /// Elements of the 64-bit integer tensor `name`: time steps and indices.
    ///
    /// # Panics
    /// As [`Tensors::f32`].
    #[track_caller]
    pub fn i64(&self, name: &str) -> Vec<i64> {
        self.typed(name, Dtype::I64).elements(i64::from_le_bytes)
    }

    #[track_caller]
    fn typed(&self, name: &str, dtype: Dtype) -> &FixtureTensor {
        let tensor = self.tensor(name);
        assert!(
            tensor.dtype == dtype,
            "{}: tensor `{name}`: expected element type {dtype}, found {}",
            self.path.display(),
            tensor.dtype
        );
        tensor
    }
}

#[cfg(test)]
mod tests;
