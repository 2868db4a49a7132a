use std::path::Path;

use i2am_files::resolve;

#[test]
fn no_way_back_is_left_in_a_path() {
    for (base, path, expected) in [
        ("configs", "../results/ci", "results/ci"),
        ("configs", "a/../b", "configs/b"),
        ("configs", "..", "."),
        ("", "out", "out"),
        ("", "../out", "../out"),
        ("..", "../out", "../../out"),
        ("configs", "/data", "/data"),
        ("/a/b", "../../../c", "/../c"),
        ("configs", "./x", "configs/x"),
    ] {
        assert_eq!(resolve(base, path), Path::new(expected), "{base} {path}");
    }
}

/// The folder above a link is not the folder above what it leads to.
#[cfg(unix)]
#[test]
fn a_link_keeps_its_way_back() {
    let dir = tempfile::tempdir().unwrap();
    i2am_files::create_dir(dir.path().join("far/away")).unwrap();
    i2am_files::write_atomic(dir.path().join("far/x"), "x").unwrap();
    std::os::unix::fs::symlink("far/away", dir.path().join("link")).unwrap();
    let found = resolve(dir.path().join("link"), "../x");
    assert_eq!(std::fs::read(found).unwrap(), b"x");
}
