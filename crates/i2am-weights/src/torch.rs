//! How torch writes a tensor into a pickle: calls of a few `_rebuild` functions around a persistent storage.

use crate::dtype::DType;
use crate::error::WeightError;
use crate::pickle::{Heap, Id, Value};
use crate::source::Source;
use crate::tensor::{Layout, MAX_RANK};

/// Wrappers around one tensor that are looked through; torch nests two.
const MAX_WRAPPERS: usize = 8;

/// Bytes of a storage key; torch writes numbers.
const MAX_KEY: usize = 256;

/// A storage as a pickle refers to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StorageRef<'h> {
    /// The record or stream entry that holds the bytes.
    pub(crate) key: &'h str,
    class: Id,
    element: Element,
    elements: u64,
    /// First element and number of elements, if only a part of the storage is meant (files before torch 0.4).
    view: Option<(usize, usize)>,
}

/// What a storage class says about its elements.
#[derive(Clone, Copy, Debug)]
enum Element {
    Typed(DType),
    /// An untyped storage: its elements are bytes and each tensor brings its own type.
    Byte,
    /// Complex or quantized; tensors of it cannot be read, but its size must be known to pass over it.
    Foreign {
        size: usize,
    },
    /// Of a class that is not known here. In a zip file each storage has a record of its own, so it can be passed over too.
    Unknown,
}

impl Element {
    fn of_class(name: &str) -> Self {
        match name {
            "UntypedStorage" => Self::Byte,
            "QInt8Storage" | "QUInt8Storage" | "QUInt4x2Storage" | "QUInt2x4Storage" => {
                Self::Foreign { size: 1 }
            }
            "QInt32Storage" => Self::Foreign { size: 4 },
            "ComplexFloatStorage" => Self::Foreign { size: 8 },
            "ComplexDoubleStorage" => Self::Foreign { size: 16 },
            _ => DType::from_torch_storage(name).map_or(Self::Unknown, Self::Typed),
        }
    }
}

impl StorageRef<'_> {
    /// Bytes of one element, if its class is known.
    pub(crate) fn element_size(&self) -> Option<usize> {
        match self.element {
            Element::Typed(dtype) => Some(dtype.size()),
            Element::Byte => Some(1),
            Element::Foreign { size } => Some(size),
            Element::Unknown => None,
        }
    }

    /// Bytes of the whole storage; `None` if that is no number a file can have.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.elements.checked_mul(self.element_size()? as u64)
    }
}

/// What a pickle has in place of a tensor.
#[derive(Debug)]
pub(crate) enum Described<'h> {
    /// A tensor that can be read.
    Tensor(Recipe<'h>),
    /// A tensor whose elements cannot be read: complex, quantized, sparse or of a type that is newer than this crate.
    Unread {
        /// Its shape, as far as it is known.
        shape: Vec<usize>,
        /// What its elements are, in words.
        kind: String,
    },
}

/// A tensor as a pickle describes it.
#[derive(Debug)]
pub(crate) struct Recipe<'h> {
    pub(crate) storage: StorageRef<'h>,
    layout: Layout,
}

/// A layout and the bytes, counted from the start of the storage, that it may use.
pub(crate) struct Bounded {
    pub(crate) layout: Layout,
    pub(crate) available: usize,
}

impl Recipe<'_> {
    /// The layout relative to the start of a storage of `storage_bytes`.
    pub(crate) fn bounded(
        self,
        source: Source<'_>,
        name: &str,
        storage_bytes: usize,
    ) -> Result<Bounded, WeightError> {
        let mut layout = self.layout;
        let Some((first, length)) = self.storage.view else {
            return Ok(Bounded {
                layout,
                available: storage_bytes,
            });
        };
        let end = first
            .checked_add(length)
            .and_then(|end| end.checked_mul(self.storage.element_size()?));
        let offset = layout.offset.checked_add(first);
        match (end, offset) {
            (Some(available), Some(offset)) if available <= storage_bytes => {
                layout.offset = offset;
                Ok(Bounded { layout, available })
            }
            _ => {
                let part = format!("storage view of tensor `{name}`");
                Err(source.length(part, end.unwrap_or(usize::MAX) as u64, storage_bytes as u64))
            }
        }
    }
}

/// An argument that is not what torch writes.
#[derive(Debug)]
pub(crate) struct Argument {
    expected: &'static str,
    found: String,
}

impl Argument {
    /// The error for the tensor `name`.
    pub(crate) fn of(self, source: Source<'_>, name: &str) -> WeightError {
        source.malformed(format!("tensor `{name}`"), self.expected, self.found)
    }
}

/// Whether the value `id` stands for a tensor, readable or not.
pub(crate) fn is_tensor(heap: &Heap<'_>, id: Id) -> bool {
    rebuild_call(heap, id).is_some()
}

/// The tensor that the value `id` stands for; `None` if it is no tensor.
pub(crate) fn tensor<'h>(heap: &'h Heap<'_>, id: Id) -> Option<Result<Described<'h>, Argument>> {
    Some(match rebuild_call(heap, id)? {
        Call::Dense { args, dtype } => rebuild(heap, args, dtype),
        Call::Other { function, args } => {
            // Quantized tensors are described as dense ones are; of others the shape is not looked for.
            let size = args.get(2).filter(|_| function == "_rebuild_qtensor");
            let shape = size.and_then(|&size| counts(heap, size).ok());
            Ok(Described::Unread {
                shape: shape.unwrap_or_default(),
                kind: format!("a tensor of `torch._utils.{function}`"),
            })
        }
    })
}

/// How torch makes a tensor.
enum Call<'h> {
    /// By one of the `_rebuild_tensor` functions, with these arguments and the element type if it takes one.
    Dense { args: &'h [Id], dtype: Option<Id> },
    /// By another of torch's `_rebuild` functions: quantized, sparse, nested or without data.
    Other { function: &'h str, args: &'h [Id] },
}

/// Whether a value is a shape or the name of a device.
pub(crate) fn is_description(heap: &Heap<'_>, id: Id) -> bool {
    heap.call(id)
        .is_some_and(|(global, _)| matches!(global, ("torch", "Size" | "device")))
}

/// The call of torch that makes the tensor `id`.
fn rebuild_call<'h>(heap: &'h Heap<'_>, id: Id) -> Option<Call<'h>> {
    let mut call = heap.call(id)?;
    for _ in 0..MAX_WRAPPERS {
        call = match call {
            (("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2"), args) => {
                return Some(Call::Dense { args, dtype: None });
            }
            (("torch._utils", "_rebuild_tensor_v3"), args) => {
                let dtype = args.get(6).copied();
                return Some(Call::Dense { args, dtype });
            }
            (("torch._tensor", "_rebuild_from_type_v2"), &[function, _, args, ..]) => {
                (heap.global(function)?, heap.items(args)?)
            }
            (wrapper, &[data, ..]) if is_wrapper(wrapper) => heap.call(data)?,
            (("torch._utils", function), args) if function.starts_with("_rebuild_") => {
                return Some(Call::Other { function, args });
            }
            _ => return None,
        };
    }
    None
}

/// Whether a function gives back the tensor that is its first argument.
fn is_wrapper(global: (&str, &str)) -> bool {
    matches!(
        global,
        (
            "torch._utils",
            "_rebuild_parameter" | "_rebuild_parameter_with_state"
        ) | ("torch.jit._pickle", "restore_type_tag")
    )
}

/// The storage that the value `id` stands for; `None` if it is something else.
pub(crate) fn storage<'h>(heap: &'h Heap<'_>, id: Id) -> Option<Result<StorageRef<'h>, Argument>> {
    let Value::Persistent(pid) = heap.get(id) else {
        return None;
    };
    let Some(&[tag, class, key, _location, elements, ref view @ ..]) = heap.items(*pid) else {
        return None;
    };
    (heap.text(tag) == Some("storage")).then(|| {
        let element = match heap.global(class) {
            Some(("torch" | "torch.cuda" | "torch.storage", name)) => Element::of_class(name),
            _ => Element::Unknown,
        };
        let key = heap
            .text(key)
            .filter(|key| key.len() <= MAX_KEY)
            .ok_or_else(|| argument(heap, "a storage key that is a short string", key))?;
        let elements = count(heap, elements)? as u64;
        let view = match view {
            &[view] if *heap.get(view) != Value::None => match heap.items(view) {
                Some(&[_key, first, length]) => Some((count(heap, first)?, count(heap, length)?)),
                _ => return Err(argument(heap, "a storage view of three parts", view)),
            },
            _ => None,
        };
        Ok(StorageRef {
            key,
            class,
            element,
            elements,
            view,
        })
    })
}

/// Arguments of `_rebuild_tensor*`: storage, offset, size, strides and, for the third version, an element type.
fn rebuild<'h>(
    heap: &'h Heap<'_>,
    args: &[Id],
    dtype: Option<Id>,
) -> Result<Described<'h>, Argument> {
    let &[storage_id, offset, size, strides, ..] = args else {
        return Err(Argument {
            expected: "a storage, an offset, a size and strides",
            found: format!("{} arguments", args.len()),
        });
    };
    let storage =
        storage(heap, storage_id).ok_or_else(|| argument(heap, "a storage", storage_id))??;
    let dtype = match (dtype, storage.element) {
        (None, Element::Typed(dtype)) => Ok(dtype),
        (_, Element::Unknown) | (None, _) => {
            Err(format!("storage type {}", heap.describe(storage.class)))
        }
        (Some(id), _) => match heap.global(id) {
            Some(("torch", name)) => DType::from_torch(name)
                .ok_or_else(|| format!("dtype {}", heap.describe(id).trim_matches('`'))),
            _ => return Err(argument(heap, "a dtype", id)),
        },
    };
    let (shape, strides) = (counts(heap, size)?, counts(heap, strides)?);
    if shape.len() != strides.len() || shape.len() > MAX_RANK {
        return Err(Argument {
            expected: "as many strides as axes, at most 16",
            found: format!("{} and {}", strides.len(), shape.len()),
        });
    }
    let offset = count(heap, offset)?;
    let dtype = match dtype {
        Ok(dtype) => dtype,
        Err(kind) => return Ok(Described::Unread { shape, kind }),
    };
    Ok(Described::Tensor(Recipe {
        storage,
        layout: Layout {
            dtype,
            shape,
            strides,
            offset,
        },
    }))
}

/// A tuple of sizes, or `torch.Size` of one.
fn counts(heap: &Heap<'_>, id: Id) -> Result<Vec<usize>, Argument> {
    let tuple = match heap.call(id) {
        Some((("torch", "Size"), &[tuple])) => tuple,
        _ => id,
    };
    let items = heap
        .items(tuple)
        .ok_or_else(|| argument(heap, "a tuple of sizes", tuple))?;
    // One more than is allowed is enough to be refused.
    items
        .iter()
        .take(MAX_RANK + 1)
        .map(|&item| count(heap, item))
        .collect()
}

fn count(heap: &Heap<'_>, id: Id) -> Result<usize, Argument> {
    match heap.int(id) {
        Some(int) => usize::try_from(int).or(Err(Argument {
            expected: "a size that is not negative",
            found: int.to_string(),
        })),
        None => Err(argument(heap, "a size", id)),
    }
}

fn argument(heap: &Heap<'_>, expected: &'static str, id: Id) -> Argument {
    Argument {
        expected,
        found: heap.describe(id),
    }
}
