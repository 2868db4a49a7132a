//! What people read before anything runs: help and lists, as snapshots.

use std::path::Path;

use crate::common::run;

/// Text on standard output of a command that succeeds.
fn said(args: &[&str]) -> String {
    let (code, text) = run(Path::new("."), args);
    assert_eq!(code, 0, "{text}");
    text
}

#[test]
fn help() {
    insta::assert_snapshot!("help", said(&["--help"]));
    for command in [
        "check",
        "compare",
        "completions",
        "correlate",
        "export",
        "imacs",
        "inspect",
        "list",
        "man",
        "measure",
        "merge",
        "models",
        "report",
        "score",
        "show",
        "synth",
    ] {
        let text = said(&[command, "--help"]);
        assert!(text.contains("Example"), "{command} has no example");
        insta::assert_snapshot!(format!("help_{command}"), text);
    }
}

/// What no source names is said to be unknown.
#[test]
fn models() {
    insta::assert_snapshot!("models", said(&["models"]));
    let json: serde_json::Value = serde_json::from_str(&said(&["models", "--json"])).unwrap();
    let leffa = json
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["family"] == "leffa");
    assert_eq!(leffa.unwrap()["license"], "MIT");
}

/// Without libtorch there are no families to list.
#[cfg(feature = "torch")]
#[test]
fn list() {
    insta::assert_snapshot!("list", said(&["list"]));
}

#[test]
fn the_version_names_the_commit() {
    let text = said(&["--version"]);
    assert!(text.starts_with("bench 0."), "{text}");
}

/// OpenMP shows what it was told when libtorch is loaded; the program tells it unless the user did.
#[cfg(feature = "torch")]
#[test]
fn threads_sleep_while_they_wait_unless_the_user_says_otherwise() {
    let shown = |policy: Option<&str>| {
        let mut command = crate::common::bench(Path::new("."), &["--config", "none.toml"]);
        command
            .env("OMP_DISPLAY_ENV", "true")
            .env_remove("OMP_WAIT_POLICY");
        command.envs(policy.map(|policy| ("OMP_WAIT_POLICY", policy)));
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // The process starts itself once more, so that the last word counts.
    let last = |text: &str| {
        let line = text.lines().rfind(|line| line.contains("OMP_WAIT_POLICY"));
        line.map(str::to_owned).unwrap_or_default()
    };
    let by_itself = shown(None);
    assert!(last(&by_itself).contains("PASSIVE"), "{by_itself}");
    let by_the_user = shown(Some("active"));
    assert!(last(&by_the_user).contains("ACTIVE"), "{by_the_user}");
}
