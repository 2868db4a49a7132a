//! Bad input: one clear line, the right exit code, nothing lost.

use crate::common::{SYNTH, run, write_config};
use i2am_imaging::{GrayImage, write_png_gray};

/// Runs `args` on a fresh configuration over the synthetic set and expects `code` and every one of `words`.
fn refused(args: &[&str], code: i32, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    expect(folder.path(), args, code, words);
}

fn expect(folder: &std::path::Path, args: &[&str], code: i32, words: &[&str]) {
    let (found, text) = run(folder, args);
    assert_eq!(found, code, "{text}");
    for word in words {
        assert!(text.contains(word), "expected `{word}` in: {text}");
    }
}

#[test]
fn unknown_key_is_refused_by_name_and_line() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), &format!("{SYNTH}\nsplitt = \"test\""));
    expect(
        folder.path(),
        &["check", "--config", "run.toml"],
        2,
        &["run.toml", "splitt", "line 13"],
    );
    refused(
        &[
            "check",
            "--config",
            "run.toml",
            "--set",
            "model.0.guidence=2",
        ],
        2,
        &["guidence", "guidance"],
    );
    refused(
        &["check", "--config", "run.toml", "--set", "surprise=2"],
        2,
        &["surprise"],
    );
}

#[test]
fn unknown_kinds_are_answered_with_the_closest() {
    refused(
        &[
            "check",
            "--config",
            "run.toml",
            "--set",
            "dataset.kind=viton",
        ],
        2,
        &["`viton-hd`"],
    );
    refused(
        &[
            "check",
            "--config",
            "run.toml",
            "--set",
            "model.0.family=paint-by-exampel",
        ],
        2,
        &["`paint-by-example`"],
    );
}

#[test]
fn step_counts_that_cannot_work() {
    refused(
        &["--config", "run.toml", "--set", "model.0.sampler.steps=3"],
        2,
        &["sampler.steps = 3", "4 works"],
    );
    refused(
        &["--config", "run.toml", "--set", "model.0.sampler.steps=0"],
        2,
        &["expected 1 to 1000"],
    );
    refused(
        &["--config", "run.toml", "--set", "attribution.time_groups=5"],
        2,
        &["time_groups", "found 5"],
    );
}

#[test]
fn sizes_that_cannot_work() {
    refused(
        &["--config", "run.toml", "--set", "model.0.size=[100, 96]"],
        2,
        &["model.size", "multiples of 16", "[100, 96]"],
    );
}

#[test]
fn missing_configuration_and_checkpoint() {
    refused(&["--config", "none.toml"], 2, &["none.toml"]);
    refused(
        &[
            "--config",
            "run.toml",
            "--set",
            "model.0.checkpoint=nowhere",
        ],
        1,
        &["nowhere"],
    );
}

#[test]
fn missing_file_in_a_viton_hd_folder_is_found_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), "kind = \"viton-hd\"\nroot = \"set\"");
    let (code, text) = run(
        folder.path(),
        &["synth", "--out", "set", "--count", "2", "--seed", "5"],
    );
    assert_eq!(code, 0, "{text}");
    std::fs::remove_file(
        folder
            .path()
            .join("set/test/agnostic-mask/00001_00_mask.png"),
    )
    .unwrap();
    expect(
        folder.path(),
        &["--config", "run.toml"],
        1,
        &["00001_00", "mask", "00001_00_mask.png"],
    );
    assert!(!folder.path().join("out").exists(), "nothing was started");
}

#[test]
fn unwritable_output_is_found_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    i2am_files::write_atomic(folder.path().join("file"), b"not a folder").unwrap();
    expect(
        folder.path(),
        &["--config", "run.toml", "--set", "output=file/out"],
        1,
        &["file/out"],
    );
}

/// Writes a data set of our own with two samples, of which the first gets `mask`.
fn manifest(folder: &std::path::Path, mask: &GrayImage) {
    write_config(folder, "kind = \"manifest\"\nfile = \"list.csv\"");
    let (code, text) = run(
        folder,
        &["synth", "--out", "set", "--count", "2", "--seed", "5"],
    );
    assert_eq!(code, 0, "{text}");
    write_png_gray(folder.join("mask.png"), mask).unwrap();
    let line = |id: &str, mask: &str| {
        format!("{id},set/test/image/{id}_00.jpg,{mask},set/test/cloth/{id}_00.jpg\n")
    };
    let list = format!(
        "id,image,mask,reference\n{}{}",
        line("00000", "mask.png"),
        line("00001", "set/test/agnostic-mask/00001_00_mask.png")
    );
    i2am_files::write_atomic(folder.join("list.csv"), list.as_bytes()).unwrap();
}

#[test]
fn empty_mask_has_an_empty_score_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    manifest(folder.path(), &GrayImage::new(96, 128));
    expect(folder.path(), &["--config", "run.toml"], 0, &["imacs_g"]);
    let rows = std::fs::read_to_string(folder.path().join("out/samples.csv")).unwrap();
    let unified: Vec<&str> = rows
        .lines()
        .filter(|row| row.contains(",unified,imacs_g,"))
        .collect();
    assert!(unified[0].contains(",imacs_g,2,,empty,"), "{}", unified[0]);
    assert!(unified[1].contains(",ok,"), "{}", unified[1]);
    assert!(!rows.contains("NaN"));
}

#[test]
fn mask_of_another_size_fails_its_sample_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    manifest(
        folder.path(),
        &GrayImage::from_pixel(48, 64, image::Luma([255])),
    );
    expect(
        folder.path(),
        &["--config", "run.toml"],
        4,
        &["00000", "64", "128"],
    );
    let rows = std::fs::read_to_string(folder.path().join("out/samples.csv")).unwrap();
    assert!(
        rows.lines()
            .any(|row| row.contains(",00001,") && row.contains(",unified,imacs_g,2,"))
    );
}
