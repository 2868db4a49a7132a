use std::fs;

use i2am_quantity::{Direction, Level};
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::config_hash::ConfigHash;
use crate::reader::read_rows;

fn open(dir: &TempDir) -> Result<Ledger, ResultsError> {
    open_with(dir, ConfigHashes::of_nothing())
}

fn open_with(dir: &TempDir, hashes: ConfigHashes) -> Result<Ledger, ResultsError> {
    let dataset = DatasetName {
        name: "viton-hd".to_owned(),
        split: "test".to_owned(),
        pairing: "paired".to_owned(),
    };
    Ledger::open(
        dir.path().join("samples.csv"),
        dataset,
        hashes,
        Inputs::default(),
    )
}

fn measurement(level: &str, outcome: Outcome) -> Measurement {
    Measurement {
        direction: Some(Direction::ReferenceToGenerated),
        level: Some(level.parse().unwrap()),
        metric: "imacs".to_owned(),
        version: 1,
        outcome,
        convention: "spatial".to_owned(),
        note: Notes::NONE,
    }
}

/// Two measurements, the second with text that CSV must quote.
fn sample(sample_id: &str) -> SampleResult {
    SampleResult {
        stage: Stage::Score,
        model: "pbe".to_owned(),
        sample_id: sample_id.to_owned(),
        measurements: vec![
            measurement("unified", Outcome::ok(0.25).unwrap()),
            measurement("head:0", Outcome::empty("the \"mask\",\nis empty")),
        ],
        failure: None,
    }
}

fn failed(sample_id: &str) -> SampleResult {
    SampleResult {
        measurements: Vec::new(),
        failure: Some("out of memory".to_owned()),
        ..sample(sample_id)
    }
}

fn sample_ids(ledger: &Ledger) -> Vec<&str> {
    ledger
        .samples()
        .keys()
        .map(|key| key.sample_id.as_str())
        .collect()
}

fn text(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join("samples.csv")).unwrap()
}

#[test]
fn samples_csv_is_one_line_per_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(&dir).unwrap();
    ledger.append(&sample("a")).unwrap();
    ledger.append(&failed("b")).unwrap();
    assert_eq!(
        text(&dir),
        "model,dataset,split,pairing,sample_id,stage,direction,level,metric,version,value,status,reason,convention,\
         note,config_hash,inputs\n\
         pbe,viton-hd,test,paired,a,score,r2g,unified,imacs,1,0.25,ok,,spatial,,44136fa355b3678a,\n\
         pbe,viton-hd,test,paired,a,score,r2g,head:0,imacs,1,,empty,\"the \"\"mask\"\", is empty\",spatial,,\
         44136fa355b3678a,\n\
         pbe,viton-hd,test,paired,a,score,,,sample,1,2.0,ok,,,,44136fa355b3678a,\n\
         pbe,viton-hd,test,paired,b,score,,,sample,1,,failed,out of memory,,,44136fa355b3678a,\n"
    );
}

#[test]
fn a_kill_at_any_byte_loses_one_sample_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.csv");
    let mut ledger = open(&dir).unwrap();
    let empty = text(&dir);
    ledger.append(&sample("a")).unwrap();
    ledger.append(&sample("b")).unwrap();
    let before = text(&dir);
    ledger.append(&sample("c")).unwrap();
    let after = text(&dir);
    drop(ledger);

    for len in before.len()..after.len() {
        fs::File::create(&path)
            .and_then(|mut file| file.write_all(&after.as_bytes()[..len]))
            .unwrap();
        let mut ledger = open(&dir).unwrap();
        assert_eq!(sample_ids(&ledger), ["a", "b"], "cut at byte {len}");
        assert_eq!(text(&dir), before, "cut at byte {len}");
        assert_eq!(read_rows(&path).unwrap().count(), 4);
        ledger.append(&sample("c")).unwrap();
        assert_eq!(text(&dir), after, "cut at byte {len}");
    }
    let ledger = open(&dir).unwrap();
    assert_eq!(sample_ids(&ledger), ["a", "b", "c"]);
    assert_eq!(text(&dir), after);

    // A disk that lost power may hold blocks of zeros where the end of the file should be.
    let zeros = [after.as_bytes(), &[0; 9000]].concat();
    fs::File::create(&path)
        .and_then(|mut file| file.write_all(&zeros))
        .unwrap();
    assert_eq!(sample_ids(&open(&dir).unwrap()), ["a", "b", "c"]);
    assert_eq!(text(&dir), after);

    fs::File::create(&path)
        .and_then(|mut file| file.write_all(empty.as_bytes()))
        .unwrap();
    assert!(open(&dir).unwrap().samples().is_empty());
}

#[test]
fn what_a_failed_write_left_is_cut_before_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(&dir).unwrap();
    ledger.append(&sample("a")).unwrap();
    let mut file = open_to_append(&ledger.path).unwrap();
    file.write_all(b"pbe,viton-hd,te").unwrap();
    ledger.append(&sample("b")).unwrap();
    assert_eq!(sample_ids(&open(&dir).unwrap()), ["a", "b"]);
}

#[test]
fn damage_before_the_end_is_an_error_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.csv");
    let mut ledger = open(&dir).unwrap();
    for id in ["a", "b"] {
        ledger.append(&sample(id)).unwrap();
    }
    let whole = text(&dir);
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let without = |line: usize| {
        let mut lines = lines.clone();
        lines.remove(line - 1);
        lines.concat()
    };
    for (damaged, line, problem) in [
        (
            whole.replacen("0.25", "NaN", 1),
            2,
            "value `NaN` is not a finite number",
        ),
        (
            whole.replacen(",r2g,unified", "", 1),
            2,
            "expected 17 cells, found 15",
        ),
        (without(2), 3, "expected 2 rows before it, found 1"),
        (
            without(4),
            4,
            "the rows of sample `a` of model `pbe` end without a row `sample`",
        ),
        (
            whole.replacen("model", "modell", 1),
            1,
            "expected the columns model,",
        ),
        (without(1), 1, "expected the columns model,"),
        (String::new(), 1, "expected the columns model,"),
    ] {
        i2am_files::write_atomic(&path, &damaged).unwrap();
        let error = open(&dir).unwrap_err().to_string();
        let expected = format!("{}: line {line}: {problem}", path.display());
        assert!(error.starts_with(&expected), "{error}");
        assert_eq!(text(&dir), damaged);
    }
}

#[test]
fn a_failed_sample_may_be_repaired_once_it_works() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.csv");
    let mut ledger = open(&dir).unwrap();
    ledger.append(&failed("a")).unwrap();
    ledger.append(&sample("b")).unwrap();
    ledger.append(&failed("a")).unwrap();
    ledger.append(&sample("a")).unwrap();
    let error = ledger.append(&sample("a")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sample `a` of model `pbe` has its rows of stage `score` already"
    );

    let rows = |path| -> Vec<String> {
        let rows = read_rows(path).unwrap();
        rows.map(|row| row.unwrap().sample_id).collect()
    };
    assert_eq!(rows(&path), ["b", "b", "a", "a"]);
    assert_eq!(text(&dir).lines().count(), 1 + 8);

    let mut ledger = open(&dir).unwrap();
    ledger.compact().unwrap();
    assert_eq!(rows(&path), ["a", "a", "b", "b"]);
    assert_eq!(text(&dir).lines().count(), 1 + 6);
    assert!(!text(&dir).contains("failed"));

    ledger.append(&sample("c")).unwrap();
    assert_eq!(rows(&path), ["a", "a", "b", "b", "c", "c"]);
}

#[test]
fn rows_that_would_not_read_back_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(&dir).unwrap();
    let header = text(&dir);
    let two = |change: fn(&mut SampleResult)| {
        let mut result = sample("a");
        change(&mut result);
        result
    };
    for (result, problem) in [
        (
            two(|result| result.sample_id = "a\nb".to_owned()),
            "sample `a\nb` of model `pbe`: `sample_id` holds a line break or control character: \"a\\nb\"",
        ),
        (
            two(|result| result.model.clear()),
            "sample `a` of model ``: `model` is empty",
        ),
        (
            two(|result| result.measurements[0].metric = "sample".to_owned()),
            "sample `a` of model `pbe`: no metric may be called `sample`",
        ),
        (
            two(|result| result.measurements[1].level = Some(Level::Unified)),
            "sample `a` of model `pbe`: two rows of metric `imacs`, direction `r2g`, level `unified`",
        ),
    ] {
        assert_eq!(ledger.append(&result).unwrap_err().to_string(), problem);
    }
    assert_eq!(text(&dir), header);
    assert!(ledger.samples().is_empty());
}

#[test]
fn pictures_of_other_settings_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let generated = SampleResult {
        stage: Stage::Generate,
        ..sample("a")
    };
    open(&dir).unwrap().append(&generated).unwrap();
    let before = text(&dir);
    let other = ConfigHashes {
        generate: ConfigHash::of(&Value::Null, &["seed"]),
        ..ConfigHashes::of_nothing()
    };
    let now = other.generate.hash().to_owned();
    let error = open_with(&dir, other).unwrap_err().to_string();
    assert!(
        error.contains(&format!("(hash 44136fa355b3678a, now {now})")),
        "{error}"
    );
    assert_eq!(text(&dir), before);
}

#[test]
fn rows_of_other_settings_do_not_count_and_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(&dir).unwrap();
    let of_stage = |stage| SampleResult {
        stage,
        ..sample("a")
    };
    ledger.append(&of_stage(Stage::Score)).unwrap();
    ledger.append(&of_stage(Stage::Generate)).unwrap();
    ledger.append(&of_stage(Stage::Measure)).unwrap();
    let lines: Vec<String> = text(&dir).lines().map(str::to_owned).collect();

    let other = ConfigHashes {
        score: ConfigHash::of(&Value::Null, &["attribution"]),
        ..ConfigHashes::of_nothing()
    };
    let mut ledger = open_with(&dir, other).unwrap();
    assert_eq!(
        ledger.outdated().stages.iter().collect::<Vec<_>>(),
        [&Stage::Score]
    );
    let stages: Vec<Stage> = ledger.samples().keys().map(|key| key.stage).collect();
    assert_eq!(stages, [Stage::Generate, Stage::Measure]);
    ledger.compact().unwrap();
    assert_eq!(*ledger.outdated(), Outdated::default());
    let kept: Vec<String> = text(&dir).lines().map(str::to_owned).collect();
    assert_eq!(kept, [&lines[..1], &lines[4..]].concat());
    ledger.append(&of_stage(Stage::Score)).unwrap();
    assert_eq!(ledger.samples().len(), 3);
}
