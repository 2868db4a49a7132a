//! The files of the checkout, and how findings about them are shown.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use i2am_testkit::workspace_root;

/// Files of the checkout that git does not ignore, relative to the root and sorted; without git, all but build results and what
/// set-up makes.
pub(crate) fn files() -> Vec<PathBuf> {
    let root = workspace_root();
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(&root)
        .output()
        .ok()
        .filter(|output| output.status.success());
    let mut files: Vec<PathBuf> = if let Some(output) = listed {
        let names = String::from_utf8(output.stdout).expect("file names are UTF-8");
        names
            .split_terminator('\0')
            .map(PathBuf::from)
            .filter(|path| root.join(path).is_file())
            .collect()
    } else {
        walk(&root)
            .into_iter()
            .map(|path| {
                path.strip_prefix(&root)
                    .expect("below the root")
                    .to_path_buf()
            })
            .collect()
    };
    files.sort();
    assert!(
        files.iter().any(|path| path == Path::new("Cargo.toml")),
        "{}: no files found",
        root.display()
    );
    files
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .expect("a folder of the checkout")
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let made = name == "target"
                || name == ".git"
                || name.starts_with(".libtorch")
                || name.starts_with(".weights");
            match () {
                () if path.is_dir() && !made => walk(&path),
                () if path.is_file() => vec![path],
                () => Vec::new(),
            }
        })
        .collect()
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// Text of every committed file that is text, or of those with `extension` only.
pub(crate) fn texts(extension: Option<&str>) -> Vec<(PathBuf, String)> {
    let root = workspace_root();
    files()
        .into_iter()
        .filter(|path| extension.is_none_or(|extension| has_extension(path, extension)))
        .filter_map(|path| {
            let bytes = fs::read(root.join(&path)).expect("a listed file");
            Some((path, String::from_utf8(bytes).ok()?))
        })
        .collect()
}

/// Fails with one line for each finding.
#[track_caller]
pub(crate) fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n{}", findings.join("\n"));
}
