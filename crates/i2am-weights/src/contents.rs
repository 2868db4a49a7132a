//! What every format is parsed into: named tensors over byte ranges of the file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::OnceLock;

use crate::error::WeightError;
use crate::format::FileFormat;
use crate::source::Source;
use crate::tensor::Tensor;
use crate::torch::Recipe;

/// A byte range of the file that tensors lie in.
#[derive(Debug)]
pub(crate) struct Storage {
    /// What an error calls it.
    pub(crate) label: String,
    /// Where it lies; within the file.
    pub(crate) range: Range<usize>,
    /// The checksum the file records for it, if any.
    pub(crate) crc32: Option<u32>,
    /// The checksum of its bytes, once computed.
    computed: OnceLock<u32>,
}

impl Storage {
    pub(crate) fn new(label: String, range: Range<usize>, crc32: Option<u32>) -> Self {
        Self {
            label,
            range,
            crc32,
            computed: OnceLock::new(),
        }
    }

    /// The storage's bytes, after comparing them once with the recorded checksum.
    pub(crate) fn checked<'a>(&self, source: Source<'a>) -> Result<&'a [u8], WeightError> {
        let bytes = &source.bytes[self.range.clone()];
        if let Some(expected) = self.crc32 {
            let found = *self.computed.get_or_init(|| crc32fast::hash(bytes));
            if found != expected {
                let (path, part) = (source.path.to_path_buf(), self.label.clone());
                return Err(WeightError::Checksum {
                    path,
                    part,
                    expected,
                    found,
                });
            }
        }
        Ok(bytes)
    }
}

/// A parsed file.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) format: FileFormat,
    pub(crate) tensors: BTreeMap<String, Tensor>,
    pub(crate) storages: Vec<Storage>,
    /// Free texts by key.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Collects the tensors of a file written by torch.
#[derive(Debug)]
pub(crate) struct Collector<'a> {
    source: Source<'a>,
    tensors: BTreeMap<String, Tensor>,
    storages: Vec<Storage>,
    /// Index of each storage by its label: tensors share storages.
    index: BTreeMap<String, usize>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            tensors: BTreeMap::new(),
            storages: Vec::new(),
            index: BTreeMap::new(),
        }
    }

    /// Adds the tensor `name`; `locate` finds its storage, called `label`, in the file.
    pub(crate) fn add(
        &mut self,
        name: String,
        recipe: Recipe<'_>,
        label: String,
        locate: impl FnOnce(String) -> Result<Storage, WeightError>,
    ) -> Result<(), WeightError> {
        let storage = match self.index.entry(label) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.storages.push(locate(new.key().clone())?);
                *new.insert(self.storages.len() - 1)
            }
        };
        let Storage { label, range, .. } = &self.storages[storage];
        let declared = recipe.storage.bytes();
        if declared != Some(range.len() as u64) {
            let part = format!("{label} of tensor `{name}`");
            return Err(self
                .source
                .length(part, declared.unwrap_or(u64::MAX), range.len() as u64));
        }
        let bounded = recipe.bounded(self.source, &name, range.len())?;
        let tensor = bounded
            .layout
            .fit(self.source, &name, storage, bounded.available)?;
        self.insert(name, tensor)
    }

    /// Adds the tensor `name` of a `kind` that cannot be read.
    pub(crate) fn pass_over(
        &mut self,
        name: String,
        shape: Vec<usize>,
        kind: String,
    ) -> Result<(), WeightError> {
        self.insert(name, Tensor::unread(shape, kind))
    }

    fn insert(&mut self, name: String, tensor: Tensor) -> Result<(), WeightError> {
        self.source.check_name(&name)?;
        match self.tensors.entry(name) {
            Entry::Vacant(free) => free.insert(tensor),
            Entry::Occupied(taken) => {
                let part = format!("tensor `{}`", taken.key());
                return Err(self
                    .source
                    .malformed(part, "one tensor of this name", "several"));
            }
        };
        Ok(())
    }

    pub(crate) fn finish(self, format: FileFormat) -> Contents {
        Contents {
            format,
            tensors: self.tensors,
            storages: self.storages,
            metadata: BTreeMap::new(),
        }
    }
}
