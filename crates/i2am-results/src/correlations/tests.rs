use i2am_quantity::Status;

use super::*;

fn row() -> CorrelationRow {
    CorrelationRow {
        unit: Unit::Sample,
        model: "pbe, refined".to_owned(),
        score: "imacs_g".to_owned(),
        direction: Some(Direction::ReferenceToGenerated),
        level: Some(Level::Unified),
        metric: "lpips".to_owned(),
        variant: "alex".to_owned(),
        rival: String::new(),
        covariate: "mask_area".to_owned(),
        method: "spearman".to_owned(),
        outcome: Outcome::ok(-0.1).unwrap(),
        oriented: Some(0.1),
        interval: Some([-0.3, 1.1e-7_f64.sqrt()]),
        p: Some(1e-20),
        p_by: "permutations".to_owned(),
        p_holm: None,
        n: 16,
        note: Notes::NONE,
    }
}

fn empty() -> CorrelationRow {
    CorrelationRow {
        unit: Unit::Model,
        model: String::new(),
        outcome: Outcome::empty("2 models are needed, 1 was found"),
        oriented: None,
        interval: None,
        p: None,
        p_by: String::new(),
        n: 1,
        note: Notes::from("no claim is possible"),
        ..row()
    }
}

#[test]
fn rows_read_back_to_the_last_bit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("correlations.csv");
    let rows = [row(), empty()];
    write_correlations(&path, &rows).unwrap();
    assert_eq!(read_correlations(&path).unwrap(), rows);
    write_correlations(&path, &[]).unwrap();
    assert_eq!(read_correlations(&path).unwrap(), []);
}

#[test]
fn no_value_is_an_empty_cell_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("correlations.csv");
    write_correlations(&path, &[empty()]).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let expected = "model,,imacs_g,r2g,unified,lpips,alex,,mask_area,spearman,,,,,,,,1,empty,\
                    \"2 models are needed, 1 was found\",no claim is possible";
    assert_eq!(text.lines().nth(1), Some(expected));
    assert_eq!(empty().outcome.status(), Status::Empty);
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("correlations.csv");
    for row in [
        CorrelationRow {
            p: Some(f64::NAN),
            ..row()
        },
        CorrelationRow {
            interval: Some([f64::NEG_INFINITY, 1.0]),
            ..row()
        },
        CorrelationRow {
            note: Notes::from("two\nlines"),
            ..row()
        },
    ] {
        let error = write_correlations(&path, &[row]).unwrap_err();
        assert!(
            matches!(error, ResultsError::InvalidScore { .. }),
            "{error}"
        );
        assert!(!path.exists());
    }
}

#[test]
fn a_damaged_table_names_line_and_problem() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("correlations.csv");
    write_correlations(&path, &[row(), empty()]).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to, line, problem) in [
        ("unit,", "units,", 1, "expected the columns"),
        ("sample,", "samples,", 2, "unknown unit `samples`"),
        (",1e-20,", ",NaN,", 2, "p `NaN` is not a finite number"),
        (",-0.3,", ",,", 2, "one end of the interval is missing"),
        (",,1,empty,", ",,one,empty,", 3, "n `one`"),
        (",note\n", ",note\nmodel\n", 2, "expected 21 cells, found 1"),
    ] {
        i2am_files::write_atomic(&path, text.replacen(from, to, 1)).unwrap();
        let error = read_correlations(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("line {line}: ")), "{error}");
        assert!(error.contains(problem), "{error}");
        assert!(error.contains("`correlate`"), "{error}");
    }
}
