//! Runs with several workers end with the files of a run with one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use i2am_testkit::skipped;

use crate::common::{bench, root};
use crate::kills::{assert_same, files};

/// `configs/ci.toml` with so many workers.
fn start(folder: &Path, workers: &str) -> Child {
    let config = root().join("configs/ci.toml");
    let output = format!("output=\"{}\"", folder.join(workers).display());
    let args = [
        "--quiet",
        "--config",
        config.to_str().unwrap(),
        "--threads",
        "2",
        "--workers",
        workers,
        "--set",
        &output,
    ];
    bench(&root(), &args).stdout(Stdio::null()).spawn().unwrap()
}

/// The workers of the process `run`.
fn workers_of(run: u32) -> Vec<String> {
    let output = Command::new("pgrep")
        .args(["--parent", &run.to_string()])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn two_workers_give_the_files_of_one_also_if_one_dies() {
    if !root()
        .join(".weights/fid-inception-2015-12-05.pt")
        .is_file()
    {
        skipped("no weights of Inception: scripts/setup fetches them");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Draws the data set and fills caches, which no run after it does.
    assert!(start(folder, "1").wait().unwrap().success());
    let expected = folder.join("1");
    std::fs::remove_dir_all(&expected).unwrap();
    assert!(start(folder, "1").wait().unwrap().success());
    let expected = files(&expected);
    assert!(start(folder, "2").wait().unwrap().success());
    assert_same(&expected, &folder.join("2"), 0);

    std::fs::remove_dir_all(folder.join("2")).unwrap();
    let mut run = start(folder, "2");
    let end = Instant::now() + Duration::from_mins(2);
    // In the middle of its second model at the latest.
    let pictures = || {
        let images = folder.join("2/images");
        let models = i2am_files::sorted_entries(images).unwrap_or_default();
        let of_model = |model| i2am_files::sorted_entries(model).unwrap_or_default().len();
        models.into_iter().map(of_model).sum::<usize>()
    };
    while pictures() < 2 {
        assert!(Instant::now() < end, "no picture after two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    let workers = workers_of(run.id());
    assert_eq!(workers.len(), 2);
    let killed = Command::new("kill").args(["-KILL", &workers[0]]).status();
    assert!(killed.unwrap().success());
    assert!(run.wait().unwrap().success());
    assert_same(&expected, &folder.join("2"), 1);
}
