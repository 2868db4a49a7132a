//! Against NumPy and scipy (fixture `faithfulness`, made by `scripts/golden/faithfulness.py`).

use std::path::Path;

use i2am_faithfulness::{
    Baseline, BaselineInput, Correlation, Curve, Located, Search, agreement, between, distance,
    linear_imputation, pointing, power, relevance_mass, relevance_rank, saco, weighted_agreement,
};
use i2am_imaging::{Plane, RgbImage};
use i2am_testkit::fixtures;
use serde_json::Value;

const TOLERANCE: f64 = 1e-10;

/// Calls `check` with every case of every fixture's part `part`.
fn each(part: &str, mut check: impl FnMut(&Value)) {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for folder in fixtures(&committed, "faithfulness") {
        let expected = folder.json("expected");
        let cases = expected[part].as_array().expect("a list of cases");
        assert!(!cases.is_empty(), "{}: no {part}", folder.name());
        cases.iter().for_each(&mut check);
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn list(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(number)
        .collect()
}

fn floats(value: &Value) -> Vec<f32> {
    list(value).into_iter().map(|value| value as f32).collect()
}

fn size(value: &Value) -> [usize; 2] {
    let sides = list(value);
    [0, 1].map(|axis: usize| sides[axis] as usize)
}

fn plane(size: [usize; 2], values: &Value) -> Plane {
    Plane::new(size[0], size[1], floats(values)).expect("a value for every place")
}

fn picture(case: &Value) -> RgbImage {
    let [height, width] = size(&case["size"]);
    let levels = list(&case["picture"])
        .into_iter()
        .map(|level| level as u8)
        .collect();
    RgbImage::from_raw(width as u32, height as u32, levels).expect("three levels for every pixel")
}

#[track_caller]
fn close(what: &str, found: f64, expected: f64, tolerance: f64) {
    let off = (found - expected).abs();
    assert!(
        off <= tolerance,
        "{what}: found {found}, expected {expected}, off by {off:e}"
    );
}

#[test]
fn distances() {
    each("distance", |case| {
        let [a, b, weights] = ["a", "b", "weights"].map(|key| floats(&case[key]));
        let expected = number(&case["value"]);
        close("distance", distance(&a, &b, &weights), expected, TOLERANCE);
    });
}

#[test]
fn saco_in_any_order() {
    each("saco", |case| {
        let (claims, effects) = (list(&case["claims"]), list(&case["effects"]));
        let expected = number(&case["value"]);
        close(
            "saco",
            saco(&claims, &effects).unwrap(),
            expected,
            TOLERANCE,
        );
        let order: Vec<usize> = list(&case["order"])
            .into_iter()
            .map(|i| i as usize)
            .collect();
        let [claims, effects] =
            [claims, effects].map(|values| order.iter().map(|&i| values[i]).collect::<Vec<_>>());
        close(
            "saco in another order",
            saco(&claims, &effects).unwrap(),
            expected,
            TOLERANCE,
        );
    });
}

#[test]
fn correlations() {
    each("correlation", |case| {
        let found = Correlation::of(&list(&case["claims"]), &list(&case["effects"])).unwrap();
        close(
            "pearson",
            found.pearson,
            number(&case["pearson"]),
            TOLERANCE,
        );
        close(
            "spearman",
            found.spearman,
            number(&case["spearman"]),
            TOLERANCE,
        );
    });
}

#[test]
fn curves() {
    let mut halves = 0;
    each("curve", |case| {
        let curves = ["lerf", "morf"].map(|order| Curve::new(list(&case[order])).unwrap());
        close(
            "between",
            between(&curves[0], &curves[1]),
            number(&case["between"]),
            TOLERANCE,
        );
        for (index, curve) in curves.iter().enumerate() {
            close("auc", curve.auc(), number(&case["auc"][index]), TOLERANCE);
            let aopc = number(&case["aopc"][index]);
            close("aopc", curve.relative_aopc(), aopc, TOLERANCE);
            let half = &case["half"][index];
            assert_eq!(curve.half().is_none(), half.is_null());
            if let Some(found) = curve.half() {
                close("half", found, number(half), TOLERANCE);
                halves += 1;
            }
        }
    });
    assert!(halves > 0, "no curve reaches a half");
}

#[test]
fn locations() {
    each("location", |case| {
        let size = size(&case["size"]);
        let (map, truth) = (plane(size, &case["map"]), plane(size, &case["truth"]));
        let share = number(&case["share"]);
        let check = |key: &str, found: Option<Located>| {
            let found = found.expect("a score");
            close(key, found.value, number(&case[key]), TOLERANCE);
            close(key, found.expected, number(&case["expected"]), TOLERANCE);
        };
        check("pointing", pointing(&map, &truth, share));
        check("mass", relevance_mass(&map, &truth, share));
        check("rank", relevance_rank(&map, &truth, share));
        let found = agreement(&map, &truth).unwrap();
        close("agreement", found, number(&case["agreement"]), TOLERANCE);
    });
}

#[test]
fn positions() {
    each("rows", |case| {
        let planes = |key: &str| -> Vec<Plane> {
            let rows = case[key].as_array().expect("a list").iter();
            rows.map(|row| plane(size(&case["size"]), row)).collect()
        };
        let found = weighted_agreement(&planes("maps"), &planes("truths")).unwrap();
        close("agreement", found, number(&case["value"]), TOLERANCE);
    });
}

#[test]
fn edges() {
    each("edges", |case| {
        let reference = picture(case);
        let input = BaselineInput {
            grid: size(&case["grid"]),
            seed: 0,
            other: None,
            mask: None,
            reference: Some(&reference),
            positions: None,
        };
        let found = Baseline::Edges.map(&input).unwrap();
        for (found, expected) in found.data().iter().zip(list(&case["map"])) {
            close("edges", f64::from(*found), expected, 1e-5);
        }
    });
}

#[test]
fn imputations() {
    each("imputation", |case| {
        let removed: Vec<bool> = case["removed"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|removed| removed.as_bool().expect("true or false"))
            .collect();
        let found = linear_imputation(&picture(case), &removed);
        let filled = list(&case["filled"]);
        assert_eq!(found.len(), filled.len());
        for (found, expected) in found.into_iter().zip(filled) {
            close("imputation", found, expected, 1e-6);
        }
    });
}

#[test]
fn powers() {
    each("power", |case| {
        let search = Search::default();
        let found = power(&list(&case["differences"]), search).unwrap();
        let error = |power: f64| 3.0 * (power * (1.0 - power) / search.resamples as f64).sqrt();
        let tried = list(&case["tried"]).into_iter().zip(list(&case["noticed"]));
        for (n, expected) in tried.filter(|&(n, _)| n >= search.from as f64) {
            let noticed = found.noticed[n as usize - search.from];
            close("power", noticed, expected, error(expected));
        }
        // The power at the number found is 0.8, give or take what resampling moves.
        let (samples, expected) = (found.samples.unwrap() as f64, number(&case["samples"]));
        assert!(
            (samples / expected - 1.0).abs() <= 0.08,
            "{samples}, {expected}"
        );
    });
}
