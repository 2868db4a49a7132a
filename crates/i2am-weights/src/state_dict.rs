//! From the object a checkpoint holds to named tensors.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::error::WeightError;
use crate::pickle::{Heap, Id, Value};
use crate::source::Source;
use crate::torch::{self, Described};
use crate::torchscript;

/// Keys under which training programs put the state dict, the usual one first.
const WRAPPERS: &[&str] = &["state_dict", "model_state_dict", "model"];
/// Dictionaries within dictionaries; a training checkpoint has three.
const MAX_DEPTH: usize = 64;
/// Entries looked at; a large model has some thousand.
const MAX_ENTRIES: usize = 1 << 19;
/// Bytes of the names of all entries looked at.
const MAX_NAME_BYTES: usize = 64 << 20;

/// A dictionary, or the attributes of a `TorchScript` object, whose entries are still to be looked at.
struct Container {
    entries: Id,
    /// Name of the container followed by a dot; empty for the outermost.
    prefix: String,
    depth: usize,
    /// Whether it is part of a state dict, where everything that is built must be a tensor.
    is_state_dict: bool,
}

/// The named tensors of the object `root`, nested names joined by dots.
///
/// The state dict is what lies under `state_dict`, `model_state_dict` or `model`, else the object itself. Numbers,
/// strings, lists and the like are passed over. So is an object made by an unknown call, unless it stands in a state
/// dict: there it is in place of a tensor, and the file is refused.
pub(crate) fn named_tensors<'h>(
    source: Source<'_>,
    heap: &'h Heap<'_>,
    root: Id,
) -> Result<Vec<(String, Described<'h>)>, WeightError> {
    let mut tensors = Vec::new();
    let mut budget = Budget {
        entries: MAX_ENTRIES,
        name_bytes: MAX_NAME_BYTES,
    };
    let mut pending = vec![outermost(source, heap, root)?];
    while let Some(container) = pending.pop() {
        // The last of equal keys counts, as in Python.
        let mut entries = BTreeMap::new();
        for &(key, value) in heap.pairs(container.entries).unwrap_or_default() {
            budget.spend(
                source,
                container.prefix.len() + heap.text(key).map_or(0, str::len),
            )?;
            if let Some(key) = key_name(heap, key) {
                entries.insert(format!("{}{key}", container.prefix), value);
            }
        }
        let holds_tensor = entries.values().any(|&value| torch::is_tensor(heap, value));
        let is_state_dict = container.is_state_dict || holds_tensor;
        for (name, value) in entries {
            if let Some(described) = torch::tensor(heap, value) {
                let described = described.map_err(|argument| argument.of(source, &name))?;
                tensors.push((name, described));
            } else if let Some(entries) = container_entries(heap, value) {
                let depth = container.depth + 1;
                if depth > MAX_DEPTH {
                    return Err(source.limit(
                        "state dict",
                        MAX_DEPTH,
                        "dictionaries within each other",
                    ));
                }
                pending.push(Container {
                    entries,
                    prefix: name + ".",
                    depth,
                    is_state_dict,
                });
            } else if is_state_dict && is_foreign(heap, value) {
                return Err(
                    source.unsafe_pickle(format!("entry `{name}`"), heap.global_name(value))
                );
            }
        }
    }
    Ok(tensors)
}

/// What may still be looked at: a small file can nest one dictionary in itself again and again.
struct Budget {
    entries: usize,
    name_bytes: usize,
}

impl Budget {
    fn spend(&mut self, source: Source<'_>, name_bytes: usize) -> Result<(), WeightError> {
        let entries = self.entries.checked_sub(1);
        self.entries = entries.ok_or_else(|| source.limit("state dict", MAX_ENTRIES, "entries"))?;
        let left = self.name_bytes.checked_sub(name_bytes);
        self.name_bytes =
            left.ok_or_else(|| source.limit("state dict", MAX_NAME_BYTES, "bytes of names"))?;
        Ok(())
    }
}

/// The state dict, or the object itself.
fn outermost(source: Source<'_>, heap: &Heap<'_>, root: Id) -> Result<Container, WeightError> {
    let container = |entries, is_state_dict| Container {
        entries,
        prefix: String::new(),
        depth: 0,
        is_state_dict,
    };
    let Some(mut entries) = container_entries(heap, root) else {
        if is_foreign(heap, root) {
            return Err(source.unsafe_pickle("the pickled object itself", heap.global_name(root)));
        }
        let found = if torch::is_tensor(heap, root) {
            "a tensor".to_owned()
        } else {
            heap.describe(root)
        };
        return Err(source.malformed("pickled object", "a dictionary of named tensors", found));
    };
    let mut is_state_dict = false;
    for _ in 0..MAX_DEPTH {
        match WRAPPERS
            .iter()
            .find_map(|key| Some((key, heap.lookup(entries, key)?)))
        {
            Some((_, value)) if heap.pairs(value).is_some() => {
                entries = value;
                is_state_dict = true;
            }
            Some((key, value)) if is_foreign(heap, value) => {
                return Err(source.unsafe_pickle(format!("entry `{key}`"), heap.global_name(value)));
            }
            _ => break,
        }
    }
    Ok(container(entries, is_state_dict))
}

/// The dictionary of what a value contains under names.
fn container_entries(heap: &Heap<'_>, id: Id) -> Option<Id> {
    match heap.get(id) {
        Value::Dict(_) => Some(id),
        _ => torchscript::attributes(heap, id),
    }
}

/// Whether a value would be made by a call that builds neither a tensor nor plain data.
fn is_foreign(heap: &Heap<'_>, id: Id) -> bool {
    matches!(heap.get(id), Value::Made { .. })
        && !torch::is_tensor(heap, id)
        && !torchscript::is_object(heap, id)
        && !torchscript::is_typed_list(heap, id)
        && !torch::is_description(heap, id)
}

fn key_name<'h>(heap: &'h Heap<'_>, key: Id) -> Option<Cow<'h, str>> {
    match heap.get(key) {
        Value::Text(text) => Some(Cow::Borrowed(text)),
        Value::Int(int) => Some(Cow::Owned(int.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
