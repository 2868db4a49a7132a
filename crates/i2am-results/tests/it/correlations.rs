//! `correlations.csv` stands as long as the results it was found in.

use i2am_results::{CorrelationRow, Direction, Level, Notes, Outcome, Unit, read_correlations};

use crate::common::{ok, open};

fn row() -> CorrelationRow {
    CorrelationRow {
        unit: Unit::Pooled,
        model: String::new(),
        score: "imacs_g".to_owned(),
        direction: Some(Direction::ReferenceToGenerated),
        level: Some(Level::Unified),
        metric: "psnr".to_owned(),
        variant: "rgb".to_owned(),
        rival: String::new(),
        covariate: String::new(),
        method: "pearson".to_owned(),
        outcome: Outcome::ok(0.25).unwrap(),
        oriented: Some(0.25),
        interval: None,
        p: Some(0.5),
        p_by: "normal".to_owned(),
        p_holm: Some(0.5),
        n: 12,
        note: Notes::NONE,
    }
}

#[test]
fn they_outlive_a_session_and_end_with_a_new_result() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path()).unwrap();
    run.append(&ok("a")).unwrap();
    run.put_correlations(&[row()]).unwrap();
    run.finish(Vec::new()).unwrap();
    let path = run.paths().correlations();
    drop(run);

    let mut run = open(dir.path()).unwrap();
    assert_eq!(read_correlations(&path).unwrap(), [row()]);
    run.put_set_scores(Vec::new()).unwrap();
    assert!(path.exists(), "nothing new was found");
    run.append(&ok("b")).unwrap();
    assert!(!path.exists(), "it would tell of one sample of two");
}
