//! Hashes that are remembered, and when they must not be used.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use i2am_files::{Action, FileHashes, sha256_hex, write_atomic};
use tempfile::TempDir;

/// A folder with a file that was modified long ago, and the place of a memory.
fn folder(content: &str) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (file, place) = (folder.path().join("mask.png"), folder.path().join("hashes"));
    write_atomic(&file, content).unwrap();
    age(&file, 3600);
    (folder, file, place)
}

/// Sets the time of modification to `seconds` ago.
fn age(file: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    let file = File::options().write(true).open(file).unwrap();
    file.set_modified(time).unwrap();
}

/// The hash by a program that starts anew, and how many files it read.
fn start(place: &Path, file: &Path) -> (String, usize) {
    let hashes = FileHashes::open(place);
    let hash = hashes.sha256(file).unwrap();
    hashes.save();
    (hash, hashes.files_read())
}

#[test]
fn a_second_start_reads_no_content() {
    let (_folder, file, place) = folder("black");
    assert_eq!(start(&place, &file), (sha256_hex("black"), 1));
    assert_eq!(start(&place, &file), (sha256_hex("black"), 0));
    let hashes = FileHashes::in_memory();
    for _ in 0..3 {
        assert_eq!(hashes.sha256(&file).unwrap(), sha256_hex("black"));
    }
    assert_eq!(hashes.files_read(), 1);
}

#[test]
fn other_content_of_the_same_size_is_found() {
    let (_folder, file, place) = folder("black");
    start(&place, &file);
    write_atomic(&file, "white").unwrap();
    assert_eq!(start(&place, &file), (sha256_hex("white"), 1));
}

/// As `touch -r` and archives do.
#[cfg(unix)]
#[test]
fn other_content_of_the_same_size_and_time_of_modification_is_found() {
    let (_folder, file, place) = folder("black");
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    start(&place, &file);
    write_atomic(&file, "white").unwrap();
    let opened = File::options().write(true).open(&file).unwrap();
    opened.set_modified(time).unwrap();
    assert_eq!(start(&place, &file), (sha256_hex("white"), 1));
}

#[test]
fn a_file_modified_just_now_is_not_remembered() {
    let (_folder, file, place) = folder("black");
    for age_in_seconds in [0, 1] {
        age(&file, age_in_seconds);
        assert_eq!(start(&place, &file).1, 1);
        assert_eq!(start(&place, &file).1, 1);
    }
    let tomorrow = SystemTime::now() + Duration::from_hours(24);
    let opened = File::options().write(true).open(&file).unwrap();
    opened.set_modified(tomorrow).unwrap();
    assert_eq!(start(&place, &file).1, 1);
    assert_eq!(start(&place, &file).1, 1);
}

#[test]
fn a_damaged_memory_is_an_empty_one() {
    let (_folder, file, place) = folder("black");
    start(&place, &file);
    let whole = fs::read_to_string(&place).unwrap();
    let other_hash = whole.replace(&sha256_hex("black"), &sha256_hex("white"));
    for damaged in [
        "",
        "{}",
        "\u{0}\n",
        &whole[..whole.len() - 3],
        &whole[10..],
        &other_hash,
    ] {
        write_atomic(&place, damaged).unwrap();
        assert_eq!(start(&place, &file), (sha256_hex("black"), 1));
        assert_eq!(fs::read_to_string(&place).unwrap(), whole, "repaired");
    }
    write_atomic(&place, b"\xff\xfe\n").unwrap();
    assert_eq!(start(&place, &file).1, 1);
}

#[test]
fn a_memory_that_cannot_be_written_is_no_error() {
    let (folder, file, _) = folder("black");
    let below_a_file = file.join("hashes");
    for _ in 0..2 {
        assert_eq!(start(&below_a_file, &file).1, 1);
    }
    assert_eq!(start(folder.path(), &file).1, 1, "the place is a folder");
}

#[test]
fn two_programs_add_to_one_memory() {
    let (folder, file, place) = folder("black");
    let other = folder.path().join("other");
    write_atomic(&other, "gray").unwrap();
    age(&other, 60);
    let (one, two) = (FileHashes::open(&place), FileHashes::open(&place));
    one.sha256(&file).unwrap();
    two.sha256(&other).unwrap();
    one.save();
    two.save();
    assert_eq!((start(&place, &file).1, start(&place, &other).1), (0, 0));
}

#[test]
fn paths_are_absolute_and_a_missing_file_is_named() {
    let (folder, file, place) = folder("black");
    start(&place, &file);
    let text = fs::read_to_string(&place).unwrap();
    let path = std::path::absolute(&file).unwrap();
    assert!(text.contains(&format!("\t{}\n", path.display())), "{text}");
    let missing = folder.path().join("missing");
    let error = FileHashes::open(&place).sha256(&missing).unwrap_err();
    assert_eq!((error.action, error.path), (Action::Read, missing));
}
