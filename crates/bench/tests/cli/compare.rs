//! A run against a baseline, as CI does it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{SYNTH, bench, root, run, write_config};

/// Runs with `args` into `out` and expects success.
fn generate(folder: &Path, out: &str, args: &[&str]) {
    let output = format!("output={out}");
    let all = [&["--config", "run.toml", "--set", &output][..], args].concat();
    let (code, text) = run(folder, &all);
    assert_eq!(code, 0, "{text}");
}

fn compare(folder: &Path, out: &str, args: &[&str]) -> (i32, String) {
    let fixed = ["compare", "--results", out, "--baseline", "base.json"];
    run(folder, &[&fixed[..], args].concat())
}

/// A folder with a run `out` of three samples, SSIM and PSNR included, and its baseline.
fn with_baseline() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    generate(folder.path(), "out", METRICS);
    let (code, text) = compare(folder.path(), "out", &["--update"]);
    assert_eq!(code, 0, "{text}");
    folder
}

const METRICS: &[&str] = &[
    "--set",
    "metric.ssim={}",
    "--set",
    "metric.psnr={}",
    "--threads",
    "2",
];

/// A copy of the small checkpoint in which one weight is larger by `factor`: of a tensor of the `UNet`, the largest.
fn changed_checkpoint(folder: &Path, tensor: &str, factor: f32) -> PathBuf {
    let original = root().join("datasets/zoo/paint-by-example");
    let copy = folder.join("changed");
    let mut folders = vec![original.clone()];
    while let Some(dir) = folders.pop() {
        for entry in i2am_files::sorted_entries(&dir).unwrap() {
            let target = copy.join(entry.strip_prefix(&original).unwrap());
            if entry.is_dir() {
                folders.push(entry);
            } else {
                i2am_files::write_atomic(target, fs::read(&entry).unwrap()).unwrap();
            }
        }
    }
    let file = copy.join("unet/diffusion_pytorch_model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let names: Value = serde_json::from_slice(&bytes[8..header]).unwrap();
    let info = &names[tensor];
    assert_eq!(info["dtype"], "F16", "{tensor}");
    let at = |index: usize| header + info["data_offsets"][index].as_u64().unwrap() as usize;
    let value = |pair: &[u8]| half::f16::from_le_bytes([pair[0], pair[1]]).to_f32();
    let weights = bytes[at(0)..at(1)].chunks_exact_mut(2);
    let largest = weights.max_by(|a, b| value(a).abs().total_cmp(&value(b).abs()));
    let largest = largest.expect("a tensor that is not empty");
    let changed = half::f16::from_f32(value(largest) * factor);
    largest.copy_from_slice(&changed.to_le_bytes());
    i2am_files::write_atomic(file, bytes).unwrap();
    copy
}

#[test]
fn a_changed_weight_is_worse_than_the_baseline_and_another_thread_count_is_not() {
    let folder = with_baseline();
    let folder = folder.path();
    for threads in ["1", "4"] {
        let args = [METRICS, &["--fresh"]].concat();
        let args: Vec<&str> = args
            .iter()
            .map(|arg| if *arg == "2" { threads } else { arg })
            .collect();
        generate(folder, "threads", &args);
        let (code, text) = compare(folder, "threads", &[]);
        assert_eq!(code, 0, "{threads} threads: {text}");
    }

    let changed = changed_checkpoint(folder, "conv_in.weight", 1.05);
    let checkpoint = format!("model.0.checkpoint={}", changed.display());
    generate(
        folder,
        "other",
        &[METRICS, &["--set", &checkpoint]].concat(),
    );
    let (code, text) = compare(folder, "other", &[]);
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("checkpoint:pbe:unet/diffusion_pytorch_model.safetensors: "),
        "{text}"
    );
    assert!(text.contains(" worse"), "{text}");
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let folder = with_baseline();
    let fixed = [
        "compare",
        "--results",
        "out",
        "--baseline",
        "base.json",
        "--json",
        "--all",
    ];
    let output = bench(folder.path(), &fixed).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["worse"], false);
    let changes = object["changes"].as_array().unwrap();
    assert_eq!(object["counts"]["same"], changes.len());
    let of = |metric: &str, level: &str, sample: &Value| {
        let found = changes.iter().filter(|change| {
            change["metric"] == metric && change["level"] == level && change["sample"] == *sample
        });
        found.count()
    };
    let first = Value::from("00000_00");
    let counts = [
        of("imacs_g", "unified", &Value::Null),
        of("imacs_g", "unified", &first),
        of("imacs_g", "time:0", &first),
        of("ssim", "", &first),
    ];
    assert_eq!(counts, [1, 1, 0, 1]);
    for key in ["old", "new", "difference", "tolerance", "better", "verdict"] {
        assert!(changes[0].get(key).is_some(), "{key}");
    }
}

#[test]
fn an_update_keeps_the_tolerances_of_the_file_and_moves_the_values() {
    let folder = with_baseline();
    let folder = folder.path();
    let file = folder.join("base.json");
    let mut baseline: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let mine =
        serde_json::json!({"better": "higher", "mean": {"absolute": 0.125, "relative": 0.5}});
    baseline["tolerances"]["ssim"] = mine.clone();
    i2am_files::write_atomic(&file, baseline.to_string()).unwrap();
    generate(folder, "seeded", &[METRICS, &["--set", "seed=4"]].concat());
    let (code, text) = compare(folder, "seeded", &["--update"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("the baseline was of another run: seed: 3, now 4"),
        "{text}"
    );
    let updated: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(updated["tolerances"]["ssim"], mine);
    assert_ne!(updated["run"]["scores"], baseline["run"]["scores"]);
    assert_eq!(compare(folder, "seeded", &[]).0, 0);
    // The first run is another configuration now.
    let (code, text) = compare(folder, "out", &[]);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("seed: 4, now 3") && text.contains("--update"),
        "{text}"
    );
}

#[test]
fn a_run_that_lacks_samples_is_worse() {
    let folder = with_baseline();
    let folder = folder.path();
    generate(folder, "few", &[METRICS, &["--limit", "2"]].concat());
    let (code, text) = compare(folder, "few", &[]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("missing: not in the run"), "{text}");
    assert!(text.contains("missing: over 3 samples, now 2"), "{text}");
    // A baseline of the few is none for all.
    assert_eq!(compare(folder, "few", &["--update"]).0, 0);
    let (code, text) = compare(folder, "out", &[]);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("samples: 1 that the baseline lacks"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_compared_is_refused_in_one_line() {
    let folder = with_baseline();
    let folder = folder.path();
    let refused = |out: &str, baseline: &str, code: i32, words: &[&str]| {
        let (found, text) = run(
            folder,
            &["compare", "--results", out, "--baseline", baseline],
        );
        assert_eq!(found, code, "{text}");
        assert_eq!(text.trim_end().lines().count(), 1, "{text}");
        for word in words {
            assert!(text.contains(word), "expected `{word}` in: {text}");
        }
    };
    refused("out", "none.json", 2, &["none.json", "--update"]);
    refused("nowhere", "base.json", 1, &["nowhere", "manifest.json"]);
    let good = fs::read_to_string(folder.join("base.json")).unwrap();
    let other = good.replacen("\"schema_version\": 1", "\"schema_version\": 99", 1);
    i2am_files::write_atomic(folder.join("other.json"), other).unwrap();
    refused(
        "out",
        "other.json",
        2,
        &["other.json", "expected schema_version 1, found 99"],
    );
    i2am_files::write_atomic(folder.join("torn.json"), &good[..good.len() / 2]).unwrap();
    refused(
        "out",
        "torn.json",
        2,
        &["torn.json", "not a baseline", "line "],
    );
    let scores = good.find("\"scores\"").unwrap();
    let mean = scores + good[scores..].find("\"mean\":").unwrap() + "\"mean\":".len();
    let end = mean + good[mean..].find([',', '}']).unwrap();
    let nan = format!("{}NaN{}", &good[..mean], &good[end..]);
    i2am_files::write_atomic(folder.join("nan.json"), nan).unwrap();
    refused(
        "out",
        "nan.json",
        2,
        &["nan.json", "not a baseline: expected JSON", "line "],
    );
    // Nothing could be worse than these.
    let mut baseline: Value = serde_json::from_str(&good).unwrap();
    let scores = baseline["run"]["scores"].as_array_mut().unwrap();
    let count = scores.len();
    for score in scores.iter_mut() {
        score["mean"] = Value::Null;
    }
    i2am_files::write_atomic(folder.join("null.json"), baseline.to_string()).unwrap();
    let without = format!("expected scores to compare with, found {count} without a value");
    refused("out", "null.json", 2, &["null.json", &without]);
    baseline["run"]["scores"] = Value::Array(Vec::new());
    i2am_files::write_atomic(folder.join("empty.json"), baseline.to_string()).unwrap();
    refused(
        "out",
        "empty.json",
        2,
        &["expected scores to compare with, found no score"],
    );
    i2am_files::write_atomic(folder.join("braces.json"), "{}").unwrap();
    refused(
        "out",
        "braces.json",
        2,
        &["not a baseline", "missing field"],
    );
    i2am_files::write_atomic(folder.join("nothing.json"), "").unwrap();
    refused(
        "out",
        "nothing.json",
        2,
        &["not a baseline", "found the end of the file"],
    );
    let samples = folder.join("out/samples.csv");
    let rows = fs::read_to_string(&samples).unwrap();
    i2am_files::write_atomic(&samples, rows.replacen(",score,", ",scorn,", 1)).unwrap();
    refused("out", "base.json", 1, &["samples.csv: line ", "scorn"]);
}

#[test]
fn a_run_without_scores_is_worse_than_any_baseline_and_none_itself() {
    let folder = with_baseline();
    let folder = folder.path();
    generate(
        folder,
        "bare",
        &[METRICS, &["--stages", "generate"]].concat(),
    );
    let (code, text) = compare(folder, "bare", &[]);
    assert_eq!(code, 3, "{text}");
    let before = fs::read(folder.join("base.json")).unwrap();
    let (code, text) = compare(folder, "bare", &["--update"]);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("expected scores to compare with, found none in the run"),
        "{text}"
    );
    assert_eq!(fs::read(folder.join("base.json")).unwrap(), before);
}

#[test]
fn a_baseline_needs_a_run_that_ended_well() {
    let folder = with_baseline();
    let folder = folder.path();
    let manifest = folder.join("out/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    i2am_files::write_atomic(&manifest, text.replace("\"success\"", "\"started\"")).unwrap();
    let before = fs::read(folder.join("base.json")).unwrap();
    let (code, text) = compare(folder, "out", &["--update"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("a run that ended"), "{text}");
    assert_eq!(fs::read(folder.join("base.json")).unwrap(), before);
}

/// The committed baseline is of the committed configuration; the values are compared where there is time for them.
#[test]
fn the_committed_baseline_belongs_to_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = root().join("configs/ci.toml");
    let config = config.display().to_string();
    let args = [
        "--config",
        &config,
        "--set",
        "output=out",
        "--limit",
        "1",
        "--stages",
        "score",
    ];
    let output = format!("output={}", folder.path().join("out").display());
    let args = args.map(|arg| {
        if arg == "output=out" {
            output.as_str()
        } else {
            arg
        }
    });
    let (code, text) = run(folder.path(), &args);
    assert_eq!(code, 0, "{text}");
    let baseline = root().join("results/baselines/ci.json");
    let baseline = baseline.display().to_string();
    let (code, text) = run(
        folder.path(),
        &["compare", "--results", "out", "--baseline", &baseline],
    );
    // Nothing is there to compare, and nothing differs in settings, data, or versions.
    assert_eq!(code, 3, "{text}");
    assert!(!text.contains("worse"), "{text}");
}
