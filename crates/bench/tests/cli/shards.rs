//! A run in shards, put together again.

use std::fs;
use std::path::Path;

use i2am_testkit::skipped;
use serde_json::Value;

use crate::common::{SYNTH, bench, root, run, write_config};

fn rows(folder: &Path, output: &str) -> String {
    fs::read_to_string(folder.join(output).join("samples.csv")).unwrap()
}

fn expect(folder: &Path, args: &[&str], code: i32, words: &[&str]) {
    let (found, text) = run(folder, args);
    assert_eq!(found, code, "{text}");
    for word in words {
        assert!(text.contains(word), "expected `{word}` in: {text}");
    }
}

#[test]
fn merged_shards_are_the_whole_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    let psnr = ["--config", "run.toml", "--set", "metric.psnr={}"];
    let with = |more: &[&str]| -> Vec<String> {
        psnr.iter()
            .chain(more)
            .map(|arg| (*arg).to_owned())
            .collect()
    };
    let go = |more: &[&str]| {
        let args = with(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        expect(folder, &args, 0, &[]);
    };
    go(&["--set", "output=whole"]);
    go(&["--shard", "1/2"]);
    go(&["--shard", "2/2"]);
    let ids = |output: &str| -> Vec<bool> {
        let rows = rows(folder, output);
        (0..3)
            .map(|id| rows.contains(&format!(",0000{id}_00,")))
            .collect()
    };
    assert_eq!(ids("out.shard-1-of-2"), [true, false, true]);
    assert_eq!(ids("out.shard-2-of-2"), [false, true, false]);

    let merge = [
        "merge",
        "out.shard-2-of-2",
        "out.shard-1-of-2",
        "--into",
        "out",
    ];
    expect(
        folder,
        &merge,
        0,
        &["out: 3 samples done, 0 failed, out of 2 folders"],
    );
    assert_eq!(rows(folder, "out"), rows(folder, "whole"));
    for part in [
        "images/pbe/00001_00.png",
        "attention/pbe/00001_00.safetensors",
        "grids/pbe/00001_00.png",
    ] {
        let [merged, whole] =
            ["out", "whole"].map(|run| fs::read(folder.join(run).join(part)).unwrap());
        assert_eq!(merged, whole, "{part}");
    }
    // There is nothing left to do for the whole run.
    let modified = |file: &str| fs::metadata(folder.join(file)).unwrap().modified().unwrap();
    let before = modified("out/images/pbe/00000_00.png");
    go(&[]);
    assert_eq!(modified("out/images/pbe/00000_00.png"), before);
    assert_eq!(rows(folder, "out"), rows(folder, "whole"));
}

#[test]
fn shards_of_two_runs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    let shard = |args: &[&str]| {
        let fixed = ["--config", "run.toml", "--stages", "generate"];
        expect(folder, &[&fixed[..], args].concat(), 0, &[]);
    };
    shard(&["--shard", "1/3"]);
    shard(&["--shard", "2/3", "--set", "seed=4"]);
    expect(
        folder,
        &[
            "merge",
            "out.shard-1-of-3",
            "out.shard-2-of-3",
            "--into",
            "out",
        ],
        2,
        &["not a shard of the same run", "seed: 3, now 4"],
    );
    expect(
        folder,
        &["merge", "out.shard-1-of-3", "nowhere", "--into", "out"],
        1,
        &["nowhere"],
    );
    expect(
        folder,
        &["merge", "out.shard-1-of-3", "--into", "out.shard-1-of-3"],
        2,
        &["both a part of the run and the folder to merge into"],
    );
    assert!(!folder.join("out").exists());
    // A shard without samples is a run like any other.
    expect(
        folder,
        &["--config", "run.toml", "--shard", "5/7"],
        0,
        &["no sample of 3 is in this run"],
    );
    for shard in ["0/2", "3/2", "1", "a/b"] {
        expect(
            folder,
            &["--config", "run.toml", "--shard", shard],
            2,
            &["expected I/N"],
        );
    }
}

#[test]
fn scores_of_sets_are_left_out_of_a_shard_and_measured_on_the_whole() {
    if !root()
        .join(".weights/fid-inception-2015-12-05.pt")
        .is_file()
    {
        skipped("no weights of Inception: scripts/setup fetches them");
        return;
    }
    // Below the checkout, where its weights are found.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    let fixed = [
        "--config",
        "run.toml",
        "--set",
        "metric.fid={tap=64}",
        "--json",
    ];
    let fid = |more: &[&str]| {
        let args = [&fixed[..], more].concat();
        let output = bench(folder, &args).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let object: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&object["name"], &object["status"]),
            (&"test".into(), &"success".into())
        );
        let scores = object["scores"].as_array().unwrap();
        scores
            .iter()
            .find(|score| score["metric"] == "fid")
            .unwrap()
            .clone()
    };
    let whole = fid(&["--set", "output=whole"]);
    assert!(whole["mean"].as_f64().is_some(), "{whole}");
    for shard in ["1/2", "2/2"] {
        let part = fid(&["--shard", shard]);
        assert!(part["mean"].is_null());
        assert!(
            part["note"]
                .as_str()
                .unwrap()
                .contains("after `bench merge`"),
            "{part}"
        );
    }
    let merge = [
        "merge",
        "out.shard-1-of-2",
        "out.shard-2-of-2",
        "--into",
        "out",
    ];
    expect(folder, &merge, 0, &["--stages measure"]);
    assert_eq!(fid(&["--stages", "measure"]), whole);
}
