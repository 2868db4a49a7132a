//! Against scipy, statsmodels and printed results (fixture `stats`, made by `scripts/golden/stats.py`).

use std::path::Path;

use i2am_stats::{
    Bootstrap, By, Columns, Comparison, Method, PBy, Permutations, Resampling, StatsError, Study,
    Target, asymptotic_test, bootstrap_intervals, holm, jackknife_intervals, meng, partial,
    partial_test, permutation_tests, quantile, random_effects, steiger,
};
use i2am_testkit::fixtures;
use serde_json::Value;

const TOLERANCE: f64 = 1e-10;

/// Calls `check` with every fixture's part `part`.
fn each(part: &str, mut check: impl FnMut(&Value)) {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for folder in fixtures(&committed, "stats") {
        let expected = folder.json("expected");
        match &expected[part] {
            Value::Array(items) => items.iter().for_each(&mut check),
            item => check(item),
        }
    }
}

fn list(value: &Value) -> Vec<f64> {
    let items = value.as_array().expect("a list");
    items.iter().map(number).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
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
fn coefficients() {
    let mut checked = 0;
    each("coefficients", |table| {
        let (x, y) = (list(&table["x"]), list(&table["y"]));
        for method in Method::ALL {
            let found = method.coefficient(&x, &y).unwrap();
            let what = format!("{} {method}", table["name"]);
            close(&what, found, number(&table[method.as_str()]), TOLERANCE);
            let turned = method.coefficient(&y, &x).unwrap();
            close(&what, turned, found, TOLERANCE);
            checked += 1;
        }
    });
    assert!(checked >= 3 * 15, "{checked}");
}

#[test]
fn exact_permutations() {
    each("exact", |table| {
        let (x, y) = (list(&table["x"]), list(&table["y"]));
        let columns = Columns::new(vec![&x, &y]).unwrap();
        let targets = [Target { x: 0, y: 1 }];
        for method in Method::ALL {
            let never_used = Permutations { count: 1, seed: 0 };
            let found = permutation_tests(method, &columns, &targets, never_used).unwrap();
            let found = found[0].unwrap();
            assert_eq!(found.by, PBy::Exact);
            let what = format!("{method} of {} points", x.len());
            close(
                &what,
                found.value,
                number(&table[method.as_str()]),
                TOLERANCE,
            );
        }
    });
}

#[test]
fn large_tables() {
    each("asymptotic", |table| {
        let (x, y) = (list(&table["x"]), list(&table["y"]));
        let columns = Columns::new(vec![&x, &y]).unwrap();
        let targets = [Target { x: 0, y: 1 }];
        let level = number(&table["level"]);
        for method in Method::ALL {
            let expected = list(&table[method.as_str()]);
            let p = asymptotic_test(method, &x, &y).unwrap().value;
            let interval = jackknife_intervals(method, &columns, &targets, &[], level);
            let interval = interval.unwrap()[0].unwrap();
            assert_eq!(interval.by, By::Jackknife);
            for (found, expected) in [p, interval.low, interval.high].into_iter().zip(expected) {
                let what = format!("{method} of {} points", x.len());
                close(&what, found, expected, TOLERANCE);
            }
        }
    });
}

/// The resamples of the fixture.
struct Given(Vec<Vec<u32>>);

impl Resampling for Given {
    fn draw(&self, index: usize, rows: &mut [u32]) {
        rows.copy_from_slice(&self.0[index]);
    }
}

#[test]
fn bootstrap() {
    each("intervals", |table| {
        let [x, y, z] = ["x", "y", "z"].map(|name| list(&table[name]));
        let columns = Columns::new(vec![&x, &y, &z]).unwrap();
        let rows = table["rows"].as_array().unwrap().iter();
        let draws = Given(
            rows.map(|row| list(row).into_iter().map(|row| row as u32).collect())
                .collect(),
        );
        let bootstrap = Bootstrap {
            resamples: draws.0.len(),
            level: number(&table["level"]),
        };
        let compare = |name: &str, method: Method, covariates: &[usize]| {
            if table[name].is_null() {
                return;
            }
            let targets = [Target { x: 0, y: 1 }];
            let found =
                bootstrap_intervals(method, &columns, &targets, covariates, &draws, bootstrap);
            let found = found.unwrap()[0].unwrap();
            let expected = list(&table[name]);
            close(&format!("{name} low"), found.low, expected[0], TOLERANCE);
            close(&format!("{name} high"), found.high, expected[1], TOLERANCE);
        };
        for method in Method::ALL {
            compare(method.as_str(), method, &[]);
        }
        compare("partial", Method::Pearson, &[2]);
    });
}

/// The matrix of correlations of `columns`.
fn matrix(method: Method, columns: &[Vec<f64>]) -> Vec<f64> {
    let pairs = columns
        .iter()
        .flat_map(|a| columns.iter().map(move |b| (a, b)));
    pairs
        .map(|(a, b)| method.coefficient(a, b).expect("a correlation"))
        .collect()
}

#[test]
fn partial_correlations() {
    each("partial", |table| {
        let given = table["given"].as_array().unwrap().iter().map(list);
        let columns: Vec<Vec<f64>> = [list(&table["x"]), list(&table["y"])]
            .into_iter()
            .chain(given)
            .collect();
        for method in Method::ALL {
            let expected = list(&table[method.as_str()]);
            let found = partial(matrix(method, &columns)).unwrap();
            close(method.as_str(), found, expected[0], TOLERANCE);
            let p = partial_test(method, found, columns[0].len(), columns.len() - 2).unwrap();
            close(&format!("p of {method}"), p.value, expected[1], TOLERANCE);
        }
    });
}

#[test]
fn families() {
    each("holm", |table| {
        let corrected = holm(&list(&table["p"]));
        for (found, expected) in corrected.iter().zip(list(&table["corrected"])) {
            close("holm", *found, expected, TOLERANCE);
        }
    });
}

#[test]
fn quantiles() {
    each("quantiles", |table| {
        let values = list(&table["values"]);
        for (p, expected) in list(&table["p"]).into_iter().zip(list(&table["quantiles"])) {
            close("quantile", quantile(&values, p), expected, TOLERANCE);
        }
    });
}

#[test]
fn pooled() {
    each("pooled", |table| {
        let studies: Vec<Study> = list(&table["r"])
            .into_iter()
            .zip(list(&table["n"]))
            .map(|(correlation, n)| Study {
                correlation,
                n: n as usize,
            })
            .collect();
        for method in Method::ALL {
            for covariates in [0, 1] {
                let name = format!("{method}-{covariates}");
                let level = number(&table["level"]);
                let found = random_effects(method, &studies, covariates, level).unwrap();
                let found = [
                    found.correlation,
                    found.low,
                    found.high,
                    found.p,
                    found.tau2,
                    found.q,
                ];
                for (found, expected) in found.into_iter().zip(list(&table[&name])) {
                    close(&name, found, expected, TOLERANCE);
                }
            }
        }
    });
}

#[test]
fn printed_comparisons() {
    type Test = fn(f64, f64, f64, usize) -> Result<Comparison, StatsError>;
    for (name, test) in [("meng", meng as Test), ("steiger", steiger)] {
        each("published", |published| {
            for printed in published[name].as_array().unwrap() {
                let [first, second, between, n] =
                    ["first", "second", "between", "n"].map(|key| number(&printed[key]));
                let found = test(first, second, between, n as usize).unwrap();
                let source = printed["source"].as_str().unwrap();
                let tolerance = number(&printed["half_digit"]);
                close(source, found.z, number(&printed["z"]), tolerance);
                if let (Some([low, high]), Some(_)) = (found.difference, printed["low"].as_f64()) {
                    close(source, low, number(&printed["low"]), tolerance);
                    close(source, high, number(&printed["high"]), tolerance);
                }
            }
        });
    }
}

#[test]
fn printed_partial_correlations() {
    each("published", |published| {
        let printed = &published["partial"];
        let order = [
            ("hl_disp", ["hl", "disp", "deg", "bc"]),
            ("hl_deg", ["hl", "deg", "disp", "bc"]),
            ("hl_bc", ["hl", "bc", "disp", "deg"]),
            ("disp_deg", ["disp", "deg", "hl", "bc"]),
        ];
        for (name, columns) in order {
            let columns = columns.map(|column| list(&printed[column]));
            let found = partial(matrix(Method::Spearman, &columns)).unwrap();
            close(
                name,
                found,
                number(&printed[name]),
                number(&printed["half_digit"]),
            );
        }
    });
}
