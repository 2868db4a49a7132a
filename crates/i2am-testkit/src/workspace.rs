//! Where the workspace lies.

use std::path::{Path, PathBuf};

/// Root of the workspace that this crate was built in.
///
/// # Panics
/// If the crate is no longer two folders below the root.
pub fn workspace_root() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_dir
        .ancestors()
        .nth(2)
        .expect("crates/<name> has two parents");
    assert!(
        root.join("Cargo.toml").is_file(),
        "{}: no workspace here",
        root.display()
    );
    root.to_path_buf()
}
