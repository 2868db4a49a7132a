//! Baselines: written, read, edited, compared.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use i2am_results::{
    Baseline, Better, Bound, Comparison, Level, ManifestStart, Notes, Outcome, ResultsError,
    RunFolder, SampleResult, SetScore, Snapshot, Stage, Tolerance, Verdict,
};

use Verdict::{Moved, Same, Worse};

use crate::common::{done, failed, scored, start};

/// A finished run whose samples have these values of `imacs`; `None` is an empty one.
fn run_with(dir: &Path, start: ManifestStart, values: &[(&str, Option<f64>)]) -> Snapshot {
    let mut run = RunFolder::open(dir, start, false).unwrap();
    for &(id, value) in values {
        let outcome =
            value.map_or_else(|| Outcome::empty("empty mask"), |v| Outcome::ok(v).unwrap());
        run.append(&done(Stage::Generate, id)).unwrap();
        run.append(&scored(id, outcome)).unwrap();
    }
    run.finish(Vec::new()).unwrap();
    drop(run);
    Snapshot::read(dir).unwrap()
}

fn snapshot(values: &[(&str, Option<f64>)]) -> Snapshot {
    run_with(tempfile::tempdir().unwrap().path(), start(20), values)
}

fn higher(mean: f64, sample: f64) -> Tolerance {
    let bound = |absolute| Bound {
        absolute,
        relative: 0.0,
    };
    Tolerance {
        better: Better::Higher,
        mean: bound(mean),
        sample: Some(bound(sample)),
    }
}

fn baseline(values: &[(&str, Option<f64>)]) -> Baseline {
    Baseline::new(snapshot(values), BTreeMap::new(), |_| higher(0.01, 0.1))
}

/// One line per value that is not the same: sample, old, new, verdict, reason.
fn moved(comparison: &Comparison) -> Vec<String> {
    let line = |change: &i2am_results::Change| {
        let sample = change.sample.as_deref().unwrap_or("all");
        let reason = &change.reason;
        format!(
            "{sample} {:?} {:?} {} {reason}",
            change.old, change.new, change.verdict
        )
    };
    let differing = comparison
        .changes
        .iter()
        .filter(|change| change.verdict != Verdict::Same);
    differing.map(line).collect()
}

#[test]
fn a_run_equals_its_own_baseline_read_from_a_file_to_the_last_bit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/folder/run.json");
    // A value that a fast parser of decimals gets wrong by one bit.
    let values = [
        ("a", Some(0.1 + 0.2)),
        ("b", Some(7f64.sqrt() * 1.1e-7)),
        ("c", None),
    ];
    let mut written = baseline(&values);
    written
        .tolerances
        .insert("imacs".to_owned(), higher(0.0, 0.0));
    written.write(&path).unwrap();
    let read = Baseline::read(&path).unwrap();
    let run = snapshot(&values);
    let comparison = read.compare(&run).unwrap();
    assert_eq!(
        comparison.count(Verdict::Same),
        4,
        "the mean and three samples"
    );
    assert!(!comparison.is_worse() && comparison.closest().is_none());
    assert_eq!(read.run.scores[0].mean, run.scores[0].mean);

    read.write(&path).unwrap();
    assert_eq!(Baseline::read(&path).unwrap(), read);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for line in [
        r#""imacs": {"better":"higher","mean":{"absolute":0.0,"relative":0.0},"sample":{"absolute":0.0,"relative":0.0}}"#,
        r#""a": 0.30000000000000004,"#,
        r#""c": null"#,
    ] {
        assert!(lines.contains(&line), "{line} in {text}");
    }
}

#[test]
fn the_direction_decides_what_a_move_is() {
    let old = baseline(&[("a", Some(0.5)), ("b", Some(0.5))]);
    let compare = |better, values: [f64; 2]| {
        let mut old = old.clone();
        old.tolerances.get_mut("imacs").unwrap().better = better;
        let [a, b] = values;
        old.compare(&snapshot(&[("a", Some(a)), ("b", Some(b))]))
            .unwrap()
    };
    let verdicts = |comparison: &Comparison| -> Vec<Verdict> {
        comparison
            .changes
            .iter()
            .map(|change| change.verdict)
            .collect()
    };
    let down = [0.3, 0.5];
    for (better, expected) in [
        (Better::Higher, [Worse, Worse, Same]),
        (Better::Lower, [Verdict::Better, Verdict::Better, Same]),
        (Better::Neither, [Moved, Moved, Same]),
    ] {
        let comparison = compare(better, down);
        assert_eq!(verdicts(&comparison), expected);
        assert_eq!(comparison.is_worse(), better == Better::Higher);
    }
    // Within the tolerance, also exactly at its end; the mean has one of its own.
    let comparison = compare(Better::Higher, [0.5 - 0.0625, 0.5 + 0.0625]);
    assert_eq!(verdicts(&comparison), [Same; 3]);
    let closest = comparison.closest().unwrap();
    assert_eq!(
        (closest.sample.as_deref(), closest.used()),
        (Some("a"), Some(0.625))
    );
    assert_eq!(
        verdicts(&compare(Better::Higher, [0.45, 0.45])),
        [Worse, Same, Same]
    );
}

#[test]
fn a_relative_bound_follows_the_size_of_the_old_value() {
    let bound = Bound {
        absolute: 0.5,
        relative: 0.01,
    };
    for (old, allowed) in [(10.0, 0.5), (-200.0, 2.0)] {
        assert!((bound.allowed(old) - allowed).abs() < 1e-12, "{old}");
    }
}

#[test]
fn what_the_run_lacks_is_missing_and_says_why() {
    let old = baseline(&[("a", Some(0.5)), ("b", Some(0.25)), ("c", None)]);
    let dir = tempfile::tempdir().unwrap();
    let mut run = RunFolder::open(dir.path(), start(20), false).unwrap();
    run.append(&scored("a", Outcome::empty("no\nmap"))).unwrap();
    run.append(&failed("b")).unwrap();
    run.finish(Vec::new()).unwrap();
    drop(run);
    let comparison = old.compare(&Snapshot::read(dir.path()).unwrap()).unwrap();
    assert_eq!(
        moved(&comparison),
        [
            "all Some(0.375) None missing over 2 samples, now 0",
            "a Some(0.5) None missing no map",
            "b Some(0.25) None missing disk full",
        ]
    );
    assert!(comparison.is_worse());
    assert_eq!(
        comparison.notes,
        ["some samples or scores of the run failed"]
    );

    let comparison = old.compare(&snapshot(&[("a", Some(0.5))])).unwrap();
    let expected = [
        "all Some(0.375) Some(0.5) missing over 2 samples, now 1",
        "b Some(0.25) None missing not in the run",
    ];
    assert_eq!(moved(&comparison), expected);
}

#[test]
fn what_only_the_run_has_is_new_and_no_failure() {
    let old = baseline(&[("a", Some(0.5)), ("c", None)]);
    let comparison = old
        .compare(&snapshot(&[("a", Some(0.5)), ("c", Some(0.7))]))
        .unwrap();
    let expected = [
        "all Some(0.5) Some(0.6) new over 1 samples, now 2",
        "c None Some(0.7) new ",
    ];
    assert_eq!(moved(&comparison), expected);
    assert!(!comparison.is_worse());

    let dir = tempfile::tempdir().unwrap();
    run_with(dir.path(), start(20), &[("a", Some(0.5)), ("c", None)]);
    let mut run = RunFolder::open(dir.path(), start(20), false).unwrap();
    run.put_set_scores(vec![SetScore {
        model: "pbe".to_owned(),
        metric: "fid".to_owned(),
        version: 1,
        convention: "clean".to_owned(),
        note: Notes::NONE,
        n: 2,
        outcome: Outcome::ok(30.0).unwrap(),
        sd: None,
    }])
    .unwrap();
    drop(run);
    let run = Snapshot::read(dir.path()).unwrap();
    let comparison = old.compare(&run).unwrap();
    assert_eq!(moved(&comparison), ["all None Some(30.0) new "]);
    // And the other way round it is missing.
    let old = Baseline::new(run, BTreeMap::new(), |_| higher(0.01, 0.1));
    let comparison = old
        .compare(&snapshot(&[("a", Some(0.5)), ("c", None)]))
        .unwrap();
    assert_eq!(
        moved(&comparison),
        ["all Some(30.0) None missing the run has no such score"]
    );
}

#[test]
fn other_settings_data_versions_or_samples_are_refused_by_name() {
    let values = [("a", Some(0.5))];
    let old = baseline(&values);
    let refused = |run: &Snapshot| match old.compare(run) {
        Err(error @ ResultsError::NotComparable { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let with = |start| run_with(tempfile::tempdir().unwrap().path(), start, &values);
    let head = "the run cannot be compared with the baseline, since they differ in ";
    assert_eq!(
        refused(&with(start(50))),
        format!("{head}model.steps: 20, now 50")
    );
    let mut other = start(20);
    other.inputs.insert("dataset".to_owned(), "1234".to_owned());
    assert_eq!(
        refused(&with(other)),
        format!("{head}sha256 of `dataset`: none, now 1234")
    );
    let mut run = snapshot(&values);
    run.scores[0].version = 2;
    assert_eq!(
        refused(&run),
        format!("{head}version of metric `imacs`: 1, now 2")
    );
    let more = refused(&snapshot(&[
        ("a", Some(0.5)),
        ("b", Some(0.5)),
        ("c", Some(0.5)),
    ]));
    assert!(
        more.contains("samples: 2 that the baseline lacks, of which the first is `b`"),
        "{more}"
    );
}

#[test]
fn another_checkpoint_or_program_is_noted_and_compared() {
    let old = baseline(&[("a", Some(0.5))]);
    let mut other = start(20);
    other.inputs.insert(
        "checkpoint:pbe:unet".to_owned(),
        "0123456789abcdef".to_owned(),
    );
    other
        .versions
        .insert("libtorch".to_owned(), "2.14".to_owned());
    other.device = "cuda:0".to_owned();
    let dir = tempfile::tempdir().unwrap();
    let comparison = old
        .compare(&run_with(dir.path(), other, &[("a", Some(0.5))]))
        .unwrap();
    assert_eq!(
        comparison.notes,
        [
            "checkpoint:pbe:unet: none, now 0123456789ab",
            "version of libtorch: none, now 2.14",
            "device: cpu, now cuda:0",
        ]
    );
    assert_eq!(comparison.count(Verdict::Same), 2);
}

#[test]
fn a_new_baseline_keeps_the_tolerances_that_were_set() {
    let run = snapshot(&[("a", Some(0.5))]);
    let kept = BTreeMap::from([("imacs".to_owned(), higher(0.2, 0.3))]);
    let new = Baseline::new(run, kept.clone(), |_| higher(0.0, 0.0));
    assert_eq!(new.tolerances, kept);
}

#[test]
fn a_file_that_is_no_baseline_is_refused_with_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.json");
    baseline(&[("a", Some(0.5))]).write(&path).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let one_score = |text: &str| {
        let score = text
            .lines()
            .find(|line| line.contains(r#"{"model""#))
            .unwrap();
        format!(
            "{}\"n\":1,\"mean\":1.0}},\n",
            &score[..score.find("\"n\"").unwrap()]
        )
    };
    for (text, problem) in [
        (
            "[".to_owned(),
            "not a baseline: expected more, found the end of the file at line 1 column 1",
        ),
        (
            "{}".to_owned(),
            "not a baseline: missing field `schema_version`",
        ),
        (
            good.replace(":0.5,", ":NaN,"),
            "not a baseline: expected JSON: expected value at line ",
        ),
        (
            good.replace(":0.5", ":null"),
            "not a baseline: expected scores to compare with, found 1 without a value",
        ),
        (
            good.replace("\"schema_version\": 1", "\"schema_version\": 7"),
            "expected schema_version 1, found 7",
        ),
        (
            good.replace("\"device\"", "\"devise\""),
            "unknown field `devise`",
        ),
        (
            good.replace(":0.01", ":-1"),
            "tolerances.imacs.mean.absolute: expected a finite number, at least 0, found -1",
        ),
        (
            good.replace("\"imacs\": {", "\"fid\": {"),
            "tolerances: none for `imacs`",
        ),
        (good.replace("higher", "up"), "unknown variant `up`"),
        (
            good.replace(
                "\"scores\": [\n",
                &format!("\"scores\": [\n{}", one_score(&good)),
            ),
            "two scores `imacs` of model `pbe`, level `unified`",
        ),
    ] {
        assert_ne!(text, good, "{problem}");
        i2am_files::write_atomic(&path, &text).unwrap();
        let error = Baseline::read(&path).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        assert!(error.contains(problem), "expected `{problem}` in: {error}");
    }
}

#[test]
fn results_that_cannot_be_read_are_refused_by_file() {
    let dir = tempfile::tempdir().unwrap();
    let error = Snapshot::read(dir.path()).unwrap_err().to_string();
    assert!(error.contains("manifest.json"), "{error}");
    run_with(dir.path(), start(20), &[("a", Some(0.5))]);
    let samples = dir.path().join("samples.csv");
    let text = fs::read_to_string(&samples).unwrap();
    i2am_files::write_atomic(&samples, text.replace("0.5", "NaN")).unwrap();
    let error = Snapshot::read(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("samples.csv: line 3: value `NaN` is not a finite number"),
        "{error}"
    );
    fs::remove_file(&samples).unwrap();
    assert!(Snapshot::read(dir.path()).is_err());
}

#[test]
fn rows_of_other_settings_are_not_compared() {
    let dir = tempfile::tempdir().unwrap();
    run_with(dir.path(), start(20), &[("a", Some(0.5))]);
    let samples = dir.path().join("samples.csv");
    let text = fs::read_to_string(&samples).unwrap();
    let hash = start(20).config_hashes.score.hash().to_owned();
    i2am_files::write_atomic(&samples, text.replace(&hash, "0123")).unwrap();
    let error = Snapshot::read(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("holds results of another config (hash 0123"),
        "{error}"
    );
}

#[test]
fn only_headline_levels_keep_single_samples() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = RunFolder::open(dir.path(), start(20), false).unwrap();
    let SampleResult {
        mut measurements, ..
    } = scored("a", Outcome::ok(0.5).unwrap());
    let mut by_time = measurements[0].clone();
    by_time.level = Some(Level::Time(0));
    measurements.push(by_time);
    run.append(&SampleResult {
        measurements,
        ..scored("a", Outcome::ok(0.5).unwrap())
    })
    .unwrap();
    run.finish(Vec::new()).unwrap();
    drop(run);
    let scores = Snapshot::read(dir.path()).unwrap().scores;
    let kept: Vec<(String, usize)> = scores
        .iter()
        .map(|score| {
            (
                score.level.as_ref().unwrap().to_string(),
                score.samples.len(),
            )
        })
        .collect();
    assert_eq!(kept, [("time:0".to_owned(), 0), ("unified".to_owned(), 1)]);
}

#[test]
fn any_bytes_are_a_baseline_or_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("base.json");
    let values = [("a", Some(0.5)), ("b", Some(-0.25)), ("c", None)];
    baseline(&values).write(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    let run = snapshot(&values);
    let empty = snapshot(&[("a", None)]);
    let corpus: [&[u8]; 4] = [&whole, b"{}", b"{\"schema_version\": 2}", b""];
    i2am_testkit::fuzz("baseline", &corpus, |bytes| {
        fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        match Baseline::read(&path) {
            Ok(baseline) => {
                assert!(baseline.run.has_values());
                for score in &baseline.run.scores {
                    assert!(score.mean.is_none_or(f64::is_finite));
                }
                // What has no score never passes for what has one.
                for (run, fails) in [(&run, false), (&empty, true)] {
                    if let Ok(comparison) = baseline.compare(run) {
                        assert!(comparison.is_worse() || !fails);
                    }
                }
            }
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
        }
    });
}
