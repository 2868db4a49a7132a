//! Scores of whole sets, which one session writes and every later one keeps.

use std::fs;

use i2am_results::{
    AggregateRow, Notes, Outcome, RunFolder, SetScore, Stage, Status, read_aggregate,
};

use crate::common::{done, ok, open, start, start_with};

fn fid(model: &str, convention: &str, value: f64) -> SetScore {
    SetScore {
        model: model.to_owned(),
        metric: "fid".to_owned(),
        version: 1,
        convention: convention.to_owned(),
        note: Notes::NONE,
        n: 4,
        outcome: Outcome::ok(value).unwrap(),
        sd: None,
    }
}

/// One line per row: model, stage, metric, convention, n, mean, sd, note.
fn lines(rows: &[AggregateRow]) -> Vec<String> {
    let line = |row: &AggregateRow| {
        let AggregateRow {
            model,
            stage,
            metric,
            convention,
            n,
            mean,
            sd,
            note,
            ..
        } = row;
        format!(
            "{model} {stage} {metric} {convention} {n} {mean:?} {sd:?} {:?}",
            note.to_string()
        )
    };
    rows.iter().map(line).collect()
}

#[test]
fn they_stand_in_aggregate_csv_among_the_samples() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path()).unwrap();
    run.append(&ok("a")).unwrap();
    let kid = SetScore {
        metric: "kid".to_owned(),
        sd: Some(0.5),
        ..fid("pbe", "", -0.25)
    };
    let none = SetScore {
        outcome: Outcome::empty("fewer pictures\nthan a subset"),
        note: Notes::from("clean"),
        ..fid("a-model", "clean", 0.0)
    };
    run.put_set_scores(vec![kid, fid("pbe", "clean", 1.5), none])
        .unwrap();
    let rows = run.aggregate().unwrap();
    assert_eq!(
        lines(&rows),
        [
            r#"a-model measure fid clean 4 None None "clean; fewer pictures than a subset""#,
            r#"pbe score imacs spatial 1 Some(0.5) None """#,
            r#"pbe measure fid clean 4 Some(1.5) None """#,
            r#"pbe measure kid  4 Some(-0.25) Some(0.5) """#,
        ]
    );
    run.finish(Vec::new()).unwrap();
    let table = fs::read_to_string(run.paths().aggregate()).unwrap();
    let last = "pbe,synth,test,paired,measure,,,kid,1,,,4,0,-0.25,0.5\n";
    assert!(table.ends_with(last), "{table}");
}

#[test]
fn a_later_session_keeps_them_to_the_last_bit() {
    let dir = tempfile::tempdir().unwrap();
    // Among these are values that a fast parser of decimals gets wrong by one bit.
    let values: Vec<f64> = (1..400u32).map(|n| f64::from(n).sqrt() * 1.1e-7).collect();
    let mut run = open(dir.path()).unwrap();
    let scores = values.iter().enumerate();
    run.put_set_scores(
        scores
            .map(|(index, &value)| fid("pbe", &format!("{index:03}"), value))
            .collect(),
    )
    .unwrap();
    run.finish(Vec::new()).unwrap();
    let table = fs::read(run.paths().aggregate()).unwrap();
    drop(run);

    let mut run = open(dir.path()).unwrap();
    let means = run.aggregate().unwrap().into_iter().map(|row| row.mean);
    assert!(means.eq(values.into_iter().map(Some)));
    run.finish(Vec::new()).unwrap();
    assert_eq!(fs::read(run.paths().aggregate()).unwrap(), table);
}

#[test]
fn new_scores_replace_those_of_their_models() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path()).unwrap();
    run.put_set_scores(vec![
        fid("b", "clean", 1.0),
        fid("b", "torch-fidelity", 2.0),
        fid("a", "clean", 3.0),
    ])
    .unwrap();
    run.put_set_scores(vec![fid("b", "clean", 4.0)]).unwrap();
    let expected = [
        r#"a measure fid clean 4 Some(3.0) None """#,
        r#"b measure fid clean 4 Some(4.0) None """#,
    ];
    assert_eq!(lines(&run.aggregate().unwrap()), expected);
    drop(run);
    assert_eq!(
        lines(&open(dir.path()).unwrap().aggregate().unwrap()),
        expected
    );
}

#[test]
fn they_belong_to_the_settings_that_they_come_from() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path()).unwrap();
    run.append(&ok("a")).unwrap();
    run.append(&done(Stage::Measure, "a")).unwrap();
    run.put_set_scores(vec![fid("pbe", "clean", 1.0)]).unwrap();
    run.finish(Vec::new()).unwrap();
    let sets = fs::read(run.paths().sets()).unwrap();
    drop(run);

    // Other scores of samples do not concern them.
    let run = RunFolder::open(dir.path(), start_with(20, 2, "alex"), false).unwrap();
    assert_eq!(run.aggregate().unwrap().len(), 1);
    drop(run);

    let run = RunFolder::open(dir.path(), start_with(20, 2, "vgg"), false).unwrap();
    assert_eq!(run.done(Stage::Measure, "pbe", "a"), None);
    assert_eq!(run.aggregate().unwrap(), []);
    let warnings = &run.manifest().warnings;
    let last = r#"stage `measure` is done again under other settings; metric.lpips.net: "alex", now "vgg""#;
    assert_eq!(warnings.last().unwrap(), last);
    let path = run.paths().sets();
    assert!(!path.exists());
    drop(run);

    // Even if they are there: the hash in the file decides.
    i2am_files::write_atomic(&path, &sets).unwrap();
    let mut run = RunFolder::open(dir.path(), start_with(20, 2, "vgg"), false).unwrap();
    assert_eq!(run.aggregate().unwrap(), []);
    run.put_set_scores(vec![fid("other", "clean", 2.0)])
        .unwrap();
    assert_eq!(
        lines(&run.aggregate().unwrap()),
        [r#"other measure fid clean 4 Some(2.0) None """#]
    );
}

#[test]
fn fresh_removes_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path()).unwrap();
    run.put_set_scores(vec![fid("pbe", "clean", 1.0)]).unwrap();
    let path = run.paths().sets();
    drop(run);
    assert!(path.exists());
    let run = RunFolder::open(dir.path(), start(20), true).unwrap();
    assert!(!path.exists());
    assert_eq!(run.aggregate().unwrap(), []);
}

#[test]
fn what_sets_json_cannot_hold_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path()).unwrap();
    run.put_set_scores(vec![fid("pbe", "clean", 1.0)]).unwrap();
    let before = run.aggregate().unwrap();
    for (scores, problem) in [
        (
            vec![fid("pbe", "clean", 2.0), fid("pbe", "clean", 3.0)],
            "score `fid` of model `pbe`: two scores of one version and convention",
        ),
        (
            vec![SetScore {
                sd: Some(f64::NAN),
                ..fid("pbe", "clean", 2.0)
            }],
            "score `fid` of model `pbe`: `sd` must be finite, found NaN",
        ),
        (
            vec![fid("", "clean", 2.0)],
            "score `fid` of model ``: `model` is empty",
        ),
    ] {
        let error = run.put_set_scores(scores).unwrap_err();
        assert_eq!(error.to_string(), problem);
    }
    assert_eq!(run.aggregate().unwrap(), before);
    let path = run.paths().sets();
    drop(run);

    // A file that was edited by hand.
    let text = fs::read_to_string(&path).unwrap();
    for (damaged, problem) in [
        (
            text.replace("\"ok\"", "\"empty\""),
            "value `1` with status `empty`",
        ),
        (text.replace("1.0", "null"), "no value with status `ok`"),
        (text.replace("\"sd\"", "\"std\""), "unknown field `std`"),
    ] {
        i2am_files::write_atomic(&path, &damaged).unwrap();
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("sets.json: line "), "{error}");
        assert!(error.contains(problem), "{error}");
    }
    i2am_files::write_atomic(&path, &text).unwrap();
    let run = open(dir.path()).unwrap();
    assert_eq!(run.done(Stage::Measure, "pbe", "a"), None::<Status>);
}

#[test]
fn a_reader_sees_what_the_run_that_goes_on_sees() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path()).unwrap();
    run.append(&ok("a")).unwrap();
    run.put_set_scores(vec![fid("pbe", "clean", 1.5)]).unwrap();
    let paths = run.paths().clone();
    let rows = run.aggregate().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(read_aggregate(&paths).unwrap(), rows);
    drop(run);
    assert_eq!(read_aggregate(&paths).unwrap(), rows);
}
