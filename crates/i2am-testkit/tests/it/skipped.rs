//! A skipped check is seen although its test passes.

use std::env;
use std::fs;
use std::process::Command;

use i2am_testkit::skipped;

/// Set where this test runs a second time, in a process of its own, to skip something.
const AGAIN: &str = "I2AM_TEST_SKIPS";

#[test]
fn a_skipped_check_is_shown_and_listed() {
    if env::var_os(AGAIN).is_some() {
        skipped("no sun");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("skipped");
    let test = "skipped::a_skipped_check_is_shown_and_listed";
    for lines in 1..=2 {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--test-threads", "2"])
            .env(AGAIN, "1")
            .env("I2AM_SKIPPED", &list)
            .output()
            .unwrap();
        let line = format!("SKIPPED: {test}: no sun\n");
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), line);
        assert_eq!(fs::read_to_string(&list).unwrap(), line.repeat(lines));
    }
}
