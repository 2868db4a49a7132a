//! Where what was computed before is kept: the user's cache folder.

use std::path::PathBuf;
use std::time::Duration;

use i2am_files::FileHashes;

/// Features of images.
pub(crate) fn features() -> Option<PathBuf> {
    folder().map(|folder| folder.join("features"))
}

/// No process takes longer to write a file of a cache.
const A_DAY: Duration = Duration::from_hours(24);

/// Hashes of files, which make a second start cheap.
pub(crate) fn file_hashes() -> FileHashes {
    folder().map_or_else(FileHashes::in_memory, |folder| {
        i2am_files::remove_unfinished(&folder, A_DAY);
        FileHashes::open(folder.join("hashes"))
    })
}

fn folder() -> Option<PathBuf> {
    let from = |variable: &str| {
        std::env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let caches = from("XDG_CACHE_HOME").or_else(|| Some(from("HOME")?.join(".cache")))?;
    Some(caches.join("i2am-bench"))
}
