//! A run as an array job of a Slurm of one node, which the test starts.

use std::process::Command;

use i2am_testkit::skipped;

use crate::common::{root, write_config};

/// Six samples for each shard: it is stopped after its first.
const SET: &str =
    "kind = \"synth\"\nseed = 9\ncount = 12\nheight = 128\nwidth = 96\nroot = \"set\"";

#[test]
fn an_array_with_a_killed_and_a_requeued_task_gives_the_files_of_one_run() {
    let script = root().join("scripts/slurm/try");
    let able = Command::new(&script).arg("--able").output().unwrap();
    if !able.status.success() {
        skipped(String::from_utf8_lossy(&able.stderr).trim());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SET);
    let output = Command::new(script)
        .current_dir(folder.path())
        .arg("run.toml")
        .args(["--set", "metric.psnr={}", "--threads", "1"])
        .args(["--set", "model.0.sampler.steps=10"])
        .env("I2AM_BENCH", env!("CARGO_BIN_EXE_bench"))
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    assert!(output.status.success(), "{text}");
    for words in [
        "task 1 was requeued while it generated",
        "task 2 was killed while it generated",
        "equal to the files of a run without Slurm",
    ] {
        assert!(text.contains(words), "expected `{words}` in: {text}");
    }
}
