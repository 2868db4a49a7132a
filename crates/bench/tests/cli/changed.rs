//! Images that change between two runs: their sample is computed again, and the others are kept.

use std::path::Path;
use std::time::SystemTime;

use i2am_imaging::{read_gray, write_png_gray};

use crate::common::{run, write_config};

const MASK: &str = "set/test/agnostic-mask/00001_00_mask.png";
const GARMENT: &str = "set/test/cloth/00001_00.jpg";

/// Three samples in VITON-HD's layout and a configuration for them.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), "kind = \"viton-hd\"\nroot = \"set\"");
    let args = ["synth", "--out", "set", "--count", "3", "--seed", "5"];
    let (code, text) = run(folder.path(), &args);
    assert_eq!(code, 0, "{text}");
    folder
}

/// When the picture and the record of a sample were written.
fn written(folder: &Path, id: &str) -> [Option<SystemTime>; 2] {
    let files = [
        format!("out/images/pbe/{id}.png"),
        format!("out/attention/pbe/{id}.safetensors"),
    ];
    files.map(|file| folder.join(file).metadata().ok()?.modified().ok())
}

fn rows_of(folder: &Path, id: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("out/samples.csv")).unwrap();
    let of = |line: &&str| line.contains(&format!(",{id},"));
    text.lines().filter(of).map(str::to_owned).collect()
}

#[test]
fn an_inverted_mask_is_computed_again_and_the_message_names_it() {
    let folder = folder();
    let folder = folder.path();
    let (code, text) = run(folder, &["--config", "run.toml"]);
    assert_eq!(code, 0, "{text}");
    let kept = ["00000_00", "00002_00"].map(|id| (id, written(folder, id), rows_of(folder, id)));
    let (old, old_rows) = (written(folder, "00001_00"), rows_of(folder, "00001_00"));

    let mut mask = read_gray(folder.join(MASK)).unwrap();
    mask.iter_mut().for_each(|level| *level = 255 - *level);
    write_png_gray(folder.join(MASK), &mask).unwrap();

    let named = "test/agnostic-mask/00001_00_mask.png changed since it was computed";
    let (code, text) = run(folder, &["check", "--config", "run.toml"]);
    assert!(code == 0 && text.contains(named), "{text}");
    let (code, text) = run(folder, &["--config", "run.toml"]);
    assert!(code == 0 && text.contains(named), "{text}");
    for (id, times, rows) in kept {
        assert_eq!(written(folder, id), times, "{id} is kept");
        assert_eq!(rows_of(folder, id), rows, "{id} is kept");
    }
    assert_ne!(written(folder, "00001_00"), old);
    assert_ne!(rows_of(folder, "00001_00"), old_rows);

    // Nothing changed since.
    let now = written(folder, "00001_00");
    let (code, text) = run(folder, &["--config", "run.toml"]);
    assert!(code == 0 && !text.contains("changed since"), "{text}");
    assert_eq!(written(folder, "00001_00"), now);
}

#[test]
fn a_repaired_picture_completes_the_run() {
    let folder = folder();
    let folder = folder.path();
    let whole = std::fs::read(folder.join(GARMENT)).unwrap();
    i2am_files::write_atomic(folder.join(GARMENT), &whole[..whole.len() / 2]).unwrap();
    let (code, text) = run(folder, &["--config", "run.toml"]);
    assert!(code == 4 && text.contains("cloth/00001_00.jpg"), "{text}");
    let kept = ["00000_00", "00002_00"].map(|id| (id, written(folder, id)));

    i2am_files::write_atomic(folder.join(GARMENT), &whole).unwrap();
    let (code, text) = run(folder, &["--config", "run.toml"]);
    assert_eq!(code, 0, "{text}");
    for (id, times) in kept {
        assert_eq!(written(folder, id), times, "{id} is kept");
    }
    assert!(written(folder, "00001_00").iter().all(Option::is_some));
}

/// Scoring, correlating and reporting need no checkpoint, as they read what was generated.
#[test]
fn a_checkpoint_that_is_gone_is_missed_by_generation_only() {
    let folder = folder();
    let folder = folder.path();
    let (code, text) = run(folder, &["--config", "run.toml"]);
    assert_eq!(code, 0, "{text}");
    let gone = ["--config", "run.toml", "--set", "model.0.checkpoint=gone"];
    let later = ["--stages", "score,measure,correlate,report"];
    let rescored = ["--set", "attribution.imacs.penalty=2.0"];
    let (code, text) = run(folder, &[&gone[..], &later, &rescored].concat());
    assert_eq!(code, 0, "{text}");
    let (code, text) = run(folder, &gone);
    assert!(code == 1 && text.contains("gone"), "{text}");
}
