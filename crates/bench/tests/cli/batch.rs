//! Samples in batches: the same results as one by one up to rounding, wherever a run was interrupted.

use std::path::Path;

use crate::common::{SYNTH, run, write_config};

/// Scores and metrics of images that differ by rounding; none of the values here is larger than some tens.
const CLOSE: f64 = 1e-3;

fn into(folder: &Path, output: &str, batch: usize, flags: &[&str]) {
    let output = format!("output={output}");
    let batch = format!("defaults.model.batch={batch}");
    let mut args = vec!["--config", "run.toml", "--set", &output, "--set", &batch];
    args.extend(["--set", "metric.psnr={}"]);
    args.extend(flags);
    let (code, text) = run(folder, &args);
    assert_eq!(code, 0, "{text}");
}

fn assert_same(folder: &Path, found: &str, expected: &str) {
    let rows = |output: &str| {
        let path = folder.join(output).join("samples.csv");
        std::fs::read_to_string(path).unwrap()
    };
    let (own, other) = (rows(found), rows(expected));
    assert_eq!(own.lines().count(), other.lines().count());
    for (own, other) in own.lines().zip(other.lines()) {
        assert_eq!(own.split(',').count(), other.split(',').count());
        for (own, other) in own.split(',').zip(other.split(',')) {
            match (own.parse::<f64>(), other.parse::<f64>()) {
                (Ok(own), Ok(other)) => {
                    assert!((own - other).abs() <= CLOSE, "{own} instead of {other}");
                }
                _ => assert_eq!(own, other),
            }
        }
    }
    let images = |output: &str| {
        let files = i2am_files::sorted_entries(folder.join(output).join("images/pbe")).unwrap();
        let read = |path: &std::path::PathBuf| i2am_imaging::read_rgb(path).unwrap();
        files.iter().map(read).collect::<Vec<_>>()
    };
    let (own, other) = (images(found), images(expected));
    assert_eq!((own.len(), other.len()), (3, 3));
    for (own, other) in own.iter().zip(&other) {
        let pairs = own.as_raw().iter().zip(other.as_raw());
        let largest = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(largest <= 1, "off by {largest} levels");
    }
}

#[test]
fn batches_give_what_single_samples_do_also_after_an_interruption() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    into(folder, "one", 1, &[]);
    into(folder, "three", 3, &[]);
    assert_same(folder, "three", "one");
    // One sample first, then the others in a batch; another batch size is no other configuration.
    into(folder, "out", 3, &["--limit", "1"]);
    into(folder, "out", 2, &[]);
    assert_same(folder, "out", "three");
}

#[test]
fn check_says_how_many_samples_are_sampled_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    let check = |sets: &[&str]| {
        let mut args = vec!["check", "--config", "run.toml"];
        args.extend(sets);
        run(folder, &args)
    };
    let (code, text) = check(&["--set", "model.0.batch=5"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("batch 5 (as configured)"), "{text}");
    let (code, text) = check(&[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("batch 1 ("), "{text}");
}
