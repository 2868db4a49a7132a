//! A run folder taken up under other settings of one stage.

use std::fs;
use std::path::Path;

use i2am_results::{
    Manifest, ResultsError, RunFolder, RunPaths, Stage, Status, aggregate, read_rows,
};

use crate::common::{done, ok, start, start_with};

/// A finished run of two samples through all stages, with their pictures and records.
fn whole(dir: &Path) {
    let mut run = RunFolder::open(dir, start(20), false).unwrap();
    for id in ["a", "b"] {
        run.append(&done(Stage::Generate, id)).unwrap();
        i2am_files::write_atomic(run.paths().image("pbe", id), "png").unwrap();
        i2am_files::write_atomic(run.paths().attention("pbe", id), "record").unwrap();
        run.append(&ok(id)).unwrap();
        run.append(&done(Stage::Measure, id)).unwrap();
    }
    run.finish(Vec::new()).unwrap();
}

/// Stage and sample of the closing rows, and the number of scores, in the ledger of a folder that nobody has open.
fn ledger(dir: &Path) -> (Vec<String>, usize) {
    let samples = RunPaths::new(dir).samples_csv();
    let text = fs::read_to_string(&samples).unwrap();
    let closing = text.lines().filter(|line| line.contains(",sample,"));
    let stage = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        format!("{} {}", cells[5], cells[4])
    };
    (
        closing.map(stage).collect(),
        read_rows(&samples).unwrap().count(),
    )
}

#[test]
fn other_settings_of_the_scores_remove_the_scores_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    whole(dir.path());
    let mut run = RunFolder::open(dir.path(), start_with(20, 2, "alex"), false).unwrap();
    for id in ["a", "b"] {
        assert_eq!(run.done(Stage::Generate, "pbe", id), Some(Status::Ok));
        assert_eq!(run.done(Stage::Score, "pbe", id), None);
        assert_eq!(run.done(Stage::Measure, "pbe", id), Some(Status::Ok));
        assert!(run.paths().image("pbe", id).exists());
        assert!(run.paths().attention("pbe", id).exists());
    }
    let kept = ["generate a", "generate b", "measure a", "measure b"];
    assert_eq!(ledger(dir.path()), (kept.map(str::to_owned).to_vec(), 0));
    assert_eq!(run.aggregate().unwrap(), []);
    // Nor do the tables of the earlier session still tell of them.
    assert!(!run.paths().samples_parquet().exists());
    assert!(!run.paths().aggregate().exists());
    let warning = "stage `score` is done again under other settings; imacs.penalty: 3, now 2";
    assert_eq!(run.manifest().warnings, [warning]);

    run.append(&ok("a")).unwrap();
    run.append(&ok("b")).unwrap();
    let manifest = run.finish(Vec::new()).unwrap();
    assert_eq!((manifest.counts.ok, manifest.counts.skipped), (2, 0));
    assert_eq!(manifest.warnings, [warning]);
    assert_eq!(
        manifest.config_hashes,
        start_with(20, 2, "alex").config_hashes
    );
}

#[test]
fn a_kill_at_any_moment_mixes_no_settings() {
    let dir = tempfile::tempdir().unwrap();
    whole(dir.path());
    let samples = RunPaths::new(dir.path()).samples_csv();
    let other = || RunFolder::open(dir.path(), start_with(20, 2, "alex"), false);
    let before = fs::read(&samples).unwrap();
    drop(other().unwrap());

    // Killed when the manifest had the new settings and the ledger still the old rows.
    i2am_files::write_atomic(&samples, &before).unwrap();
    let mut run = other().unwrap();
    assert_eq!(run.done(Stage::Score, "pbe", "a"), None);
    assert_eq!(ledger(dir.path()).1, 0);
    assert_eq!(run.manifest().warnings.len(), 1);
    run.append(&ok("b")).unwrap();
    drop(run);

    // Killed when one sample had its new score: a reader meets that one only.
    assert_eq!(ledger(dir.path()).1, 1);
    let rows = aggregate(&samples).unwrap();
    assert_eq!((rows.len(), rows[0].n, rows[0].missing), (1, 1, 0));
    let run = other().unwrap();
    assert_eq!(run.done(Stage::Score, "pbe", "a"), None);
    assert_eq!(run.done(Stage::Score, "pbe", "b"), Some(Status::Ok));
    assert_eq!(run.manifest().warnings.len(), 1);
    drop(run);

    // Back under the first settings, the scores of the second do not count.
    let run = RunFolder::open(dir.path(), start(20), false).unwrap();
    assert_eq!(run.done(Stage::Score, "pbe", "b"), None);
    assert_eq!(run.done(Stage::Generate, "pbe", "b"), Some(Status::Ok));
}

#[test]
fn other_settings_of_a_stage_that_did_not_run_need_no_warning() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = RunFolder::open(dir.path(), start(20), false).unwrap();
    run.append(&ok("a")).unwrap();
    run.finish(Vec::new()).unwrap();
    drop(run);
    let run = RunFolder::open(dir.path(), start_with(20, 3, "vgg"), false).unwrap();
    assert_eq!(run.done(Stage::Score, "pbe", "a"), Some(Status::Ok));
    assert_eq!(run.manifest().warnings, [""; 0]);
    assert!(run.paths().aggregate().exists());
}

#[test]
fn other_settings_of_the_pictures_are_refused_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    whole(dir.path());
    let samples = RunPaths::new(dir.path()).samples_csv();
    let before = fs::read(&samples).unwrap();
    let manifest = Manifest::read(dir.path().join("manifest.json")).unwrap();
    let error = RunFolder::open(dir.path(), start_with(50, 2, "vgg"), false).unwrap_err();
    assert!(
        matches!(error, ResultsError::ConfigChanged { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("; model.steps: 20, now 50)"));
    assert_eq!(fs::read(&samples).unwrap(), before);
    assert_eq!(
        Manifest::read(dir.path().join("manifest.json")).unwrap(),
        manifest
    );
}
