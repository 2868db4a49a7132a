//! Samples whose images change, and data sets that lose or gain samples.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use i2am_results::{
    ManifestStart, Notes, Outcome, PartInput, ResultsError, RunFolder, RunPaths, SampleInputs,
    SetScore, Snapshot, Stage, Status, merge, read_aggregate, read_rows,
};
use serde_json::Value;

use crate::common::{done, failed, ok, open, start};

/// The inputs of the sample `id`, whose image and mask have this content.
fn inputs(id: &str, [image, mask]: [&str; 2]) -> SampleInputs {
    let part = |name: &str, content: &str| {
        let input = PartInput {
            path: format!("{name}/{id}.png"),
            sha256: content.to_owned(),
        };
        (name.to_owned(), input)
    };
    SampleInputs {
        fingerprint: format!("{image}-{mask}"),
        parts: BTreeMap::from([part("image", image), part("mask", mask)]),
    }
}

/// A data set of these samples.
fn of(samples: &[(&str, [&str; 2])]) -> ManifestStart {
    let known = samples
        .iter()
        .map(|&(id, content)| (id.to_owned(), Some(inputs(id, content))));
    ManifestStart {
        samples: Some(known.collect()),
        ..start(20)
    }
}

fn three() -> ManifestStart {
    of(&[("a", ["1", "1"]), ("b", ["1", "1"]), ("c", ["1", "1"])])
}

/// The data set of three samples, with other content of the second.
fn changed(content: [&str; 2]) -> ManifestStart {
    of(&[("a", ["1", "1"]), ("b", content), ("c", ["1", "1"])])
}

fn fid() -> SetScore {
    SetScore {
        model: "pbe".to_owned(),
        metric: "fid".to_owned(),
        version: 1,
        convention: String::new(),
        note: Notes::NONE,
        n: 3,
        outcome: Outcome::ok(1.5).unwrap(),
        sd: None,
    }
}

/// All stages of these samples, with files.
fn compute(run: &mut RunFolder, ids: &[&str]) {
    for id in ids {
        let files = [
            run.paths().image("pbe", id),
            run.paths().maps("pbe", id).join("r2g.png"),
        ];
        for file in files {
            i2am_files::write_atomic(file, "png").unwrap();
        }
        run.append(&done(Stage::Generate, id)).unwrap();
        run.append(&ok(id)).unwrap();
        run.append(&done(Stage::Measure, id)).unwrap();
        run.append(&done(Stage::Faithfulness, id)).unwrap();
    }
    run.put_set_scores(vec![fid()]).unwrap();
    run.put_correlations(&[]).unwrap();
    run.finish(Vec::new()).unwrap();
}

fn whole(dir: &Path, start: ManifestStart) {
    compute(
        &mut RunFolder::open(dir, start, false).unwrap(),
        &["a", "b", "c"],
    );
}

/// Sample and fingerprint of the rows.
fn fingerprints(dir: &Path) -> Vec<String> {
    let rows = read_rows(&RunPaths::new(dir).samples_csv()).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        format!("{} {}", row.sample_id, row.inputs)
    })
    .collect()
}

/// How the second sample and the others stand.
fn assert_only_the_second_is_left_to_do(run: &RunFolder) {
    for stage in Stage::ALL {
        for (id, expected) in [
            ("a", Some(Status::Ok)),
            ("b", None),
            ("c", Some(Status::Ok)),
        ] {
            assert_eq!(run.done(stage, "pbe", id), expected, "{stage} of {id}");
        }
    }
    for id in ["a", "b", "c"] {
        assert_eq!(run.paths().image("pbe", id).exists(), id != "b");
        assert_eq!(run.paths().maps("pbe", id).exists(), id != "b");
    }
}

#[test]
fn a_changed_file_costs_its_sample_and_is_named() {
    for (content, parts) in [
        (["2", "1"], vec!["image"]),
        // An inverted mask has the same size.
        (["1", "-1"], vec!["mask"]),
        (["2", "2"], vec!["image", "mask"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        whole(dir.path(), three());
        let mut run = RunFolder::open(dir.path(), changed(content), false).unwrap();
        assert_only_the_second_is_left_to_do(&run);
        let [sample] = run.changed() else {
            panic!("{:?}", run.changed());
        };
        let paths: Vec<String> = parts.iter().map(|part| format!("{part}/b.png")).collect();
        let names = parts.iter().map(|&part| part.to_owned());
        assert_eq!(sample.parts, names.zip(paths.clone()).collect::<Vec<_>>());
        let files = paths.join(", ");
        assert_eq!(
            sample.to_string(),
            format!(
                "sample b: {files} changed since it was computed; this sample is computed again"
            )
        );
        let warning = format!("samples whose inputs changed are computed again: `b` ({files})");
        assert_eq!(run.manifest().warnings, [warning.as_str()]);
        assert_eq!(fingerprints(dir.path()), ["a 1-1", "c 1-1"]);
        let paths = run.paths().clone();
        for file in [
            paths.sets(),
            paths.aggregate(),
            paths.correlations(),
            paths.samples_parquet(),
        ] {
            assert!(!file.exists(), "{}", file.display());
        }
        compute(&mut run, &["b"]);
        drop(run);

        let run = RunFolder::open(dir.path(), changed(content), false).unwrap();
        assert_eq!(run.changed(), []);
        assert_eq!(run.counts().skipped, 3);
        assert_eq!(run.manifest().warnings, [warning]);
        assert_eq!(run.aggregate().unwrap().len(), 2, "imacs and fid");
        assert!(paths.correlations().exists());
    }
}

#[test]
fn a_failed_sample_is_computed_again_once_its_image_is_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = RunFolder::open(dir.path(), changed(["torn", "1"]), false).unwrap();
    run.append(&failed("b")).unwrap();
    compute(&mut run, &["a", "c"]);
    drop(run);
    let mut run = RunFolder::open(dir.path(), three(), false).unwrap();
    assert_only_the_second_is_left_to_do(&run);
    assert_eq!(run.changed()[0].id, "b");
    assert!(run.failures().is_empty());
    compute(&mut run, &["b"]);
    assert_eq!(run.manifest().counts.failed, 0);
    run.finish(Vec::new()).unwrap();
    assert_eq!(fingerprints(dir.path()), ["a 1-1", "b 1-1", "c 1-1"]);
}

#[test]
fn samples_that_the_data_set_has_no_more_lose_their_rows() {
    let dir = tempfile::tempdir().unwrap();
    whole(dir.path(), three());
    let run = RunFolder::open(dir.path(), of(&[("a", ["1", "1"])]), false).unwrap();
    assert_eq!(run.changed(), []);
    assert_eq!(fingerprints(dir.path()), ["a 1-1"]);
    assert_eq!(
        run.manifest().warnings,
        [
            "the data set has 2 samples no more, of which the first is `b`; their results were removed"
        ]
    );
    assert!(!run.paths().image("pbe", "c").exists());
    assert!(!run.paths().sets().exists());
    let known = fs::read_to_string(run.paths().inputs()).unwrap();
    assert_eq!(
        known,
        "{\n  \"a\": {\"fingerprint\":\"1-1\",\"parts\":{\"image\":{\"path\":\"image/a.png\",\"sha256\":\"1\"},\
         \"mask\":{\"path\":\"mask/a.png\",\"sha256\":\"1\"}}}\n}\n"
    );
}

#[test]
fn an_added_sample_outdates_the_scores_of_sets_once_it_is_generated() {
    let dir = tempfile::tempdir().unwrap();
    whole(dir.path(), three());
    let mut four = three();
    let samples = four.samples.as_mut().unwrap();
    samples.insert("d".to_owned(), Some(inputs("d", ["1", "1"])));
    // Another list has another identity, which is no reason to refuse it.
    four.inputs.insert("dataset".to_owned(), "4".to_owned());
    let mut run = RunFolder::open(dir.path(), four.clone(), false).unwrap();
    assert_eq!(run.counts().skipped, 3);
    assert_eq!(run.manifest().warnings, [""; 0]);
    assert_eq!(run.aggregate().unwrap().len(), 2);
    run.append(&done(Stage::Generate, "d")).unwrap();
    let paths = run.paths().clone();
    assert_eq!(run.aggregate().unwrap().len(), 1, "not of all samples");
    assert_eq!(read_aggregate(&paths).unwrap().len(), 1);
    drop(run);
    let mut run = RunFolder::open(dir.path(), four, false).unwrap();
    assert!(!paths.sets().exists() && !paths.aggregate().exists());
    run.put_set_scores(vec![fid()]).unwrap();
    assert_eq!(read_aggregate(&paths).unwrap().len(), 2);
}

#[test]
fn a_session_that_knows_less_keeps_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    whole(dir.path(), three());
    // Some samples only, as with a limit; then nothing at all.
    let mut limited = three();
    let samples = limited.samples.as_mut().unwrap();
    samples.insert("b".to_owned(), None);
    for start in [limited, start(20)] {
        let run = RunFolder::open(dir.path(), start, false).unwrap();
        assert_eq!(run.counts().skipped, 3);
    }
    let run = RunFolder::open(dir.path(), changed(["2", "1"]), false).unwrap();
    assert_only_the_second_is_left_to_do(&run);
    assert_eq!(run.changed()[0].parts.len(), 1);
}

#[test]
fn a_kill_while_rows_are_dropped_drops_no_others() {
    let dir = tempfile::tempdir().unwrap();
    whole(dir.path(), three());
    let paths = RunPaths::new(dir.path());
    let files = [paths.samples_csv(), paths.inputs(), paths.sets()];
    let before = files.clone().map(|file| fs::read(file).unwrap());
    let other = || RunFolder::open(dir.path(), changed(["2", "1"]), false).unwrap();
    drop(other());
    // Killed after the manifest, then after the scores of sets: what comes later is as it was. Then after the rows.
    for kept in [3, 2] {
        for index in 0..kept {
            i2am_files::write_atomic(&files[index], &before[index]).unwrap();
        }
        assert!(read_aggregate(&paths).is_ok());
        let run = other();
        assert_only_the_second_is_left_to_do(&run);
        assert_eq!(run.changed()[0].parts.len(), 1);
        assert_eq!(run.manifest().warnings.len(), 1);
        assert!(!paths.sets().exists());
    }
    i2am_files::write_atomic(&files[1], &before[1]).unwrap();
    let mut run = other();
    assert_only_the_second_is_left_to_do(&run);
    assert_eq!(run.changed(), [], "the session before named it");
    compute(&mut run, &["b"]);
    drop(run);
    assert_eq!(other().counts().skipped, 3);
}

/// Rewrites a run folder as the version before this one wrote it.
fn age(dir: &Path) {
    let paths = RunPaths::new(dir);
    let text = fs::read_to_string(paths.samples_csv()).unwrap();
    let lines = text.lines().map(|line| {
        let (line, _) = line.rsplit_once(',').unwrap();
        line.to_owned() + "\n"
    });
    i2am_files::write_atomic(paths.samples_csv(), lines.collect::<String>()).unwrap();
    for (file, key, value) in [
        (paths.manifest(), "schema_version", Some(2)),
        (paths.sets(), "inputs", None),
    ] {
        let mut json: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let object = json.as_object_mut().unwrap();
        object.remove(key);
        object.extend(value.map(|value| (key.to_owned(), value.into())));
        i2am_files::write_atomic(file, json.to_string()).unwrap();
    }
    fs::remove_file(paths.inputs()).unwrap();
}

#[test]
fn a_folder_of_the_version_before_is_read_and_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    whole(&at("old"), three());
    let paths = RunPaths::new(at("old"));
    let rows = read_aggregate(&paths).unwrap();
    age(&at("old"));
    assert_eq!(read_aggregate(&paths).unwrap(), rows);
    assert_eq!(Snapshot::read(at("old")).unwrap().scores.len(), 2);
    assert_eq!(fingerprints(&at("old")), ["a ", "b ", "c "]);
    assert_eq!(merge(&[at("old")], &at("merged")).unwrap().counts.ok, 3);
    assert_eq!(fingerprints(&at("merged")), ["a ", "b ", "c "]);

    let warning = "rows of an earlier version do not record which images they were computed from; \
                   they are kept as rows of the images of today";
    for _ in 0..2 {
        let run = RunFolder::open(at("old"), three(), false).unwrap();
        assert_eq!((run.counts().skipped, run.changed().len()), (3, 0));
        assert_eq!(run.manifest().warnings, [warning]);
        assert_eq!(run.manifest().schema_version, 3);
        assert_eq!(run.aggregate().unwrap(), rows);
    }
    assert_eq!(fingerprints(&at("old")), ["a 1-1", "b 1-1", "c 1-1"]);
    let run = RunFolder::open(at("old"), changed(["2", "1"]), false).unwrap();
    assert_only_the_second_is_left_to_do(&run);
    drop(run);

    let manifest = fs::read_to_string(paths.manifest()).unwrap();
    let older = manifest.replace("\"schema_version\": 3", "\"schema_version\": 1");
    i2am_files::write_atomic(paths.manifest(), older).unwrap();
    let error = open(&at("old")).unwrap_err().to_string();
    assert!(
        error.ends_with("expected schema_version 3, found 1"),
        "{error}"
    );
}

#[test]
fn shards_bring_their_inputs_and_must_agree_on_them() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (name, start, id) in [
        ("1", three(), "a"),
        ("2", three(), "b"),
        ("other", changed(["1", "2"]), "b"),
    ] {
        compute(&mut RunFolder::open(at(name), start, false).unwrap(), &[id]);
    }
    merge(&[at("1"), at("2")], &at("into")).unwrap();
    assert_eq!(fingerprints(&at("into")), ["a 1-1", "b 1-1"]);
    assert_eq!(
        fs::read(RunPaths::new(at("into")).inputs()).unwrap(),
        fs::read(RunPaths::new(at("1")).inputs()).unwrap()
    );
    let run = RunFolder::open(at("into"), three(), false).unwrap();
    assert_eq!((run.counts().skipped, run.changed().len()), (2, 0));
    drop(run);
    let error = merge(&[at("1"), at("other")], &at("none")).unwrap_err();
    assert!(matches!(error, ResultsError::NotOneRun { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("inputs of sample `b`: mask/b.png"),
        "{error}"
    );
    assert!(!at("none").exists());
}

#[test]
fn checkpoints_are_compared_only_if_they_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let with = |hash: &str| {
        let mut start = three();
        let name = "checkpoint:pbe:unet".to_owned();
        start.inputs.insert(name, hash.to_owned());
        start
    };
    whole(dir.path(), with("12"));
    let run = RunFolder::open(dir.path(), three(), false).unwrap();
    assert_eq!(run.manifest().inputs["checkpoint:pbe:unet"], "12");
    drop(run);
    let error = RunFolder::open(dir.path(), with("34"), false).unwrap_err();
    assert!(
        matches!(error, ResultsError::InputChanged { .. }),
        "{error}"
    );
    let run = RunFolder::open(dir.path(), with("12"), false).unwrap();
    assert_eq!(run.counts().skipped, 3);
}
