//! What a run ends with, and its parts on request.

use std::collections::BTreeMap;
use std::path::Path;

use i2am_results::{
    ConfigHash, ConfigHashes, DatasetName, Direction, Level, ManifestStart, Measurement, Notes,
    Outcome, RunFolder, SampleResult, Stage,
};
use serde_json::json;

use crate::common::run;

const MODELS: [&str; 3] = [
    "stable-viton-longer-006000",
    "paint-by-example",
    "stable-viton-longer-014000",
];

fn measurement(metric: &str, value: f64) -> Measurement {
    Measurement {
        direction: None,
        level: None,
        metric: metric.to_owned(),
        version: 1,
        outcome: Outcome::ok(value).unwrap(),
        convention: "rgb".to_owned(),
        note: Notes::NONE,
    }
}

fn map(level: Level, value: f64) -> Measurement {
    Measurement {
        direction: Some(Direction::ReferenceToGenerated),
        level: Some(level),
        convention: "spatial".to_owned(),
        ..measurement("imacs_g", value)
    }
}

/// A run of three models, the last of which is the best; a sample of the first failed.
fn finished(folder: &Path) {
    let config = json!({"dataset": {"kind": "viton-hd", "settings": {"root": "gone"}}});
    let nothing = || ConfigHash::of(&config, &[]);
    let start = ManifestStart {
        name: "demo".to_owned(),
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
    let mut run = RunFolder::open(folder.join("demo"), start, false).unwrap();
    for (index, model) in MODELS.into_iter().enumerate() {
        for (stage, measurements) in [
            (
                Stage::Score,
                vec![
                    map(Level::Unified, 0.5 - 0.1 * index as f64),
                    map(Level::Head(1), 0.25),
                ],
            ),
            (
                Stage::Measure,
                vec![measurement("psnr", 15.0 + index as f64)],
            ),
        ] {
            let done = SampleResult {
                stage,
                model: model.to_owned(),
                sample_id: "00001_00".to_owned(),
                measurements,
                failure: None,
            };
            run.append(&done).unwrap();
        }
    }
    let failed = SampleResult {
        stage: Stage::Generate,
        model: MODELS[0].to_owned(),
        sample_id: "00002_00".to_owned(),
        measurements: Vec::new(),
        failure: Some("out of memory".to_owned()),
    };
    run.append(&failed).unwrap();
    run.finish(vec!["the masks are inverted".to_owned()])
        .unwrap();
    run.took("generate", std::time::Duration::from_millis(2500))
        .unwrap();
}

fn shown(folder: &Path, args: &[&str]) -> String {
    let (code, text) = run(folder, &[&["show", "demo"], args].concat());
    assert_eq!(code, 0, "{text}");
    text
}

#[test]
fn the_table_is_narrow_best_first_and_marks_the_best() {
    let folder = tempfile::tempdir().unwrap();
    finished(folder.path());
    let text = shown(folder.path(), &[]);
    let line = |model: &str| {
        text.lines()
            .position(|line| line.starts_with(model))
            .unwrap()
    };
    // By PSNR, a metric of images, and not by the score, whose order is the reverse.
    assert!(
        line(MODELS[2]) < line(MODELS[1]) && line(MODELS[1]) < line(MODELS[0]),
        "{text}"
    );
    assert!(text.contains("▸17.00") && text.contains("▸0.500"), "{text}");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 80, "{widest} columns:\n{text}");
}

#[test]
fn every_part_is_shown_on_request_and_all_of_them_together() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    finished(folder);
    for (flag, words) in [
        ("--levels", "head:1"),
        ("--failures", "00002_00, stage generate: out of memory"),
        ("--warnings", "Warning: the masks are inverted"),
        ("--time", "generate 2.5 s"),
    ] {
        let part = shown(folder, &[flag]);
        assert!(part.contains(words), "{flag}: {part}");
        assert!(!part.contains('▸'), "{flag} shows other parts:\n{part}");
        let all = shown(folder, &["--all"]);
        assert!(all.contains(words) && all.contains('▸'), "{flag}: {all}");
    }
    let one = shown(folder, &["--levels", "--model", MODELS[1]]);
    assert!(one.contains(MODELS[1]) && !one.contains(MODELS[0]), "{one}");
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    finished(folder);
    for (args, code, words) in [
        (
            &["show", "nowhere"][..],
            1,
            "nowhere: there is no such folder",
        ),
        (
            &["show", "."],
            1,
            "it has no manifest.json; runs in it: ./demo",
        ),
        (
            &["show", "demo/tables"],
            1,
            "demo/tables: there is no such folder",
        ),
        (
            &["show", "demo", "--detection"],
            2,
            "demo: the run has nothing for --detection",
        ),
        (
            &["show", "demo", "--model", "paint-by-exampel"],
            2,
            "did you mean `paint-by-example`?",
        ),
        (
            &["report", "--results", "nowhere"],
            1,
            "nowhere: there is no such folder",
        ),
    ] {
        let (found, text) = run(folder, args);
        assert_eq!(found, code, "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
}
