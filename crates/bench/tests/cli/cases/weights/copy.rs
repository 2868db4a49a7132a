//! A copy of the committed checkpoint, to be changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{root, run};

pub(super) const NETWORKS: [(&str, &str); 3] = [
    ("unet", "diffusion_pytorch_model"),
    ("vae", "diffusion_pytorch_model"),
    ("image_encoder", "model"),
];

/// Tensors of that checkpoint which its family reads.
pub(super) const USED: usize = 494;

pub(super) fn zoo(name: &str) -> PathBuf {
    root().join("datasets/zoo").join(name)
}

/// A copy in a folder that goes when it is dropped.
pub(super) struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (network, stem) in NETWORKS {
            for file in ["config.json", &format!("{stem}.safetensors")] {
                let (from, name) = (zoo("paint-by-example"), format!("{network}/{file}"));
                let bytes = i2am_files::read(from.join(&name)).unwrap();
                write(&folder.path().join("model").join(name), &bytes);
            }
        }
        Self { folder }
    }

    /// Where everything of a test lies; the checkpoint is `model` in it.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder().join("model").join(name)
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(super) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        write(&self.path(name), bytes.as_ref());
    }

    pub(super) fn link(&self, target: &str, name: &str) {
        std::os::unix::fs::symlink(target, self.path(name)).unwrap();
    }

    pub(super) fn tensors(&self, name: &str) -> Tensors {
        Tensors::read(&self.path(name))
    }

    /// Exit code and output of `bench inspect`.
    pub(super) fn inspect(&self) -> (i32, String) {
        run(self.folder(), &["inspect", "model"])
    }

    /// Fails unless every tensor is found and the files shown are `files`.
    pub(super) fn assert_whole(&self, files: &[&str]) {
        let (code, text) = self.inspect();
        assert_eq!(code, 0, "{text}");
        assert!(
            text.contains(&format!("{USED} used, 0 missing, 0 wrong")),
            "{text}"
        );
        assert!(!text.contains("warning"), "{text}");
        for file in files {
            assert!(
                text.lines()
                    .any(|line| line.ends_with(&format!("  {file}"))),
                "{file}: {text}"
            );
        }
    }

    /// Fails unless `bench inspect` ends with 1 and says all of `words`.
    pub(super) fn assert_refused(&self, words: &[&str]) {
        let (code, text) = self.inspect();
        assert_eq!(code, 1, "{text}");
        assert!(!text.contains("panicked"), "{text}");
        for word in words {
            assert!(text.contains(word), "`{word}`: {text}");
        }
    }
}

pub(super) fn write(path: &Path, bytes: &[u8]) {
    i2am_files::create_dir(path.parent().unwrap()).unwrap();
    i2am_files::write_atomic(path, bytes).unwrap();
}

/// The tensors of a safetensors file: type, shape and bytes by name, and its metadata.
#[derive(Clone, Default)]
pub(super) struct Tensors {
    pub(super) metadata: Option<Value>,
    pub(super) all: BTreeMap<String, (String, Vec<usize>, Vec<u8>)>,
}

impl Tensors {
    pub(super) fn read(path: &Path) -> Self {
        let bytes = i2am_files::read(path).unwrap();
        let (length, rest) = bytes.split_first_chunk().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let mut header: serde_json::Map<String, Value> = serde_json::from_slice(header).unwrap();
        let metadata = header.remove("__metadata__");
        let all = header.into_iter().map(|(name, entry)| {
            let numbers =
                |key: &str| -> Vec<usize> { serde_json::from_value(entry[key].clone()).unwrap() };
            let offsets = numbers("data_offsets");
            let dtype = entry["dtype"].as_str().unwrap().to_owned();
            let bytes = data[offsets[0]..offsets[1]].to_vec();
            (name, (dtype, numbers("shape"), bytes))
        });
        Self {
            metadata,
            all: all.collect(),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
        if let Some(metadata) = &self.metadata {
            header.insert("__metadata__".to_owned(), metadata.clone());
        }
        for (name, (dtype, shape, bytes)) in &self.all {
            let from = data.len();
            data.extend_from_slice(bytes);
            header.insert(
                name.clone(),
                json!({ "dtype": dtype, "shape": shape, "data_offsets": [from, data.len()] }),
            );
        }
        let header = Value::Object(header).to_string();
        let length = (header.len() as u64).to_le_bytes();
        [&length, header.as_bytes(), &data].concat()
    }

    /// With names changed.
    pub(super) fn renamed(&self, name: impl Fn(&str) -> String) -> Self {
        Self {
            metadata: self.metadata.clone(),
            all: self
                .all
                .iter()
                .map(|(old, tensor)| (name(old), tensor.clone()))
                .collect(),
        }
    }

    /// The first and the second half.
    pub(super) fn halves(self) -> [Self; 2] {
        let mut first = self.all;
        let middle = first.keys().nth(first.len() / 2).unwrap().clone();
        let second = first.split_off(&middle);
        [first, second].map(|all| Self {
            metadata: self.metadata.clone(),
            all,
        })
    }
}
