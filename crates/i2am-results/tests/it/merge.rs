//! Shards of one run put together.

use std::fs;
use std::path::{Path, PathBuf};

use i2am_results::{
    Manifest, Notes, Outcome, ResultsError, RunFolder, RunPaths, RunStatus, SetScore, Stage, merge,
};

use crate::common::{done, failed, scored, start, start_with};

fn value(id: &str) -> f64 {
    f64::from(id.as_bytes()[0]) / 1000.0
}

/// Runs all stages for `ids` in the order of a run, with files.
fn run(dir: &Path, ids: &[&str]) {
    let mut run = RunFolder::open(dir, start(20), false).unwrap();
    for id in ids {
        let paths = run.paths();
        for file in [paths.image("pbe", id), paths.attention("pbe", id)] {
            i2am_files::write_atomic(file, format!("picture of {id}")).unwrap();
        }
        run.append(&done(Stage::Generate, id)).unwrap();
    }
    for id in ids {
        let paths = run.paths();
        i2am_files::write_atomic(
            paths.maps("pbe", id).join("r2g.png"),
            format!("map of {id}"),
        )
        .unwrap();
        i2am_files::write_atomic(paths.grid("pbe", id), format!("sheet of {id}")).unwrap();
        run.append(&scored(id, Outcome::ok(value(id)).unwrap()))
            .unwrap();
    }
    run.finish(Vec::new()).unwrap();
}

/// Every file below `dir` but for manifest and lock, by its name from there.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in i2am_files::sorted_entries(&folder).unwrap() {
            let name = entry.strip_prefix(dir).unwrap().to_owned();
            if entry.is_dir() {
                folders.push(entry);
            } else if name != Path::new("manifest.json") && name != Path::new(".lock") {
                found.push((name, fs::read(&entry).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn merged_shards_equal_the_whole_run_in_every_file() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    run(&at("whole"), &["a", "b", "c", "d", "e"]);
    run(&at("1"), &["a", "c", "e"]);
    run(&at("2"), &["b", "d"]);
    // Whatever the order of the folders.
    for (into, parts) in [("merged", ["1", "2"]), ("other", ["2", "1"])] {
        let merged = merge(&parts.map(at), &at(into)).unwrap();
        assert_eq!((merged.counts.ok, merged.counts.failed), (5, 0));
        assert_eq!(merged.warnings, [""; 0]);
        assert_eq!(files(&at(into)), files(&at("whole")));
    }
    let manifest = Manifest::read(RunPaths::new(at("merged")).manifest()).unwrap();
    assert_eq!(manifest.status, RunStatus::Success);
    assert_eq!(manifest.config_hashes, start(20).config_hashes);
    // A run takes it up like one of its own.
    let run = RunFolder::open(at("merged"), start(20), false).unwrap();
    assert_eq!(run.counts().skipped, 5);
}

#[test]
fn a_merge_can_be_repeated_and_goes_on_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    run(&at("whole"), &["a", "b"]);
    run(&at("1"), &["a"]);
    run(&at("2"), &["b"]);
    merge(&[at("1")], &at("into")).unwrap();
    // A file of which the rows were not written yet may be torn.
    let torn = RunPaths::new(at("into")).image("pbe", "b");
    i2am_files::write_atomic(torn, "torn").unwrap();
    // What was there stays where it was, so rows are in another order than in one go.
    let in_order = |dir: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = files(dir);
        found.retain(|(name, _)| name != Path::new("samples.parquet"));
        for (name, bytes) in &mut found {
            if name == Path::new("samples.csv") {
                let mut lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
                lines.sort_unstable();
                *bytes = lines.concat();
            }
        }
        found
    };
    for _ in 0..2 {
        merge(&[at("1"), at("2")], &at("into")).unwrap();
        assert_eq!(in_order(&at("into")), in_order(&at("whole")));
    }
}

#[test]
fn a_failed_sample_gives_way_to_one_that_did_not_fail() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    run(&at("good"), &["a"]);
    let mut bad = RunFolder::open(at("bad"), start(20), false).unwrap();
    bad.append(&failed("a")).unwrap();
    bad.append(&failed("z")).unwrap();
    bad.finish(Vec::new()).unwrap();
    drop(bad);
    let merged = merge(&[at("bad"), at("good")], &at("into")).unwrap();
    assert_eq!((merged.counts.ok, merged.counts.failed), (1, 1));
    let manifest = Manifest::read(RunPaths::new(at("into")).manifest()).unwrap();
    assert_eq!(manifest.status, RunStatus::Partial);
}

#[test]
fn overlaps_that_disagree_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    run(&at("1"), &["a", "b"]);
    run(&at("same"), &["b", "c"]);
    assert_eq!(
        merge(&[at("1"), at("same")], &at("fine"))
            .unwrap()
            .counts
            .ok,
        3
    );

    let mut other = RunFolder::open(at("other"), start(20), false).unwrap();
    other
        .append(&scored("b", Outcome::ok(0.75).unwrap()))
        .unwrap();
    drop(other);
    let refused = |part: &str| {
        let error = merge(&[at("1"), at(part)], &at("into")).unwrap_err();
        assert!(matches!(error, ResultsError::Disagree { .. }), "{error}");
        assert!(!at("into").exists());
        error.to_string()
    };
    let message = refused("other");
    assert!(
        message.starts_with("sample `b` of model `pbe` is in "),
        "{message}"
    );
    assert!(
        message.ends_with("with another result of `imacs`, level `unified`"),
        "{message}"
    );

    run(&at("drawn"), &["b"]);
    let picture = RunPaths::new(at("drawn")).image("pbe", "b");
    i2am_files::write_atomic(picture, "another picture").unwrap();
    let message = refused("drawn");
    assert!(message.ends_with("with another file b.png"), "{message}");
}

#[test]
fn folders_of_other_runs_are_refused_by_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    run(&at("1"), &["a"]);
    let with = |name: &str, hash: &str| {
        let mut start = start(20);
        start.inputs.insert(name.to_owned(), hash.to_owned());
        start
    };
    // One folder need not name checkpoints, if it generated nothing.
    drop(RunFolder::open(at("2"), with("checkpoint:pbe", "12"), false).unwrap());
    for (name, start, difference) in [
        ("steps", start(50), "model.steps: 20, now 50"),
        (
            "net",
            start_with(20, 3, "vgg"),
            r#"metric.lpips.net: "alex", now "vgg""#,
        ),
        (
            "data",
            with("dataset", "12"),
            "sha256 of `dataset`: none, now 12",
        ),
        (
            "checkpoint",
            with("checkpoint:pbe", "34"),
            "sha256 of `checkpoint:pbe`: 12, now 34",
        ),
    ] {
        let mut run = RunFolder::open(at(name), start, false).unwrap();
        run.finish(Vec::new()).unwrap();
        drop(run);
        let error = merge(&[at("1"), at("2"), at(name)], &at("into")).unwrap_err();
        assert!(matches!(error, ResultsError::NotOneRun { .. }), "{error}");
        assert!(error.to_string().ends_with(difference), "{error}");
        assert!(!at("into").exists());
    }
    let error = merge(&[at("1")], &at("1")).unwrap_err();
    assert!(
        matches!(error, ResultsError::MergeIntoPart { .. }),
        "{error}"
    );
    let error = merge(&[at("1"), at("nowhere")], &at("into")).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn what_a_reader_should_know_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    run(&at("1"), &["a"]);
    let mut other = start(20);
    other.device = "cuda:0".to_owned();
    other.versions.insert("libtorch".to_owned(), "2".to_owned());
    let mut killed = RunFolder::open(at("2"), other, false).unwrap();
    killed.append(&done(Stage::Generate, "b")).unwrap();
    let fid = SetScore {
        model: "pbe".to_owned(),
        metric: "fid".to_owned(),
        version: 1,
        convention: String::new(),
        note: Notes::NONE,
        n: 1,
        outcome: Outcome::empty("shard 2 of 2"),
        sd: None,
    };
    killed.put_set_scores(vec![fid]).unwrap();
    drop(killed);
    let merged = merge(&[at("1"), at("2")], &at("into")).unwrap();
    let two = at("2").display().to_string();
    assert_eq!(
        merged.warnings,
        [
            format!("{two}: the run did not end"),
            format!("{two}: version of libtorch: 2, elsewhere none"),
            format!("{two}: device cuda:0, elsewhere cpu"),
        ]
    );
    let manifest = Manifest::read(RunPaths::new(at("into")).manifest()).unwrap();
    assert_eq!(manifest.warnings, merged.warnings);
    // The score of a part is not one of the whole.
    assert!(!RunPaths::new(at("into")).sets().exists());
}
