use serde_json::json;

use super::*;
use crate::config_hash::ConfigHash;

fn config(steps: u32, penalty: u32) -> Value {
    json!({"model": [{"name": "pbe", "steps": steps}], "seed": 42, "imacs": {"penalty": penalty}})
}

fn hashes(config: &Value) -> ConfigHashes {
    ConfigHashes {
        generate: ConfigHash::of(config, &["seed", "model"]),
        score: ConfigHash::of(config, &["imacs"]),
        measure: ConfigHash::of(config, &[]),
        faithfulness: ConfigHash::of_nothing(),
    }
}

fn start() -> ManifestStart {
    start_with(config(20, 3))
}

fn start_with(config: Value) -> ManifestStart {
    let map = |pairs: &[(&str, &str)]| {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        pairs.iter().map(owned).collect()
    };
    ManifestStart {
        name: "demo".to_owned(),
        dataset: DatasetName {
            name: "synth".to_owned(),
            split: "test".to_owned(),
            pairing: "paired".to_owned(),
        },
        git: Some(GitState {
            commit: "0123abc".to_owned(),
            dirty: true,
        }),
        config_hashes: hashes(&config),
        config,
        inputs: map(&[("checkpoint:pbe", "aa"), ("dataset", "bb")]),
        samples: None,
        versions: map(&[("i2am-bench", "0.1.0"), ("libtorch", "2.13.0")]),
        device: "cpu".to_owned(),
        threads: 2,
        seed: 42,
    }
}

#[test]
fn manifest_json() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("manifest.json");
    let mut manifest = Manifest::start(start());
    manifest.counts = Counts {
        attempted: 3,
        ok: 2,
        failed: 1,
        skipped: 0,
    };
    manifest.end(RunStatus::Partial, ["an empty mask".to_owned()]);
    manifest.write(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let redacted = text
        .replace(&manifest.started, "[time]")
        .replace(manifest.finished.as_ref().unwrap(), "[time]");
    assert_eq!(redacted, include_str!("tests/manifest.json"));
    assert_eq!(Manifest::read(&path).unwrap(), manifest);
}

#[test]
fn times_are_rfc_3339_in_whole_seconds() {
    let now = now();
    assert!(now.parse::<Timestamp>().is_ok(), "{now}");
    assert_eq!(now.len(), "2026-11-22T10:20:30Z".len());
}

#[test]
fn a_manifest_of_another_version_or_none_at_all_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("manifest.json");
    for (json, problem) in [
        (
            r#"{"schema_version": 1}"#,
            "expected schema_version 3, found 1",
        ),
        (
            r#"{"schema_version": "x"}"#,
            r#"expected schema_version 3, found "x""#,
        ),
        (
            "{}",
            "not a manifest: missing field `schema_version` at line 1 column 2",
        ),
        ("PNG", "not a manifest: expected value at line 1 column 1"),
    ] {
        i2am_files::write_atomic(&path, json).unwrap();
        let error = Manifest::read(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: {problem}", path.display()));
    }
}

#[test]
fn a_resumed_run_keeps_its_start_and_tells_what_changed() {
    let mut first = Manifest::start(start());
    first.started = "2026-01-01T00:00:00Z".to_owned();
    first.end(RunStatus::Partial, ["an empty mask".to_owned()]);
    let now = ManifestStart {
        device: "cuda:0".to_owned(),
        ..start()
    };
    let dir = Path::new("out");
    let second = first.resume(now.clone(), dir).unwrap();
    let warnings = [
        "an empty mask",
        r#"resumed with another device: "cpu", then "cuda:0""#,
    ];
    assert_eq!(second.started, "2026-01-01T00:00:00Z");
    assert_eq!(
        (second.status, &second.finished),
        (RunStatus::Started, &None)
    );
    assert_eq!(second.resumed.len(), 1);
    assert_eq!(second.warnings, warnings);

    let third = second.resume(now, dir).unwrap();
    assert_eq!(third.resumed.len(), 2);
    assert_eq!(third.warnings, warnings);
}

#[test]
fn other_settings_of_the_pictures_or_another_checkpoint_are_refused() {
    // The changed penalty has no part in the refusal.
    let other_config = start_with(config(50, 2));
    let error = Manifest::start(start()).resume(other_config, Path::new("out"));
    assert_eq!(
        error.unwrap_err().to_string(),
        format!(
            "out: holds results of another config (hash {}, now {}; model.0.steps: 20, now 50); \
             pass --fresh to replace them, or choose another output",
            hashes(&config(20, 3)).generate.hash(),
            hashes(&config(50, 2)).generate.hash(),
        )
    );

    let mut other_checkpoint = start();
    other_checkpoint
        .inputs
        .insert("checkpoint:pbe".to_owned(), "cc".to_owned());
    let error = Manifest::start(start()).resume(other_checkpoint, Path::new("out"));
    assert_eq!(
        error.unwrap_err().to_string(),
        "out: results there were computed with another `checkpoint:pbe` (sha256 aa, now cc); \
         pass --fresh to replace them, or choose another output"
    );
}

#[test]
fn other_settings_of_a_later_stage_are_taken_up_with_a_warning() {
    let earlier = Manifest::start(start());
    let mut now = earlier
        .resume(start_with(config(20, 2)), Path::new("out"))
        .unwrap();
    assert_eq!(now.warnings, [""; 0]);
    now.warn_done_again(Stage::Score, &earlier);
    assert_eq!(
        now.warnings,
        ["stage `score` is done again under other settings; imacs.penalty: 3, now 2"]
    );
}

#[test]
fn manifests_of_any_version_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("manifest.json");
    for (json, ours) in [
        (r#"{"schema_version": 2, "config_hashes": {}}"#, true),
        (r#"{"schema_version": 1, "config_hash": "81e5"}"#, true),
        (r#"{"schema_version": 1, "name": "app"}"#, false),
        ("[]", false),
    ] {
        i2am_files::write_atomic(&path, json).unwrap();
        assert_eq!(is_manifest(&path), ours, "{json}");
    }
}
