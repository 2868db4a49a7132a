//! What a reviewer would otherwise have to look for in every file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use i2am_testkit::workspace_root;

/// Longest source file, in lines.
const MOST_LINES: usize = 600;
/// Longest `ARCHITECTURE.md`, in lines.
const MOST_ARCHITECTURE_LINES: usize = 200;
/// Largest tree of committed files, in bytes.
const MOST_BYTES: u64 = 55_000_000;

/// Files of the checkout that git does not ignore, relative to the root and sorted; without git, all but build results and what
/// set-up makes.
fn files() -> Vec<PathBuf> {
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
fn texts(extension: Option<&str>) -> Vec<(PathBuf, String)> {
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
fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n{}", findings.join("\n"));
}

#[test]
fn source_files_are_short() {
    let findings: Vec<String> = texts(Some("rs"))
        .iter()
        .filter(|(_, text)| text.lines().count() > MOST_LINES)
        .filter(|(_, text)| {
            let head: Vec<&str> = text.lines().take(5).collect();
            !head.join(" ").to_lowercase().contains("generated table")
        })
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert_none(
        "over 600 lines and not a generated table that says so in its first lines",
        &findings,
    );
}

#[test]
fn nothing_is_left_undone() {
    // Put together here so that this file does not find itself.
    let undone = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[", "ignore"),
    ];
    let mut findings = Vec::new();
    for (path, text) in texts(Some("rs")) {
        for (number, line) in (1..).zip(text.lines()) {
            if undone.iter().any(|word| line.contains(word)) {
                findings.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    assert_none("unfinished code or a test that is not run", &findings);
}

/// Whether an absolute path below a folder that holds somebody's files starts in `line`; `framework/x`, `https://host/home/` and
/// `$HOME/root/x` are none.
fn names_a_folder_of_one_machine(line: &str) -> bool {
    ["home", "root", "work", "Users"].iter().any(|top| {
        line.match_indices(&format!("/{top}/")).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric() && !"._-/*})>".contains(c))
        })
    })
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    for path in ["home", "root", "work", "Users"].map(|top| format!("/{top}/x")) {
        for text in [
            path.clone(),
            format!("root = \"{path}\""),
            format!("see {path}"),
        ] {
            assert!(names_a_folder_of_one_machine(&text), "{text}");
        }
        for text in [
            format!("crates{path}"),
            format!("https://a.org{path}"),
            format!("../..{path}"),
        ] {
            assert!(!names_a_folder_of_one_machine(&text), "{text}");
        }
    }

    let mut findings = Vec::new();
    for (path, text) in texts(None) {
        for (number, line) in (1..).zip(text.lines()) {
            if names_a_folder_of_one_machine(line) {
                let shown: String = line.trim().chars().take(120).collect();
                findings.push(format!("{}:{number}: {shown}", path.display()));
            }
        }
    }
    assert_none("absolute paths of one machine", &findings);
}

#[test]
fn architecture_names_every_crate_and_is_short() {
    let root = workspace_root();
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let lines = text.lines().count();
    assert!(
        lines <= MOST_ARCHITECTURE_LINES,
        "ARCHITECTURE.md has {lines} lines, {MOST_ARCHITECTURE_LINES} are allowed"
    );
    let findings: Vec<String> = files()
        .iter()
        .filter_map(|path| {
            let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
            match parts[..] {
                ["crates", name, "Cargo.toml"] => Some(format!("`{name}`")),
                _ => None,
            }
        })
        .filter(|name| !text.contains(name.as_str()))
        .collect();
    assert_none("crates that ARCHITECTURE.md does not name", &findings);
}

#[test]
fn every_fixture_says_where_it_comes_from() {
    let root = workspace_root();
    let files = files();
    let mut folders: Vec<PathBuf> = files
        .iter()
        .filter_map(|path| {
            let below = path.iter().position(|part| part == "fixtures")? + 2;
            (path.iter().count() > below).then(|| path.iter().take(below).collect())
        })
        .collect();
    folders.dedup();
    let findings: Vec<String> = folders
        .iter()
        .filter(|folder| !root.join(folder).join("PROVENANCE.toml").is_file())
        .map(|folder| folder.display().to_string())
        .collect();
    assert_none("fixture folders without PROVENANCE.toml", &findings);
}

#[test]
fn versions_are_named_in_one_place() {
    let mut findings = Vec::new();
    for (path, text) in texts(Some("toml")) {
        if !path.starts_with("crates") || !path.ends_with("Cargo.toml") {
            continue;
        }
        for line in text.lines() {
            let names_version = line.contains("version = \"")
                || line.contains("git = \"")
                || line.contains("path = \"..");
            let is_bare = line.split_once(" = \"").is_some_and(|(_, version)| {
                version.starts_with(|c: char| c.is_ascii_digit() || "^=~<>".contains(c))
            });
            if names_version || is_bare {
                findings.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert_none("versions outside [workspace.dependencies]", &findings);
}

#[test]
fn the_tree_stays_small() {
    let root = workspace_root();
    let sizes = files().into_iter().map(|path| {
        let size = fs::metadata(root.join(&path)).expect("a listed file").len();
        (size, path)
    });
    let mut sizes: Vec<(u64, PathBuf)> = sizes.collect();
    sizes.sort();
    let total: u64 = sizes.iter().map(|(size, _)| size).sum();
    let largest: Vec<String> = sizes
        .iter()
        .rev()
        .take(5)
        .map(|(size, path)| format!("{} ({size})", path.display()))
        .collect();
    assert!(
        total <= MOST_BYTES,
        "{total} bytes are committed, {MOST_BYTES} are allowed; the largest are {}",
        largest.join(", ")
    );
}
