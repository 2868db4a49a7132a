//! Files of `torch.save` before torch 1.6, still written on request.
//!
//! Five pickles one after the other (magic number, protocol, system, the object, the storage keys), then for each key
//! the number of elements as eight bytes and the elements themselves.

use std::collections::BTreeMap;

use crate::contents::{Collector, Contents, Storage};
use crate::error::WeightError;
use crate::format::FileFormat;
use crate::pickle::{Heap, Id, Pickle, Value};
use crate::source::Source;
use crate::torch::Described;
use crate::{state_dict, torch};

const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
const PROTOCOL: i128 = 1001;

pub(crate) fn open(source: Source<'_>) -> Result<Contents, WeightError> {
    let mut stream = Stream {
        source,
        position: 0,
    };
    let magic = stream.pickle("magic number")?;
    if magic.heap.int(magic.root) != Some(MAGIC) {
        return Err(source.unrecognized("a pickle that torch.save did not write"));
    }
    let protocol = stream.pickle("protocol")?;
    if protocol.heap.int(protocol.root) != Some(PROTOCOL) {
        let found = protocol.heap.describe(protocol.root);
        return Err(source.malformed("protocol", format!("the integer {PROTOCOL}"), found));
    }
    let system = stream.pickle("system")?;
    if let Some(little) = system.heap.lookup(system.root, "little_endian")
        && *system.heap.get(little) == Value::Bool(false)
    {
        let advice = "load it in torch and save it again on a little-endian machine";
        return Err(source.unsupported("the tensors are big-endian", advice));
    }
    let object = stream.pickle("object")?;
    let keys = stream.pickle("storage keys")?;
    let storages = stream.storages(&object.heap, &keys)?;

    let mut collector = Collector::new(source);
    for (name, described) in state_dict::named_tensors(source, &object.heap, object.root)? {
        let recipe = match described {
            Described::Tensor(recipe) => recipe,
            Described::Unread { shape, kind } => {
                collector.pass_over(name, shape, kind)?;
                continue;
            }
        };
        let key = recipe.storage.key;
        let range = storages.get(key).cloned();
        collector.add(name, recipe, label(key), |label| match range {
            Some(range) => Ok(Storage::new(label, range, None)),
            None => Err(source.malformed(
                label,
                "one of the storages at the end of the file",
                "none of this key",
            )),
        })?;
    }
    Ok(collector.finish(FileFormat::PytorchLegacy))
}

fn label(key: &str) -> String {
    format!("storage {}", key.escape_debug())
}

/// The file from `position` on.
struct Stream<'a> {
    source: Source<'a>,
    position: usize,
}

impl<'a> Stream<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.source.bytes[self.position..]
    }

    fn pickle(&mut self, record: &str) -> Result<Pickle<'a>, WeightError> {
        let pickle = self.source.pickle(record, self.rest())?;
        self.position += pickle.length;
        Ok(pickle)
    }

    /// Where each storage lies, by key. Element sizes are those the object's pickle gives.
    fn storages(
        &mut self,
        object: &Heap<'_>,
        keys: &Pickle<'_>,
    ) -> Result<BTreeMap<String, std::ops::Range<usize>>, WeightError> {
        let sizes = element_sizes(object);
        let Some(items) = keys.heap.items(keys.root) else {
            return Err(self.source.malformed(
                "storage keys",
                "a list",
                keys.heap.describe(keys.root),
            ));
        };
        let mut storages = BTreeMap::new();
        for &item in items {
            let key = self.key(&keys.heap, item)?;
            let Some(size) = sizes.get(key) else {
                return Err(self.source.malformed(
                    label(key),
                    "a storage of a known type that the object refers to",
                    "another",
                ));
            };
            let (count, _) = self.rest().split_first_chunk().ok_or_else(|| {
                self.source.length(
                    format!("element count of {}", label(key)),
                    8,
                    self.rest().len() as u64,
                )
            })?;
            self.position += count.len();
            let expected = u64::from_le_bytes(*count).saturating_mul(*size as u64);
            let found = self.rest().len() as u64;
            if expected > found {
                return Err(self.source.length(label(key), expected, found));
            }
            let start = self.position;
            self.position += expected as usize;
            if storages
                .insert(key.to_owned(), start..self.position)
                .is_some()
            {
                return Err(self.source.malformed(
                    label(key),
                    "one storage of this key",
                    "several",
                ));
            }
        }
        Ok(storages)
    }

    fn key<'k>(&self, heap: &'k Heap<'_>, item: Id) -> Result<&'k str, WeightError> {
        heap.text(item).ok_or_else(|| {
            self.source
                .malformed("storage keys", "strings", heap.describe(item))
        })
    }
}

/// Bytes of an element of each storage that the object's pickle refers to.
fn element_sizes<'h>(object: &'h Heap<'_>) -> BTreeMap<&'h str, usize> {
    let storages = object
        .ids()
        .filter_map(|id| torch::storage(object, id)?.ok());
    storages
        .filter_map(|storage| Some((storage.key, storage.element_size()?)))
        .collect()
}
