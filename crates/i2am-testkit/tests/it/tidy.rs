//! What a reviewer would otherwise have to look for in every file.

use std::fs;
use std::path::PathBuf;

use i2am_testkit::workspace_root;

use crate::checkout::{assert_none, files, texts};

/// Longest source file, in lines.
const MOST_LINES: usize = 600;
/// Longest `ARCHITECTURE.md`, in lines.
const MOST_ARCHITECTURE_LINES: usize = 200;
/// Largest tree of committed files, in bytes: 24 MB of small checkpoints, and golden numbers of nine model families and of the metrics.
const MOST_BYTES: u64 = 70_000_000;

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

/// Crates whose every module says what it holds.
const DESCRIBED: &[&str] = &["i2am-nets", "i2am-runner"];

#[test]
fn modules_say_what_they_hold() {
    let findings: Vec<String> = texts(Some("rs"))
        .iter()
        .filter(|(path, text)| {
            let is_described = |name| path.starts_with(format!("crates/{name}/src"));
            DESCRIBED.iter().any(is_described) && !text.starts_with("//!")
        })
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_none("modules that do not begin with `//!`", &findings);
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

/// Whether an absolute path below a folder that holds a user's files starts in `line`. Relative paths and addresses are none.
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
