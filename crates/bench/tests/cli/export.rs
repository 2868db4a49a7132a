//! A run in the formats of other programs, and a comparison in those of CI systems.

use std::fs;
use std::path::{Path, PathBuf};

use i2am_results::{RunPaths, read_aggregate};
use serde_json::Value;

use crate::common::run;

/// A run of two samples of exported attention, which needs no network.
fn scored(folder: &Path) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exported");
    for file in ["a.npz", "b.safetensors"] {
        i2am_files::write_atomic(
            folder.join("maps").join(file),
            fs::read(fixture.join(file)).unwrap(),
        )
        .unwrap();
    }
    let masks = fixture.join("masks").display().to_string();
    let args = [
        "score",
        "--attention",
        "maps",
        "--masks",
        &masks,
        "--model",
        "a model",
        "--out",
        "out",
    ];
    let (code, text) = run(folder, &args);
    assert_eq!(code, 0, "{text}");
}

fn export(folder: &Path, to: &str, more: &[&str]) -> (i32, String) {
    run(folder, &[&["export", "out", "--to", to][..], more].concat())
}

/// The data of every record of a file of TensorFlow, whose checksums are right.
fn records(bytes: &[u8]) -> Vec<&[u8]> {
    let masked = |data: &[u8]| {
        (crc32c::crc32c(data).rotate_right(15))
            .wrapping_add(0xa282_ead8)
            .to_le_bytes()
    };
    let mut rest = bytes;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_at(8);
        let size = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        assert_eq!(after[..4], masked(length));
        let data = &after[4..4 + size];
        assert_eq!(after[4 + size..8 + size], masked(data));
        records.push(data);
        rest = &after[8 + size..];
    }
    records
}

fn file_in(folder: &Path) -> PathBuf {
    let entries = i2am_files::sorted_entries(folder).unwrap();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}

#[test]
fn a_run_for_tensorboard() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scored(folder);
    let (code, text) = export(folder, "tensorboard", &[]);
    assert_eq!(code, 0, "{text}");
    let file = file_in(&folder.join("out/export/tensorboard/a model"));
    let bytes = fs::read(&file).unwrap();
    let records = records(&bytes);
    assert!(records[0].ends_with(b"brain.Event:2"));
    let holds = |record: &[u8], tag: &str, value: f64| {
        // The tag, and behind it the number of its field and a 32-bit float.
        let end = [tag.as_bytes(), &[0x15], &(value as f32).to_le_bytes()].concat();
        record.ends_with(&end)
    };
    let scores = read_aggregate(&RunPaths::new(folder.join("out"))).unwrap();
    let mut found = 0;
    for row in scores.iter().filter(|row| row.metric == "imacs_g") {
        let tag = format!("mean/imacs_g/{}", row.level.as_ref().unwrap());
        assert!(
            records
                .iter()
                .any(|record| holds(record, &tag, row.mean.unwrap())),
            "{tag}"
        );
        found += 1;
    }
    assert!(found > 5, "{found}");
    let samples = records.iter().filter(|record| {
        let tag = b"sample/imacs_g/unified";
        record.windows(tag.len()).any(|part| part == tag)
    });
    assert_eq!(samples.count(), 2);
    // The same run gives the same bytes.
    let (code, text) = export(folder, "tensorboard", &["--out", "again"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        fs::read(file_in(&folder.join("again/a model"))).unwrap(),
        bytes
    );
}

#[test]
fn a_run_for_mlflow() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scored(folder);
    for _ in 0..2 {
        let (code, text) = export(folder, "mlflow", &["--out", "mlruns"]);
        assert_eq!(code, 0, "{text}");
    }
    let experiment = file_in(&folder.join("mlruns"));
    let meta = fs::read_to_string(experiment.join("meta.yaml")).unwrap();
    assert!(meta.contains("name: \"out\"\n"), "{meta}");
    let of_model = i2am_files::sorted_entries(&experiment).unwrap();
    let [of_model] = &of_model
        .iter()
        .filter(|path| path.is_dir())
        .collect::<Vec<_>>()[..]
    else {
        panic!("{of_model:?}");
    };
    let read = |name: &str| fs::read_to_string(of_model.join(name)).unwrap();
    assert_eq!(read("tags/mlflow.runName"), "a model");
    assert_eq!(read("tags/protocol"), "custom");
    assert_eq!(read("params/family"), "exported");
    let scores = read_aggregate(&RunPaths::new(folder.join("out"))).unwrap();
    let whole = scores.iter().find(|row| {
        row.metric == "imacs_g"
            && row
                .level
                .as_ref()
                .is_some_and(|level| level.to_string() == "unified")
    });
    let value = read("metrics/imacs_g/unified");
    let value: Vec<&str> = value.split_whitespace().collect();
    assert_eq!(value[1].parse::<f64>().ok(), whole.unwrap().mean);
}

#[test]
fn a_run_for_a_model_card() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scored(folder);
    let (code, text) = export(folder, "model-index", &["--out", "index.yaml"]);
    assert_eq!(code, 0, "{text}");
    let text = fs::read_to_string(folder.join("index.yaml")).unwrap();
    let text: Vec<&str> = text
        .lines()
        .map(|line| {
            if line.contains("value: ") {
                "      value: X"
            } else {
                line
            }
        })
        .collect();
    insta::assert_snapshot!("model_index", text.join("\n"));
    let (code, text) = export(folder, "model-index", &["--model", "a mode"]);
    assert!(
        code == 2 && text.contains("out: no model `a mode`: did you mean `a model`"),
        "{text}"
    );
    let (code, text) = run(folder, &["export", "none", "--to", "mlflow"]);
    assert!(code == 1 && text.contains("none/manifest.json"), "{text}");
}

#[test]
fn a_comparison_for_ci_systems() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scored(folder);
    let compare = |more: &[&str]| {
        let fixed = [
            "compare",
            "--results",
            "out",
            "--baseline",
            "base.json",
            "--junit",
            "junit.xml",
            "--summary",
            "summary.md",
        ];
        run(folder, &[&fixed[..], more].concat())
    };
    let (code, text) = compare(&["--update"]);
    assert_eq!(code, 0, "{text}");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let first = read("summary.md");
    assert!(
        first.starts_with("### bench compare: not worse than the baseline\n"),
        "{first}"
    );
    assert!(read("junit.xml").contains("failures=\"0\""));

    // A value that was higher once.
    let mut baseline: Value = serde_json::from_str(&read("base.json")).unwrap();
    let scores = baseline["run"]["scores"].as_array_mut().unwrap();
    let score = scores
        .iter_mut()
        .find(|score| score["metric"] == "imacs_g" && score["level"] == "unified")
        .unwrap();
    let value = score["mean"].as_f64().unwrap();
    score["mean"] = (value + 0.5).into();
    i2am_files::write_atomic(folder.join("base.json"), baseline.to_string()).unwrap();
    let (code, text) = compare(&[]);
    assert_eq!(code, 3, "{text}");
    let junit = read("junit.xml");
    let tests = junit.matches("<testcase ").count();
    let head = format!(
        "<testsuites name=\"bench compare\" tests=\"{tests}\" failures=\"1\" errors=\"0\" skipped=\"0\">"
    );
    assert!(junit.contains(&head), "{junit}");
    assert!(junit.contains("<testcase classname=\"a model\" name=\"imacs_g unified\">\n      <failure type=\"worse\" message=\"worse: expected"), "{junit}");
    // The summary of a job has what all steps said.
    let summary = read("summary.md");
    assert!(summary.starts_with(&first), "{summary}");
    assert!(
        summary.contains("### bench compare: worse than the baseline\n"),
        "{summary}"
    );
    assert!(
        summary.contains("| a model | imacs_g | unified | all |"),
        "{summary}"
    );
}

#[test]
fn completions_and_pages_of_the_manual() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (shell, expected) in [
        ("bash", "complete -F _bench"),
        ("zsh", "#compdef bench"),
        ("fish", "complete -c bench"),
    ] {
        let (code, text) = run(folder, &["completions", shell]);
        assert_eq!(code, 0, "{text}");
        assert!(
            text.contains(expected) && text.contains("measure") && text.contains("--"),
            "{shell}"
        );
    }
    let (code, text) = run(folder, &["man"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains(".TH bench 1") && text.contains("Exit codes"),
        "{text}"
    );
    let (code, text) = run(folder, &["man", "--out", "man"]);
    assert_eq!(code, 0, "{text}");
    let page = fs::read_to_string(folder.join("man/bench-compare.1")).unwrap();
    assert!(
        page.contains("junit") && page.contains(".TH bench-compare 1"),
        "{page}"
    );
    assert!(folder.join("man/bench.1").is_file() && !folder.join("man/bench-work.1").exists());
}
