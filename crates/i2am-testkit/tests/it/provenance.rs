//! Where fixtures come from: every folder says so, and has the files that it lists and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use i2am_testkit::workspace_root;
use sha2::{Digest as _, Sha256};

use crate::checkout::{assert_none, files};
use crate::setup::put;

const LISTING: &str = "PROVENANCE.toml";

/// Files of the checkout by the fixture folder they lie in.
fn fixtures() -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let mut folders: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    for path in files() {
        let Some(below) = path.iter().position(|part| part == "fixtures") else {
            continue;
        };
        let mut parts = path.iter();
        let folder: PathBuf = parts.by_ref().take(below + 2).collect();
        let file: PathBuf = parts.collect();
        if file != Path::new("") {
            folders.entry(folder).or_default().insert(file);
        }
    }
    folders
}

/// What the listing in `folder` says about its files, of which there are `left`. Files that it names are taken away.
fn differences(folder: &Path, left: &mut BTreeSet<PathBuf>) -> Result<Vec<String>, String> {
    let listing = fs::read_to_string(folder.join(LISTING)).map_err(|error| error.to_string())?;
    let listing: toml::Table = toml::from_str(&listing).map_err(|error| error.to_string())?;
    left.remove(Path::new(LISTING));
    let listed = listing.get("sha256").and_then(toml::Value::as_table);
    let listed = listed.ok_or("no table `sha256`")?;
    let mut findings = Vec::new();
    for (name, expected) in listed {
        let named = take(left, name);
        if named.is_empty() {
            findings.push(format!("{name} is listed, but not there"));
            continue;
        }
        let mut digest = Sha256::new();
        for file in named {
            digest.update(fs::read(folder.join(file)).expect("a listed file"));
        }
        let mut found = String::new();
        for byte in digest.finalize() {
            write!(found, "{byte:02x}").expect("a string takes everything");
        }
        if expected.as_str() != Some(&found) {
            findings.push(format!("{name}: listed as {expected}, found {found}"));
        }
    }
    let unlisted = left
        .iter()
        .map(|file| format!("{} is not listed", file.display()));
    findings.extend(unlisted);
    Ok(findings)
}

/// Takes the files that `name` means out of `left`, in their order: one, or with `folder/*.extension` all such.
fn take(left: &mut BTreeSet<PathBuf>, name: &str) -> Vec<PathBuf> {
    let (start, end) = name.split_once('*').unwrap_or((name, ""));
    let is_named = |path: &PathBuf| {
        let path = path.to_string_lossy();
        path == name
            || name.contains('*')
                && path
                    .strip_prefix(start)
                    .and_then(|rest| rest.strip_suffix(end))
                    .is_some_and(|rest| !rest.contains('/'))
    };
    left.extract_if(.., is_named).collect()
}

#[test]
fn every_fixture_says_where_it_comes_from_and_is_what_it_was() {
    let root = workspace_root();
    let mut findings = Vec::new();
    for (folder, mut files) in fixtures() {
        match differences(&root.join(&folder), &mut files) {
            Ok(found) => findings.extend(
                found
                    .iter()
                    .map(|line| format!("{}: {line}", folder.display())),
            ),
            Err(error) => findings.push(format!("{}: {LISTING}: {error}", folder.display())),
        }
    }
    assert_none("fixtures that differ from their listing", &findings);
}

#[test]
fn a_changed_a_missing_and_an_unlisted_file_are_found() {
    let folder = tempfile::tempdir().unwrap();
    // sha256 of `abc`, as the standard that defines it prints.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let listing =
        format!("[sha256]\n'a' = '{abc}'\n'b/*.png' = '{abc}'\n'c' = '{abc}'\n'gone' = '{abc}'\n");
    put(&folder.path().join(LISTING), &listing);
    let texts = [
        ("a", "abc"),
        ("b/1.png", "a"),
        ("b/2.png", "bc"),
        ("c", "abd"),
        ("new", ""),
    ];
    for (name, text) in texts {
        put(&folder.path().join(name), text);
    }
    let mut files = texts.map(|(name, _)| PathBuf::from(name)).into();
    let findings = differences(folder.path(), &mut files).unwrap();
    assert_eq!(findings.len(), 3, "{findings:?}");
    assert!(
        findings[0].starts_with(&format!("c: listed as \"{abc}\", found ")),
        "{findings:?}"
    );
    assert_eq!(
        findings[1..],
        ["gone is listed, but not there", "new is not listed"]
    );
}
