//! The safetensors format: eight bytes of header length, a JSON header, and the tensors' bytes without gaps.
//!
//! The header is checked here, not by the `safetensors` crate, because that does not say which tensor is wrong
//! and which sizes it expected and found.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Error, MapAccess, Visitor};

use crate::contents::{Contents, Storage};
use crate::dtype::DType;
use crate::error::WeightError;
use crate::file::FileFormat;
use crate::source::Source;
use crate::tensor::{MAX_RANK, Tensor, TensorInfo, element_count};

const LENGTH_BYTES: usize = size_of::<u64>();
/// The format's own limit on the header, in bytes.
const MAX_HEADER: usize = 100_000_000;

/// One tensor of the header.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    dtype: String,
    shape: Vec<usize>,
    /// First byte and the one after the last, counted from the end of the header.
    data_offsets: [usize; 2],
}

pub(crate) fn open(source: Source<'_>) -> Result<Contents, WeightError> {
    let (header, data_start) = header(source)?;
    let data_length = source.bytes.len() - data_start;
    let mut in_order: Vec<(String, Described)> = header.tensors.into_iter().collect();
    in_order.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let mut tensors = BTreeMap::new();
    let mut end = 0;
    for (name, described) in in_order {
        let [from, to] = described.data_offsets;
        let info = check(source, &name, described)?;
        if from != end {
            let part = format!("tensor `{name}`");
            let expected = format!("its bytes to begin at {end}, where those before it end");
            return Err(source.malformed(part, expected, from.to_string()));
        }
        if to > data_length {
            return Err(source.length(
                format!("data up to tensor `{name}`"),
                to as u64,
                data_length as u64,
            ));
        }
        tensors.insert(name, Tensor::contiguous(info, 0, from));
        end = to;
    }
    if end != data_length {
        return Err(source.length("data of all tensors", end as u64, data_length as u64));
    }
    let storages = vec![Storage::new(
        "data".to_owned(),
        data_start..source.bytes.len(),
        None,
    )];
    Ok(Contents {
        format: FileFormat::Safetensors,
        tensors,
        storages,
        metadata: header.metadata,
    })
}

/// The header and the byte of the file where the data begins.
fn header(source: Source<'_>) -> Result<(Header, usize), WeightError> {
    let Some((length, rest)) = source.bytes.split_first_chunk() else {
        return Err(source.length(
            "header length",
            LENGTH_BYTES as u64,
            source.bytes.len() as u64,
        ));
    };
    let declared = u64::from_le_bytes(*length);
    let Some(json) = usize::try_from(declared)
        .ok()
        .and_then(|length| rest.get(..length))
    else {
        return Err(source.length("safetensors header", declared, rest.len() as u64));
    };
    if json.len() > MAX_HEADER {
        return Err(source.limit("safetensors header", MAX_HEADER, "bytes"));
    }
    let header = serde_json::from_slice(json).map_err(|error| {
        source.malformed(
            "safetensors header",
            "a JSON object of tensors",
            error.to_string(),
        )
    })?;
    Ok((header, LENGTH_BYTES + json.len()))
}

/// Checks that a tensor's type is known and that its shape and its byte range have one size.
fn check(source: Source<'_>, name: &str, described: Described) -> Result<TensorInfo, WeightError> {
    let part = || format!("tensor `{name}`");
    let Described {
        dtype,
        shape,
        data_offsets: [from, to],
    } = described;
    let Some(dtype) = DType::from_safetensors(&dtype) else {
        let feature = format!(
            "tensor `{name}`: dtype {} is not supported",
            dtype.escape_debug()
        );
        return Err(source.unsupported(
            feature,
            "convert it to a floating-point, integer or boolean tensor",
        ));
    };
    if shape.len() > MAX_RANK {
        return Err(source.limit(part(), MAX_RANK, "axes"));
    }
    let elements = element_count(&shape);
    let expected = elements
        .and_then(|n| n.checked_mul(dtype.size()))
        .unwrap_or(usize::MAX);
    match (elements, to.checked_sub(from)) {
        (Some(elements), Some(found)) if found == expected => Ok(TensorInfo {
            dtype,
            shape,
            elements,
        }),
        (_, Some(found)) => Err(source.length(part(), expected as u64, found as u64)),
        (_, None) => Err(source.malformed(
            part(),
            format!("an end of data after {from}"),
            to.to_string(),
        )),
    }
}

/// Tensors by name, and the free texts beside them.
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
