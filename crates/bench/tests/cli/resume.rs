//! A killed run goes on where it stopped, and ends with the same files as an unbroken one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::common::{SYNTH, bench, run, write_config};

fn rows(folder: &Path, output: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(output).join("samples.csv")).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in i2am_files::sorted_entries(folder).unwrap() {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            found.push((name, std::fs::read(&entry).unwrap()));
        }
    }
    found
}

#[test]
fn a_killed_run_goes_on_and_loses_one_sample_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    let (code, text) = run(folder, &["--config", "run.toml", "--set", "output=whole"]);
    assert_eq!(code, 0, "{text}");

    let mut child = bench(folder, &["--config", "run.toml", "--quiet"])
        .spawn()
        .unwrap();
    let ledger = folder.join("out/samples.csv");
    let started = Instant::now();
    let begun = || std::fs::read_to_string(&ledger).is_ok_and(|text| text.lines().count() >= 2);
    while !begun() {
        assert!(
            started.elapsed() < Duration::from_mins(5),
            "no sample was written"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    // SIGKILL: nothing can be tidied up.
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = rows(folder, "out");

    let (code, text) = run(folder, &["--config", "run.toml"]);
    assert_eq!(code, 0, "{text}");
    let resumed = rows(folder, "out");
    assert!(kept.len() >= 2 && resumed.len() > kept.len());
    assert_eq!(resumed[..2], kept[..2], "what was done is kept");
    assert_eq!(resumed, rows(folder, "whole"));
    for part in ["images", "attention", "maps", "grids"] {
        assert_eq!(
            files(&folder.join("out").join(part)),
            files(&folder.join("whole").join(part)),
            "{part}"
        );
    }

    // A third time there is nothing left to do.
    let (code, _) = run(folder, &["--config", "run.toml"]);
    assert_eq!(code, 0);
    assert_eq!(rows(folder, "out"), resumed);
}

#[test]
fn another_configuration_does_not_mix_with_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    assert_eq!(run(folder, &["--config", "run.toml", "--limit", "1"]).0, 0);
    let before = rows(folder, "out");
    let (code, text) = run(
        folder,
        &["--config", "run.toml", "--limit", "1", "--set", "seed=4"],
    );
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("--fresh"), "{text}");
    assert_eq!(rows(folder, "out"), before);
    assert_eq!(
        run(
            folder,
            &[
                "--config", "run.toml", "--limit", "1", "--set", "seed=4", "--fresh"
            ]
        )
        .0,
        0
    );
    assert_ne!(rows(folder, "out"), before);
}

#[test]
fn another_convention_scores_again_without_generating_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    assert_eq!(run(folder, &["--config", "run.toml"]).0, 0);
    let generated = || -> Vec<String> {
        let rows = rows(folder, "out").into_iter();
        rows.filter(|row| row.contains(",generate,")).collect()
    };
    let written = || -> Vec<SystemTime> {
        let folders = ["out/images/pbe", "out/attention/pbe"].map(|part| folder.join(part));
        let files = folders.map(|folder| i2am_files::sorted_entries(folder).unwrap());
        let time = |file: &PathBuf| std::fs::metadata(file).unwrap().modified().unwrap();
        files.concat().iter().map(time).collect()
    };
    let before = (generated(), written());
    assert_eq!((before.0.len(), before.1.len()), (3, 6));

    let paper = "attribution.convention=paper";
    let (code, text) = run(folder, &["--config", "run.toml", "--set", paper]);
    assert_eq!(code, 0, "{text}");
    assert_eq!((generated(), written()), before);
    let scored = |convention: &str| {
        let is_score = |row: &&String| row.contains(",unified,imacs_g,");
        let rows = rows(folder, "out");
        let scores = rows.iter().filter(is_score);
        scores.filter(|row| row.contains(convention)).count()
    };
    assert_eq!((scored(",spatial"), scored(",paper")), (0, 3));
    let manifest = std::fs::read_to_string(folder.join("out/manifest.json")).unwrap();
    let warning = "stage `score` is done again under other settings; attribution.convention";
    assert!(manifest.contains(warning), "{manifest}");
}

#[test]
fn scoring_alone_reads_what_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    assert_eq!(
        run(folder, &["--config", "run.toml", "--stages", "generate"]).0,
        0
    );
    assert!(
        !rows(folder, "out")
            .iter()
            .any(|row| row.contains("imacs_g"))
    );
    assert_eq!(
        run(folder, &["--config", "run.toml", "--stages", "score"]).0,
        0
    );
    assert_eq!(
        rows(folder, "out")
            .iter()
            .filter(|row| row.contains(",unified,imacs_g,"))
            .count(),
        3
    );
}
