//! Paths as their writer meant them.

use std::path::{Component, Path, PathBuf};

/// The place that `path` means in a file of the folder `base`: `configs` and `../results` give `results`.
///
/// A `..` behind a symbolic link stays, because the folder above what the link leads to is another one.
pub fn resolve(base: impl AsRef<Path>, path: impl AsRef<Path>) -> PathBuf {
    let mut resolved = base.as_ref().to_owned();
    for component in path.as_ref().components() {
        let last = resolved.components().next_back();
        match component {
            Component::ParentDir
                if matches!(last, Some(Component::Normal(_))) && !resolved.is_symlink() =>
            {
                resolved.pop();
            }
            Component::CurDir => {}
            other => resolved.push(other),
        }
    }
    if resolved.as_os_str().is_empty() {
        resolved.push(Component::CurDir);
    }
    resolved
}
