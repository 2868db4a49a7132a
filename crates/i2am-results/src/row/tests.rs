use super::*;

fn row(outcome: Outcome) -> Row {
    Row {
        model: "pbe, \"small\"".to_owned(),
        dataset: DatasetName {
            name: "viton-hd".to_owned(),
            split: "test".to_owned(),
            pairing: String::new(),
        },
        sample_id: "00006_00 é".to_owned(),
        stage: Stage::Score,
        measurement: Measurement {
            direction: Some(Direction::ReferenceToGenerated),
            level: Some("resolution:16x12".parse().unwrap()),
            metric: "imacs".to_owned(),
            version: 3,
            outcome,
            convention: "spatial".to_owned(),
            note: Notes::from("one-token"),
        },
        config_hash: "44136fa355b3678a".to_owned(),
        inputs: "0123".to_owned(),
    }
}

fn record(row: &Row) -> StringRecord {
    row.cells().iter().map(AsRef::as_ref).collect()
}

#[test]
fn a_row_survives_as_text() {
    let values = [
        0.0,
        -3.0,
        0.1 + 0.2,
        1e-300,
        f64::MIN_POSITIVE / 8.0,
        f64::MAX,
    ];
    let outcomes = values
        .into_iter()
        .map(|value| Outcome::ok(value).unwrap())
        .chain([Outcome::empty("empty mask"), Outcome::failed("a, \"b\"; c")]);
    for outcome in outcomes {
        let row = row(outcome);
        assert_eq!(Row::parse(&record(&row), COLUMNS.len()).unwrap(), row);
    }
}

#[test]
fn a_missing_value_is_an_empty_cell() {
    let row = row(Outcome::empty("empty mask"));
    let cells = row.cells();
    assert_eq!(&cells[10..13], ["", "empty", "empty mask"]);
}

#[test]
fn cells_that_no_row_writes_are_refused() {
    for (column, cell, problem) in [
        (0, "", "`model` is empty"),
        (4, "", "`sample_id` is empty"),
        (5, "train", "unknown stage `train`"),
        (
            6,
            "both",
            "direction: expected `r2g` or `g2r`, found `both`",
        ),
        (9, "1.5", "version `1.5`: invalid digit found in string"),
        (10, "NaN", "value `NaN` is not a finite number"),
        (10, "inf", "value `inf` is not a finite number"),
        (10, "", "value `` is not a finite number"),
        (11, "good", "unknown status `good`"),
        (11, "failed", "value `0.5` with status `failed`"),
    ] {
        let row = row(Outcome::ok(0.5).unwrap());
        let mut cells = row.cells();
        cells[column] = cell.into();
        let record: StringRecord = cells.iter().map(AsRef::as_ref).collect();
        assert_eq!(Row::parse(&record, COLUMNS.len()).unwrap_err(), problem);
    }
    let short = StringRecord::from(vec!["pbe", "viton-hd"]);
    assert_eq!(
        Row::parse(&short, COLUMNS.len()).unwrap_err(),
        "expected 17 cells, found 2"
    );
}
