use super::*;
use crate::config_hash::ConfigHashes;
use crate::inputs::Inputs;
use crate::ledger::Ledger;
use crate::row::SampleResult;

fn measurement(level: &str, outcome: Outcome, note: &str) -> Measurement {
    Measurement {
        direction: Some(Direction::ReferenceToGenerated),
        level: Some(level.parse().unwrap()),
        metric: "imacs".to_owned(),
        version: 1,
        outcome,
        convention: "spatial".to_owned(),
        note: Notes::from(note),
    }
}

fn append(ledger: &mut Ledger, sample_id: &str, measurements: Vec<Measurement>) {
    let failure = measurements.is_empty().then(|| "no image".to_owned());
    let result = SampleResult {
        stage: Stage::Score,
        model: "pbe".to_owned(),
        sample_id: sample_id.to_owned(),
        measurements,
        failure,
    };
    ledger.append(&result).unwrap();
}

/// One line per row: level, note, n, missing, mean, sd.
fn summary(rows: &[AggregateRow]) -> Vec<String> {
    let line = |row: &AggregateRow| {
        let AggregateRow {
            level,
            note,
            n,
            missing,
            mean,
            sd,
            ..
        } = row;
        let (level, note) = (optional_cell(level.as_ref()), note.to_string());
        format!("{level} {note:?} {n} {missing} {mean:?} {sd:?}")
    };
    rows.iter().map(line).collect()
}

#[test]
fn missing_values_are_counted_and_never_zero() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.csv");
    let mut ledger = Ledger::open(
        path.clone(),
        DatasetName::default(),
        ConfigHashes::of_nothing(),
        Inputs::default(),
    )
    .unwrap();
    let ok = |value| Outcome::ok(value).unwrap();
    append(
        &mut ledger,
        "a",
        vec![
            measurement("unified", ok(1.0), ""),
            measurement("head:10", ok(0.5), "one-token"),
            measurement("head:2", Outcome::empty("empty mask"), ""),
        ],
    );
    append(&mut ledger, "b", vec![measurement("unified", ok(3.0), "")]);
    append(&mut ledger, "c", Vec::new());
    let rows = aggregate(&path).unwrap();
    assert_eq!(
        summary(&rows),
        [
            "head:2 \"\" 0 3 None None",
            "head:10 \"one-token\" 1 2 Some(0.5) None",
            // Mean and standard deviation of 1 and 3: 2 and the square root of 2.
            "unified \"\" 2 1 Some(2.0) Some(1.4142135623730951)",
            // The sample that failed.
            " \"c: no image\" 2 1 None None",
        ]
    );
    let table = dir.path().join("aggregate.csv");
    write_aggregate(&table, &rows).unwrap();
    assert_eq!(
        std::fs::read_to_string(table).unwrap(),
        "model,dataset,split,pairing,stage,direction,level,metric,version,convention,note,n,missing,mean,sd\n\
         pbe,,,,score,r2g,head:2,imacs,1,spatial,,0,3,,\n\
         pbe,,,,score,r2g,head:10,imacs,1,spatial,one-token,1,2,0.5,\n\
         pbe,,,,score,r2g,unified,imacs,1,spatial,,2,1,2.0,1.4142135623730951\n\
         pbe,,,,score,,,sample,1,,c: no image,2,1,,\n"
    );
}

#[test]
fn the_order_of_the_samples_changes_no_bit() {
    // Added in this order and in the opposite one, these round differently.
    let values = vec![1e16, 1.0, -1e16, 0.1, 0.2, 0.3];
    let reversed = values.iter().rev().copied().collect();
    let forward: f64 = values.iter().sum();
    let backward: f64 = values.iter().rev().sum();
    assert!((forward - backward).abs() > 0.0);
    assert_eq!(mean_and_sd(values), mean_and_sd(reversed));
}
