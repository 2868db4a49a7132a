//! A run that is killed again and again, at any moment of any stage, ends with the files of one that was not.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use i2am_testkit::skipped;
use serde_json::Value;

use crate::common::{bench, root};

/// How often the run is killed.
const KILLS: usize = 20;

/// `configs/ci.toml` with two samples, which has all stages.
fn start(folder: &Path) -> Child {
    let config = root().join("configs/ci.toml");
    let output = format!("output=\"{}\"", folder.join("out").display());
    bench(
        &root(),
        &[
            "--quiet",
            "--config",
            config.to_str().unwrap(),
            "--limit",
            "2",
            "--set",
            &output,
        ],
    )
    .stdout(Stdio::null())
    .spawn()
    .unwrap()
}

/// Every file of a run but the lock; times, and what was done before, are left out.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let manifest = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&manifest).unwrap();
    for key in ["started", "resumed", "finished", "seconds"] {
        manifest[key].take();
    }
    manifest["counts"]["skipped"].take();
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in i2am_files::sorted_entries(&next).unwrap() {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let name = entry.strip_prefix(folder).unwrap().display().to_string();
            let mut bytes = std::fs::read(&entry).unwrap();
            match name.as_str() {
                ".lock" => continue,
                "manifest.json" => bytes = manifest.to_string().into_bytes(),
                "report.html" => {
                    let page = String::from_utf8(bytes).unwrap();
                    bytes = without_times(&page).into_bytes();
                }
                _ => {}
            }
            found.insert(name, bytes);
        }
    }
    found
}

/// A page without the times of its run. A page that is up to date keeps those of the run that wrote it.
fn without_times(page: &str) -> String {
    let mut rest = page;
    let mut kept = String::new();
    for before in ["<dt>Started</dt><dd>", "<dt>Finished</dt><dd>"] {
        let (head, tail) = rest.split_once(before).expect(before);
        kept += head;
        rest = tail.split_once('<').expect("an end tag").1;
    }
    kept + rest
}

#[test]
fn a_run_killed_at_twenty_moments_ends_with_the_same_files() {
    if !root()
        .join(".weights/fid-inception-2015-12-05.pt")
        .is_file()
    {
        skipped("no weights of Inception: scripts/setup fetches them");
        return;
    }
    let whole = tempfile::tempdir().unwrap();
    // Draws the data set and fills caches, which no run after it does.
    assert!(start(whole.path()).wait().unwrap().success());
    std::fs::remove_dir_all(whole.path().join("out")).unwrap();
    let started = Instant::now();
    assert!(start(whole.path()).wait().unwrap().success());
    let full = started.elapsed();
    let expected = files(&whole.path().join("out"));
    assert!(expected.len() > 20 && expected.contains_key("correlations.csv"));

    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (mut kills, mut seed) = (0, 7_u64);
    while kills < KILLS {
        // A linear congruential generator with Knuth's constants: 5 to 45 % of the time of a whole run.
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let share = 0.05 + 0.4 * (seed >> 40) as f64 / f64::from(1 << 24);
        let mut child = start(folder.path());
        let end = Instant::now() + full.mul_f64(share);
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if Instant::now() >= end {
                break None;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        if let Some(status) = ended {
            assert!(status.success(), "after {kills} kills: {status}");
            assert_same(&expected, &out, kills);
            std::fs::remove_dir_all(&out).unwrap();
        } else {
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
    }
    assert!(start(folder.path()).wait().unwrap().success());
    assert_same(&expected, &out, kills);
}

pub(crate) fn assert_same(expected: &BTreeMap<String, Vec<u8>>, out: &Path, kills: usize) {
    let found = files(out);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(&found), "after {kills} kills");
    let differs = |(name, bytes): &(&String, &Vec<u8>)| found[*name] != **bytes;
    let differing: Vec<&String> = expected
        .iter()
        .filter(differs)
        .map(|(name, _)| name)
        .collect();
    assert!(
        differing.is_empty(),
        "after {kills} kills {differing:?} differ"
    );
}
