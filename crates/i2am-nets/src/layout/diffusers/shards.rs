//! Networks in several files, with an index that says which tensor is in which: `*.safetensors.index.json`, `*.bin.index.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::absent::{names, shown};
use crate::NetError;
use crate::layout::json;
use crate::layout::part::Part;

/// Opens every shard that the index `path` names.
///
/// Tensors that the index does not list are taken too, as other loaders do; but it may list none that its shard lacks.
pub(in crate::layout) fn open(path: &Path) -> Result<Vec<Part>, NetError> {
    let refuse = |reason: String| NetError::Layout {
        path: path.to_owned(),
        reason,
    };
    let places = places(path)?;
    let shards: BTreeSet<&str> = places.values().map(String::as_str).collect();
    let folder = path.parent().unwrap_or(Path::new(""));
    if let Some(other) = shards.iter().find(|name| !is_plain(name)) {
        let expected = "the names of files in the same folder";
        return Err(refuse(format!(
            "`weight_map`: expected {expected}, found `{}`",
            other.escape_debug()
        )));
    }
    // A dangling link is there, and is named when it is opened.
    let missing: Vec<String> = shards
        .iter()
        .filter(|name| folder.join(name).symlink_metadata().is_err())
        .map(|&name| name.to_owned())
        .collect();
    if !missing.is_empty() {
        return Err(refuse(format!(
            "expected {} shards, missing {}; in the folder: {}",
            shards.len(),
            shown(&missing),
            shown(&names(folder)?)
        )));
    }
    let paths: Vec<PathBuf> = shards.iter().map(|name| folder.join(name)).collect();
    let mut parts = Part::open_all(&paths)?;
    for (&shard, part) in shards.iter().zip(&mut parts) {
        part.retain(|name| places.get(name).is_none_or(|place| place == shard));
    }
    let of: BTreeMap<&str, &Part> = shards.into_iter().zip(&parts).collect();
    let lacks = |(name, shard): &(&String, &String)| of[shard.as_str()].file.info(name).is_none();
    if let Some((name, shard)) = places.iter().find(lacks) {
        let lacking = places.iter().filter(lacks).count();
        let more = match lacking - 1 {
            0 => String::new(),
            more => format!(" (and {more} more are not where the index says)"),
        };
        return Err(refuse(format!(
            "expected tensor `{name}` in {shard}, which has none of this name{more}"
        )));
    }
    Ok(parts)
}

/// The shard of every tensor.
fn places(path: &Path) -> Result<BTreeMap<String, String>, NetError> {
    let refuse = |found: &str| NetError::Layout {
        path: path.to_owned(),
        reason: format!(
            "expected an index of shards, with the file of each tensor in `weight_map`, found {found}"
        ),
    };
    let index = json::read(path)?;
    let Some(Value::Object(map)) = index.get("weight_map") else {
        return Err(refuse("no `weight_map`"));
    };
    if map.is_empty() {
        return Err(refuse("a `weight_map` of nothing"));
    }
    let place = |(name, shard): (&String, &Value)| match shard {
        Value::String(shard) => Ok((name.clone(), shard.clone())),
        other => Err(refuse(&format!("`{name}`: {}", json::shown(other)))),
    };
    map.iter().map(place).collect()
}

/// Whether a name is that of a file, and not of one elsewhere: an index can come from anywhere.
fn is_plain(name: &str) -> bool {
    Path::new(name).file_name() == Some(name.as_ref()) && !name.contains(['\\', '\0'])
}
