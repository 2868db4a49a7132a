use std::fs;
use std::io::Write as _;

use i2am_files::{
    Action, create_dir, ensure_writable, listed, read, sha256_file, sha256_hex, shown,
    sorted_entries, write_atomic,
};

/// FIPS 180-2, appendix B.1.
const SHA256_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn names(dir: &std::path::Path) -> Vec<String> {
    let entries = sorted_entries(dir).expect("a folder made by the test");
    let name = |path: &std::path::PathBuf| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    entries.iter().filter_map(name).collect()
}

#[test]
fn a_write_creates_parents_replaces_and_leaves_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/c.txt");
    write_atomic(&path, "old and longer").unwrap();
    write_atomic(&path, b"new").unwrap();
    assert_eq!(read(&path).unwrap(), b"new");
    assert_eq!(names(path.parent().unwrap()), ["c.txt"]);
}

#[cfg(unix)]
#[test]
fn a_written_file_has_the_permissions_of_any_other_new_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (ours, usual) = (dir.path().join("ours"), dir.path().join("usual"));
    write_atomic(&ours, "x").unwrap();
    fs::File::create(&usual).unwrap().write_all(b"x").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(ours), mode(usual));
}

#[test]
fn a_failed_write_names_the_path_and_leaves_no_temporary_file() {
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join("folder");
    create_dir(&taken).unwrap();
    let error = write_atomic(&taken, "x").unwrap_err();
    assert_eq!(error.action, Action::Write);
    let start = format!("cannot write {}: ", taken.display());
    assert!(error.to_string().starts_with(&start), "{error}");
    assert_eq!(names(dir.path()), ["folder"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    write_atomic(&file, "x").unwrap();
    let error = write_atomic(file.join("below"), "x").unwrap_err();
    assert_eq!(error.action, Action::CreateFolder);
    let start = format!("cannot create folder {}: ", file.display());
    assert!(error.to_string().starts_with(&start), "{error}");
}

/// `/dev/full` answers every write as a full disk does. A write through it shows the line a user sees.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_gives_one_clear_line() {
    let cause = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .and_then(|mut file| file.write_all(b"x"))
        .unwrap_err();
    assert_eq!(cause.kind(), std::io::ErrorKind::StorageFull);
    let error = i2am_files::FileError::new(Action::Write, "results/samples.csv", cause);
    let line = "cannot write results/samples.csv: No space left on device (os error 28)";
    assert_eq!(error.to_string(), line);
}

#[test]
fn listings_are_sorted_by_name_and_a_missing_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b", "a10", "a2", "B"] {
        write_atomic(dir.path().join(name), "").unwrap();
    }
    assert_eq!(names(dir.path()), ["B", "a10", "a2", "b"]);
    let missing = dir.path().join("missing");
    let text = sorted_entries(&missing).unwrap_err().to_string();
    let start = format!("cannot list folder {}: ", missing.display());
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn hashes_equal_the_published_example() {
    assert_eq!(sha256_hex("abc"), SHA256_OF_ABC);
}

#[test]
fn a_file_longer_than_one_piece_hashes_as_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long");
    let bytes: Vec<u8> = (0..700_001_u32).map(|i| (i % 251) as u8).collect();
    write_atomic(&path, &bytes).unwrap();
    assert_eq!(sha256_file(&path).unwrap(), sha256_hex(&bytes));
}

#[test]
fn reading_a_missing_file_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let start = format!("cannot read {}: ", missing.display());
    for error in [
        read(&missing).unwrap_err(),
        sha256_file(&missing).unwrap_err(),
    ] {
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}

#[test]
fn a_list_from_windows_names_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    write_atomic(dir.path().join("a/b.png"), "x").unwrap();
    assert_eq!(listed(dir.path(), "a/b.png"), dir.path().join("a/b.png"));
    assert_eq!(listed(dir.path(), r"a\b.png"), dir.path().join("a/b.png"));
    // Elsewhere a backslash may be part of a name.
    #[cfg(unix)]
    {
        write_atomic(dir.path().join(r"a\b.png"), "y").unwrap();
        assert_eq!(listed(dir.path(), r"a\b.png"), dir.path().join(r"a\b.png"));
    }
}

#[test]
fn what_cannot_be_seen_is_written_out() {
    assert_eq!(shown("it's \"a\" \\"), "`it's \"a\" \\`");
    assert_eq!(shown("\u{feff}a\n\tb\0"), r"`\u{feff}a\n\tb\0`");
    assert_eq!(shown(&"ä".repeat(81)), format!("`{}...`", "ä".repeat(80)));
}

#[test]
fn a_place_that_cannot_be_written_is_known_before_anything_is_computed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b.npz");
    ensure_writable(&path).unwrap();
    assert!(names(path.parent().unwrap()).is_empty(), "nothing stays");
    let error = ensure_writable(dir.path()).unwrap_err();
    assert_eq!(error.action, Action::Write);
    write_atomic(&path, "old").unwrap();
    ensure_writable(&path).unwrap();
    assert_eq!(read(&path).unwrap(), b"old");
    let below = ensure_writable(path.join("c.npz")).unwrap_err().to_string();
    assert!(
        below.starts_with("cannot create folder ") && below.contains("b.npz"),
        "{below}"
    );
}

#[test]
fn trying_a_folder_leaves_nothing_in_it() {
    let dir = tempfile::tempdir().unwrap();
    i2am_files::try_folder(dir.path()).unwrap();
    assert_eq!(i2am_files::sorted_entries(dir.path()).unwrap().len(), 0);
    assert!(i2am_files::try_folder(dir.path().join("none")).is_err());
}

/// Permissions that say nothing to the superuser keep others out.
#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_refused_if_it_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let tried = i2am_files::try_folder(dir.path()).is_ok();
    let written = std::fs::File::create(dir.path().join("x")).is_ok();
    assert_eq!(tried, written);
}
