//! Tables, plots and page, of a run and of runs that are there.

use std::collections::BTreeMap;
use std::path::Path;

use i2am_results::{
    ConfigHash, ConfigHashes, DatasetName, ManifestStart, Measurement, Outcome, RunFolder,
    SampleResult, Stage,
};
use serde_json::json;

use crate::common::run;

/// A run of two models that were measured, in `folder/name`; its data set is nowhere.
fn measured_run(folder: &Path, name: &str) {
    let config = json!({"dataset": {"kind": "viton-hd", "settings": {"root": "gone"}}});
    let nothing = || ConfigHash::of(&config, &[]);
    let start = ManifestStart {
        name: name.to_owned(),
        dataset: DatasetName::default(),
        git: None,
        config_hashes: ConfigHashes {
            generate: nothing(),
            score: nothing(),
            measure: nothing(),
            faithfulness: ConfigHash::of_nothing(),
        },
        config,
        inputs: BTreeMap::new(),
        samples: None,
        versions: BTreeMap::new(),
        device: "cpu".to_owned(),
        threads: 1,
        seed: 1,
    };
    let mut run = RunFolder::open(folder.join(name), start, false).unwrap();
    for (model, value) in [("a", 21.5), ("b", 19.25)] {
        let psnr = Measurement {
            direction: None,
            level: None,
            metric: "psnr".to_owned(),
            version: 1,
            outcome: Outcome::ok(value).unwrap(),
            convention: "rgb".to_owned(),
            note: i2am_results::Notes::NONE,
        };
        run.append(&SampleResult {
            stage: Stage::Measure,
            model: model.to_owned(),
            sample_id: "00001_00".to_owned(),
            measurements: vec![psnr],
            failure: None,
        })
        .unwrap();
    }
    run.finish(Vec::new()).unwrap();
}

#[test]
fn runs_side_by_side_go_into_a_folder_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    measured_run(folder, "first");
    measured_run(folder, "second");
    let (code, text) = run(folder, &["report", "--results", "first", "second"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("add --out DIR"), "{text}");

    let (code, text) = run(
        folder,
        &["report", "--results", "first", "second", "--out", "both"],
    );
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("first: only generated pictures are shown"),
        "{text}"
    );
    let table = std::fs::read_to_string(folder.join("both/tables/results.md")).unwrap();
    assert!(
        table.contains("| second | b | <u>19.25</u> | 1 |"),
        "{table}"
    );
    assert!(folder.join("both/report.html").is_file());
    assert!(!folder.join("first/report.html").exists());
}

#[test]
fn a_report_of_one_run_replaces_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    measured_run(folder, "only");
    let report = || {
        let (code, text) = run(folder, &["report", "--results", "only"]);
        assert_eq!(code, 0, "{text}");
    };
    report();
    i2am_files::write_atomic(folder.join("only/tables/old.md"), "old").unwrap();
    report();
    for (file, there) in [
        ("report.html", true),
        ("tables/results.tex", true),
        ("plots/distribution_psnr_rgb.svg", true),
        ("tables/old.md", false),
    ] {
        assert_eq!(folder.join("only").join(file).exists(), there, "{file}");
    }
}

#[test]
fn what_is_no_run_or_no_setting_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = run(folder.path(), &["report", "--results", "."]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("manifest.json"), "{text}");
    let (code, text) = run(
        folder.path(),
        &["report", "--results", ".", "--max-megabytes", "-1"],
    );
    assert_eq!(code, 2, "{text}");
}

#[test]
fn help_has_examples() {
    let (code, text) = run(Path::new("."), &["report", "--help"]);
    assert_eq!(code, 0);
    assert!(
        text.contains("bench report --results results/demo"),
        "{text}"
    );
}

/// The stage and the command write the same, byte for byte: the command finds the data set by the manifest. Only the page of a run ends
/// with what it is made from, by which the next run knows whether it is up to date.
#[cfg(feature = "torch")]
#[test]
fn a_run_ends_with_its_report() {
    use crate::common::{SYNTH, write_config};

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    let (code, text) = run(folder, &["--config", "run.toml"]);
    assert_eq!(code, 0, "{text}");
    let page = std::fs::read_to_string(folder.join("out/report.html")).unwrap();
    // Input, reference and ground truth of three samples, and what the model made of each.
    assert_eq!(page.matches("data:image/jpeg;base64,").count(), 12);
    let (code, text) = run(folder, &["report", "--results", "out", "--out", "again"]);
    assert_eq!(code, 0, "{text}");
    let again = std::fs::read_to_string(folder.join("again/report.html")).unwrap();
    let made_from = page.strip_prefix(&again).expect("another page");
    assert!(made_from.starts_with("<!-- made from ") && made_from.lines().count() == 1);

    let (code, text) = run(folder, &["--config", "run.toml", "--set", "page.sample=3"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("unknown field `sample`"), "{text}");
}
