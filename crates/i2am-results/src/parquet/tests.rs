use std::fs::File;

use i2am_quantity::{Direction, Level, Measurement, Notes, Outcome};
use polars::prelude::{DataType, ParquetReader, SerReader as _};

use super::*;
use crate::config_hash::ConfigHashes;
use crate::inputs::Inputs;
use crate::ledger::Ledger;
use crate::row::{DatasetName, SampleResult, Stage};

fn result(sample_id: &str, outcomes: Vec<Outcome>) -> SampleResult {
    let measurement = |(index, outcome)| Measurement {
        direction: Some(Direction::GeneratedToReference),
        level: Some(Level::Head(index)),
        metric: "imacs".to_owned(),
        version: 2,
        outcome,
        convention: "spatial".to_owned(),
        note: Notes::NONE,
    };
    SampleResult {
        stage: Stage::Score,
        model: "pbe".to_owned(),
        sample_id: sample_id.to_owned(),
        measurements: outcomes.into_iter().enumerate().map(measurement).collect(),
        failure: None,
    }
}

#[test]
fn parquet_has_the_types_and_nulls_of_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("samples.csv");
    let path = dir.path().join("samples.parquet");
    let mut ledger = Ledger::open(
        csv.clone(),
        DatasetName::default(),
        ConfigHashes::of_nothing(),
        Inputs::default(),
    )
    .unwrap();
    let outcomes = vec![Outcome::ok(-0.125).unwrap(), Outcome::empty("empty mask")];
    ledger.append(&result("a", outcomes)).unwrap();
    write_parquet(&csv, &path).unwrap();

    let frame = ParquetReader::new(File::open(path).unwrap())
        .finish()
        .unwrap();
    let names: Vec<&str> = frame.columns().iter().map(|c| c.name().as_str()).collect();
    assert_eq!(names, COLUMNS);
    for column in frame.columns() {
        let expected = match column.name().as_str() {
            "version" => DataType::UInt32,
            "value" => DataType::Float64,
            _ => DataType::String,
        };
        assert_eq!(*column.dtype(), expected, "{}", column.name());
    }
    let values: Vec<Option<f64>> = frame
        .column("value")
        .unwrap()
        .f64()
        .unwrap()
        .iter()
        .collect();
    assert_eq!(values, [Some(-0.125), None, Some(2.0)]);
    let statuses: Vec<_> = frame
        .column("status")
        .unwrap()
        .str()
        .unwrap()
        .iter()
        .collect();
    assert_eq!(statuses, [Some("ok"), Some("empty"), Some("ok")]);
    let reasons: Vec<_> = frame
        .column("reason")
        .unwrap()
        .str()
        .unwrap()
        .iter()
        .collect();
    assert_eq!(reasons, [Some(""), Some("empty mask"), Some("")]);
}

#[test]
fn a_run_without_samples_gives_a_table_without_rows() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("samples.csv");
    let path = dir.path().join("samples.parquet");
    Ledger::open(
        csv.clone(),
        DatasetName::default(),
        ConfigHashes::of_nothing(),
        Inputs::default(),
    )
    .unwrap();
    write_parquet(&csv, &path).unwrap();
    let frame = ParquetReader::new(File::open(path).unwrap())
        .finish()
        .unwrap();
    assert_eq!(frame.shape(), (0, COLUMNS.len()));
}

#[test]
fn more_rows_than_a_row_group_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("samples.csv");
    let path = dir.path().join("samples.parquet");
    let mut ledger = Ledger::open(
        csv.clone(),
        DatasetName::default(),
        ConfigHashes::of_nothing(),
        Inputs::default(),
    )
    .unwrap();
    let count = ROW_GROUP * 3 / 4;
    for (sample, start) in [("a", 0), ("b", count)] {
        let outcome = |index| Outcome::ok((start + index) as f64).unwrap();
        ledger
            .append(&result(sample, (0..count).map(outcome).collect()))
            .unwrap();
    }
    write_parquet(&csv, &path).unwrap();
    let frame = ParquetReader::new(File::open(path).unwrap())
        .finish()
        .unwrap();
    let values = frame.column("value").unwrap().f64().unwrap().iter();
    let closing = count as f64;
    let expected = (0..count)
        .map(|index| index as f64)
        .chain([closing])
        .chain((count..2 * count).map(|index| index as f64))
        .chain([closing]);
    assert!(values.eq(expected.map(Some)));
}
