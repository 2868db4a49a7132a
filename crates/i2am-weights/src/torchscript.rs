//! `TorchScript` archives (`torch.jit.save`): the same zip container, whose pickle holds a tree of module objects.

use crate::archive::Archive;
use crate::error::WeightError;
use crate::pickle::{Heap, Id, Value};
use crate::source::Source;
use crate::torch::{self, Described};

/// The pickle of tensors that the code refers to as `CONSTANTS.c0`, `CONSTANTS.c1`, ...; freezing a module puts its
/// weights there.
pub(crate) const CONSTANTS: &str = "constants.pkl";

/// Whether an archive was written by `torch.jit.save`.
pub(crate) fn is_torchscript(archive: &Archive<'_>) -> bool {
    archive.contains(CONSTANTS) || archive.contains_folder("code")
}

/// Whether a value is an object of a class whose code lies in the archive.
pub(crate) fn is_object(heap: &Heap<'_>, id: Id) -> bool {
    heap.call(id)
        .is_some_and(|((module, _), _)| module == "__torch__" || module.starts_with("__torch__."))
}

/// Whether a value is a typed list that `TorchScript` builds by calls such as `build_intlist`.
pub(crate) fn is_typed_list(heap: &Heap<'_>, id: Id) -> bool {
    heap.call(id)
        .is_some_and(|((module, _), _)| module == "torch.jit._pickle")
}

/// The attributes of a `TorchScript` object: parameters, buffers, sub-modules and plain values under their names.
pub(crate) fn attributes(heap: &Heap<'_>, id: Id) -> Option<Id> {
    match heap.get(id) {
        Value::Made {
            state: Some(state), ..
        } if is_object(heap, id) && heap.pairs(*state).is_some() => Some(*state),
        _ => None,
    }
}

/// The tensors of the tuple `root`, named as the code calls them.
pub(crate) fn constants<'h>(
    source: Source<'_>,
    heap: &'h Heap<'_>,
    root: Id,
) -> Result<Vec<(String, Described<'h>)>, WeightError> {
    let items = heap.items(root).unwrap_or_default();
    let named = items.iter().enumerate().filter_map(|(index, &item)| {
        let name = format!("CONSTANTS.c{index}");
        Some(match torch::tensor(heap, item)? {
            Ok(described) => Ok((name, described)),
            Err(problem) => Err(problem.of(source, &name)),
        })
    });
    named.collect()
}
