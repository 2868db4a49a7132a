//! The safetensors format: eight bytes of header length, a JSON header, and the tensors' bytes without gaps.
//!
//! The checks of the `safetensors` crate say neither which tensor is wrong nor which sizes it expected and found, let a header name a
//! tensor twice, and refuse a file for the element type of a tensor that is not wanted; so the header is read here.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Error, MapAccess, Visitor};

use crate::contents::{Contents, Storage};
use crate::dtype::DType;
use crate::error::WeightError;
use crate::format::FileFormat;
use crate::source::Source;
use crate::tensor::{MAX_RANK, Tensor, TensorInfo, element_count};

/// The format's own limit on the header, in bytes.
const MAX_HEADER: usize = 100_000_000;

pub(crate) fn open(source: Source<'_>) -> Result<Contents, WeightError> {
    let (header, data) = header(source)?;
    let mut in_order: Vec<(String, Described)> = header.tensors.into_iter().collect();
    in_order.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let mut tensors = BTreeMap::new();
    let mut end = 0;
    for (name, described) in in_order {
        let (from, to) = described.data_offsets;
        source.check_name(&name)?;
        let tensor = check(source, &name, described)?;
        if from != end {
            let part = format!("tensor `{name}`");
            let expected = format!("its bytes to begin at {end}, where those before it end");
            return Err(source.malformed(part, expected, from.to_string()));
        }
        if to > data.len() {
            let part = format!("data up to tensor `{name}`");
            return Err(source.length(part, to as u64, data.len() as u64));
        }
        tensors.insert(name, tensor);
        end = to;
    }
    if end != data.len() {
        return Err(source.length("data of all tensors", end as u64, data.len() as u64));
    }
    let range = source.bytes.len() - data.len()..source.bytes.len();
    Ok(Contents {
        format: FileFormat::Safetensors,
        tensors,
        storages: vec![Storage::new("data".to_owned(), range, None)],
        metadata: header.metadata,
    })
}

/// The header and the bytes after it.
fn header(source: Source<'_>) -> Result<(Header, &[u8]), WeightError> {
    const PART: &str = "safetensors header";
    let Some((length, rest)) = source.bytes.split_first_chunk() else {
        let found = source.bytes.len() as u64;
        return Err(source.length("header length", size_of::<u64>() as u64, found));
    };
    let declared = u64::from_le_bytes(*length);
    let split = usize::try_from(declared).ok();
    let Some((json, data)) = split.and_then(|length| rest.split_at_checked(length)) else {
        return Err(source.length(PART, declared, rest.len() as u64));
    };
    if json.len() > MAX_HEADER {
        return Err(source.limit(PART, MAX_HEADER, "bytes"));
    }
    let header = serde_json::from_slice(json)
        .map_err(|error| source.malformed(PART, "a JSON object of tensors", error.to_string()))?;
    Ok((header, data))
}

/// Checks that a tensor's shape and its byte range have one size.
fn check(source: Source<'_>, name: &str, described: Described) -> Result<Tensor, WeightError> {
    let part = || format!("tensor `{name}`");
    let Described {
        dtype,
        shape,
        data_offsets: (from, to),
    } = described;
    if shape.len() > MAX_RANK {
        return Err(source.limit(part(), MAX_RANK, "axes"));
    }
    let Some(length) = to.checked_sub(from) else {
        let expected = format!("an end of data after {from}");
        return Err(source.malformed(part(), expected, to.to_string()));
    };
    let Some(known) = DType::from_safetensors(&dtype) else {
        return Ok(Tensor::unread(shape, format!("dtype {}", shown(&dtype))));
    };
    let elements = element_count(&shape);
    let expected = elements
        .and_then(|n| n.checked_mul(known.size()))
        .unwrap_or(usize::MAX);
    match elements {
        Some(elements) if length == expected => {
            let info = TensorInfo {
                dtype: known,
                shape,
                elements,
            };
            Ok(Tensor::contiguous(info, 0, from))
        }
        _ => Err(source.length(part(), expected as u64, length as u64)),
    }
}

/// A text of the file, cut and escaped for a message.
fn shown(text: &str) -> String {
    const CHARS: usize = 40;
    let short: String = text.chars().take(CHARS).collect();
    short.escape_debug().to_string()
}

/// A tensor as the header describes it.
#[derive(Debug, Deserialize)]
struct Described {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// Tensors by name, and free texts by key.
#[derive(Debug)]
struct Header {
    tensors: BTreeMap<String, Described>,
    metadata: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

/// Reads a map that must not name a tensor twice; serde's own maps would keep the last.
struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut tensors = BTreeMap::new();
        let mut metadata = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                metadata = map.next_value()?;
                continue;
            }
            let tensor = map
                .next_value()
                .map_err(|error| A::Error::custom(format_args!("tensor `{name}`: {error}")))?;
            if tensors.contains_key(&name) {
                return Err(A::Error::custom(format_args!("tensor `{name}` twice")));
            }
            tensors.insert(name, tensor);
        }
        Ok(Header { tensors, metadata })
    }
}
