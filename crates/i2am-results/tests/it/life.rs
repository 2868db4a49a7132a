//! A run folder through its life: started, killed, resumed, finished, refused.

use std::fs;

use i2am_results::{
    Counts, Manifest, Outcome, ResultsError, RunFolder, RunPaths, RunStatus, SampleResult, Stage,
    Status, aggregate, read_rows,
};

use crate::common::{failed, ok, open, scored, start};

#[test]
fn a_killed_run_goes_on_and_ends_like_one_that_was_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut whole = open(&dir.path().join("whole")).unwrap();
    for id in ["a", "b", "c"] {
        whole.append(&ok(id)).unwrap();
    }
    whole.finish(Vec::new()).unwrap();

    let killed = dir.path().join("killed");
    let mut run = open(&killed).unwrap();
    run.append(&ok("a")).unwrap();
    run.append(&ok("b")).unwrap();
    // Dropping it writes nothing, like a kill; the last line is then torn off.
    drop(run);
    let ledger = fs::OpenOptions::new()
        .write(true)
        .open(RunPaths::new(&killed).samples_csv())
        .unwrap();
    ledger
        .set_len(ledger.metadata().unwrap().len() - 3)
        .unwrap();
    let manifest = Manifest::read(RunPaths::new(&killed).manifest()).unwrap();
    assert_eq!(manifest.status, RunStatus::Started);

    let mut run = open(&killed).unwrap();
    assert_eq!(run.done(Stage::Score, "pbe", "a"), Some(Status::Ok));
    assert_eq!(run.done(Stage::Score, "pbe", "b"), None);
    assert_eq!(run.done(Stage::Generate, "pbe", "a"), None);
    assert_eq!(run.done(Stage::Score, "other", "a"), None);
    run.append(&ok("b")).unwrap();
    run.append(&ok("c")).unwrap();
    let manifest = run.finish(Vec::new()).unwrap().clone();
    assert_eq!(manifest.status, RunStatus::Success);
    assert_eq!(manifest.resumed.len(), 1);
    let counts = Counts {
        attempted: 3,
        ok: 3,
        failed: 0,
        skipped: 1,
    };
    assert_eq!(manifest.counts, counts);
    assert_eq!(Manifest::read(run.paths().manifest()).unwrap(), manifest);
    for name in ["samples.csv", "samples.parquet", "aggregate.csv"] {
        assert_eq!(
            fs::read(dir.path().join("whole").join(name)).unwrap(),
            fs::read(killed.join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn what_is_summed_up_is_written_again_only_if_something_was_added_or_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let paths = RunPaths::new(dir.path());
    let files = [paths.samples_parquet(), paths.aggregate()];
    let mut run = open(dir.path()).unwrap();
    run.append(&ok("a")).unwrap();
    run.finish(Vec::new()).unwrap();
    drop(run);
    let first = files.each_ref().map(|file| fs::read(file).unwrap());

    // A mark that would be overwritten.
    i2am_files::write_atomic(&files[0], "as it was").unwrap();
    let mut run = open(dir.path()).unwrap();
    run.finish(Vec::new()).unwrap();
    assert_eq!(fs::read(&files[0]).unwrap(), b"as it was");
    drop(run);
    fs::remove_file(&files[1]).unwrap();
    let mut run = open(dir.path()).unwrap();
    run.finish(Vec::new()).unwrap();
    drop(run);
    assert_eq!(files.each_ref().map(|file| fs::read(file).unwrap()), first);

    // Killed before the end, or with a further sample.
    i2am_files::write_atomic(&files[0], "as it was").unwrap();
    drop(open(dir.path()).unwrap());
    let mut run = open(dir.path()).unwrap();
    run.finish(Vec::new()).unwrap();
    assert_eq!(fs::read(&files[0]).unwrap(), first[0]);
    run.append(&ok("b")).unwrap();
    run.finish(Vec::new()).unwrap();
    assert_ne!(fs::read(&files[0]).unwrap(), first[0]);
}

#[test]
fn failures_are_listed_until_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path()).unwrap();
    run.append(&ok("a")).unwrap();
    run.append(&failed("b")).unwrap();
    // A value that is missing for a good reason is no failure.
    run.append(&scored("c", Outcome::empty("empty mask")))
        .unwrap();
    let [failure] = &run.failures()[..] else {
        panic!("{:?}", run.failures());
    };
    assert_eq!(
        (failure.sample_id.as_str(), failure.reason.as_str()),
        ("b", "disk full")
    );
    let manifest = run.finish(vec!["look here".to_owned()]).unwrap();
    assert_eq!(manifest.status, RunStatus::Partial);
    assert_eq!(manifest.warnings, ["look here"]);
    assert_eq!((manifest.counts.ok, manifest.counts.failed), (2, 1));
    let [row, samples] = &aggregate(&run.paths().samples_csv()).unwrap()[..] else {
        panic!("one metric gives one row, and failed samples another");
    };
    assert_eq!((row.n, row.missing), (1, 2));
    assert!(samples.counts_samples() && !row.counts_samples());
    assert_eq!((samples.n, samples.missing), (2, 1));
    assert_eq!(samples.note.to_string(), "b: disk full");
    drop(run);

    let mut run = open(dir.path()).unwrap();
    assert_eq!(run.done(Stage::Score, "pbe", "b"), Some(Status::Failed));
    run.append(&ok("b")).unwrap();
    let manifest = run.finish(Vec::new()).unwrap();
    assert_eq!(manifest.status, RunStatus::Success);
    assert_eq!(manifest.counts.skipped, 2);
    assert!(run.failures().is_empty());
    let ids: Vec<String> = read_rows(&run.paths().samples_csv())
        .unwrap()
        .map(|row| row.unwrap().sample_id)
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    // Nor does a program that knows nothing of repairs meet the failure.
    let ledger = fs::read_to_string(run.paths().samples_csv()).unwrap();
    assert!(!ledger.contains("disk full"));
}

#[test]
fn a_sample_is_skipped_only_if_no_stage_added_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let generated = |id| SampleResult {
        stage: Stage::Generate,
        measurements: Vec::new(),
        ..ok(id)
    };
    let mut run = open(dir.path()).unwrap();
    run.append(&generated("a")).unwrap();
    run.append(&generated("b")).unwrap();
    drop(run);

    let mut run = open(dir.path()).unwrap();
    assert_eq!(run.counts().skipped, 2);
    run.append(&ok("a")).unwrap();
    assert_eq!((run.counts().ok, run.counts().skipped), (2, 1));
    run.append(&failed("b")).unwrap();
    let counts = run.counts();
    assert_eq!((counts.ok, counts.failed, counts.skipped), (1, 1, 0));
}

#[test]
fn a_run_fails_when_every_sample_does_or_when_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path()).unwrap();
    run.append(&failed("a")).unwrap();
    assert_eq!(run.finish(Vec::new()).unwrap().status, RunStatus::Failed);
    let manifest = run.fail("the disk is full").unwrap();
    assert_eq!(manifest.status, RunStatus::Failed);
    assert_eq!(manifest.warnings, ["the disk is full"]);
}

#[test]
fn a_folder_has_one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    for fresh in [false, true] {
        let error = RunFolder::open(dir.path(), start(20), fresh).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{}: in use by process {}; wait for it to end, or choose another output",
                dir.path().display(),
                std::process::id()
            )
        );
    }
    drop(first);
    assert!(open(dir.path()).is_ok());
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_anything_is_computed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    i2am_files::write_atomic(&file, "not a folder").unwrap();
    for output in [file.clone(), file.join("run")] {
        let error = open(&output).unwrap_err().to_string();
        let expected = format!("cannot create folder {}: ", output.display());
        assert!(error.starts_with(&expected), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
    // A folder where a file must go: writing fails even for the superuser.
    let blocked = dir.path().join("blocked");
    i2am_files::create_dir(blocked.join(".lock")).unwrap();
    let error = open(&blocked).unwrap_err().to_string();
    assert!(error.starts_with("cannot write "), "{error}");
}

#[test]
fn somebody_elses_folder_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let photo = dir.path().join("images").join("photo.png");
    i2am_files::write_atomic(&photo, "png").unwrap();
    for fresh in [false, true] {
        let error = RunFolder::open(dir.path(), start(20), fresh).unwrap_err();
        assert!(
            matches!(error, ResultsError::NotARunFolder { .. }),
            "{error}"
        );
    }
    // A manifest.json of another program does not make it ours.
    i2am_files::write_atomic(dir.path().join("manifest.json"), r#"{"name": "app"}"#).unwrap();
    for fresh in [false, true] {
        let error = RunFolder::open(dir.path(), start(20), fresh).unwrap_err();
        let refused = matches!(
            error,
            ResultsError::NotARunFolder { .. } | ResultsError::ManifestFormat { .. }
        );
        assert!(refused, "{error}");
    }
    assert!(photo.exists());
    assert!(!dir.path().join("samples.csv").exists());
}

#[test]
fn another_config_needs_fresh_which_removes_only_what_a_run_writes() {
    let dir = tempfile::tempdir().unwrap();
    let notes = dir.path().join("notes.txt");
    let mut run = open(dir.path()).unwrap();
    run.append(&ok("a")).unwrap();
    let image = run.paths().image("pbe", "a");
    i2am_files::write_atomic(&image, "png").unwrap();
    i2am_files::write_atomic(&notes, "mine").unwrap();
    run.finish(Vec::new()).unwrap();
    drop(run);

    let error = RunFolder::open(dir.path(), start(50), false).unwrap_err();
    assert!(
        error.to_string().contains("model.steps: 20, now 50"),
        "{error}"
    );
    assert!(error.to_string().contains("--fresh"), "{error}");
    let run = open(dir.path()).unwrap();
    assert_eq!(run.done(Stage::Score, "pbe", "a"), Some(Status::Ok));
    drop(run);

    let run = RunFolder::open(dir.path(), start(50), true).unwrap();
    assert_eq!(run.done(Stage::Score, "pbe", "a"), None);
    assert_eq!(run.manifest().resumed.len(), 0);
    assert!(!image.exists());
    assert!(!run.paths().samples_parquet().exists());
    assert_eq!(fs::read(notes).unwrap(), b"mine");
}
