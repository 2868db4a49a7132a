//! Features on disk, named by what they were computed from: a file that was renamed, moved or copied is known again, and one that
//! changed is not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::Features;
use crate::error::MetricError;

/// Goes up whenever the same pictures give other features.
const VERSION: u32 = 2;
const TENSOR: &str = "features";
/// Under it the sha256 of the values: a bit that fell over would be a score that is a little wrong.
const HASH: &str = "sha256";

/// What the features of a set depend on, but for the weights; `reading` is [`super::Backbone::key`].
pub(super) fn key(reading: &str, fingerprints: &[String]) -> String {
    let head = format!("{VERSION} {reading}");
    let lines: Vec<&str> = [head.as_str()]
        .into_iter()
        .chain(fingerprints.iter().map(String::as_str))
        .collect();
    i2am_files::sha256_hex(lines.join("\n"))
}

/// A folder of features of one file of weights.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The place in `folder` for features of the network in `weights`.
    pub(super) fn open(folder: &Path, weights: &Path) -> Result<Self, MetricError> {
        let hash = i2am_files::sha256_file(weights)?;
        Ok(Self {
            folder: folder.join(&hash[..16]),
        })
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.safetensors"))
    }

    /// What is kept under `key`. A file that is damaged is as good as none: it will be written again.
    pub(super) fn get(&self, key: &str, width: usize, count: usize) -> Option<Features> {
        let bytes = i2am_files::read(self.path(key)).ok()?;
        let file = SafeTensors::deserialize(&bytes).ok()?;
        let (_, head) = SafeTensors::read_metadata(&bytes).ok()?;
        let hash = head.metadata().as_ref()?.get(HASH)?;
        let view = file.tensor(TENSOR).ok()?;
        if *hash != i2am_files::sha256_hex(view.data()) {
            return None;
        }
        (view.dtype() == Dtype::F32 && view.shape() == [count, width]).then(|| {
            let (values, _) = view.data().as_chunks();
            Features {
                width,
                values: values
                    .iter()
                    .map(|&bytes| f32::from_le_bytes(bytes))
                    .collect(),
            }
        })
    }

    pub(super) fn put(&self, key: &str, features: &Features) -> Result<(), MetricError> {
        let bytes: Vec<u8> = features
            .values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let shape = vec![features.count(), features.width];
        let view = TensorView::new(Dtype::F32, shape, &bytes).expect("four bytes for every value");
        let hash = HashMap::from([(HASH.to_owned(), i2am_files::sha256_hex(&bytes))]);
        let file = safetensors::serialize([(TENSOR, view)], Some(hash));
        let file = file.expect("one tensor has a header");
        Ok(i2am_files::write_atomic(self.path(key), file)?)
    }
}
