//! What a folder has that lacks what was looked for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::choice::{Stems, is_shard};
use crate::NetError;

/// Ends of the names of files that are not loaded yet.
const UNFINISHED: [&str; 6] = [
    ".incomplete",
    ".part",
    ".partial",
    ".crdownload",
    ".download",
    ".aria2",
];

/// Names shown of a folder's content.
const SHOWN: usize = 12;

/// The names in a folder, sorted; dangling links are among them.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, NetError> {
    let read = |source| NetError::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = std::fs::read_dir(folder).map_err(read)?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(
            entry
                .map_err(read)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort_unstable();
    Ok(names)
}

/// The first of `names`, and how many there are beyond.
pub(super) fn shown(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let first: Vec<String> = names.iter().take(SHOWN).map(|name| short(name)).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    first.join(", ") + &more
}

fn short(name: &str) -> String {
    const CHARS: usize = 80;
    let mut short: String = name.chars().take(CHARS).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short.escape_debug().to_string()
}

/// What is in `folder`, which has these `names`, instead of weights.
pub(super) fn describe(folder: &Path, names: &[String], stems: &Stems) -> String {
    let (safetensors, pickle) = (&stems.safetensors, &stems.pickle);
    let found = found(folder, names, stems);
    format!("expected {safetensors}.safetensors or {pickle}.bin, found neither{found}")
}

fn found(folder: &Path, names: &[String], stems: &Stems) -> String {
    let own = || names.iter().filter(|name| stems.begins(name));
    let mut links = own().filter_map(|name| Some((name, dangling(&folder.join(name))?)));
    if let Some((name, target)) = links.next() {
        let mut blob = folder.join(&target).into_os_string();
        blob.push(UNFINISHED[0]);
        let (name, target) = (short(name), target.display());
        let unfinished = if Path::new(&blob).exists() {
            "; its download is not finished"
        } else {
            ""
        };
        return format!(", but {name}, a link to {target}, which is not there{unfinished}");
    }
    let is_unfinished = |name: &&String| UNFINISHED.iter().any(|end| name.ends_with(end));
    if let Some(name) = own().find(is_unfinished) {
        let name = short(name);
        return format!(", but {name}, a download that is not finished");
    }
    if let Some(name) = in_cache(folder).iter().find(is_unfinished) {
        let name = short(name);
        return format!("; in the cache of the download: {name}, which is not finished");
    }
    if let Some(name) = own().find(|name| is_shard(name)) {
        let name = short(name);
        return format!(", but {name}, a shard without the index that lists all");
    }
    format!("; in the folder: {}", shown(names))
}

/// What the hub's program keeps of its downloads into the checkpoint that `folder` is a network of.
fn in_cache(folder: &Path) -> Vec<String> {
    let cache = Path::new(".cache/huggingface/download");
    let of = |(root, network): (&Path, &OsStr)| names(&root.join(cache).join(network)).ok();
    folder
        .parent()
        .zip(folder.file_name())
        .and_then(of)
        .unwrap_or_default()
}

/// Where a link points that leads nowhere.
pub(super) fn dangling(path: &Path) -> Option<PathBuf> {
    (!path.exists()).then(|| std::fs::read_link(path).ok())?
}
