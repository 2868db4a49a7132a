//! Correlations of any table, of the published one, and as a stage of a run.

use std::path::Path;

use serde_json::Value;

use crate::common::{root, run};

/// Ten rows, one gap; `fid` falls with `a`.
const TABLE: &str = "name,a,b,fid,flat\n\
    r0,0.1,3,9.5,1\nr1,0.2,1,9.1,1\nr2,0.3,4,9.9,1\nr3,0.4,1,7,1\nr4,0.5,5,6.5,1\n\
    r5,0.6,9,6.1,1\nr6,0.7,,5.8,1\nr7,0.8,6,6.9,1\nr8,0.9,5,3.2,1\nr9,1,3,2.5,1\n";

fn folder(table: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    i2am_files::write_atomic(folder.path().join("t.csv"), table).unwrap();
    folder
}

#[track_caller]
fn json(folder: &Path, args: &[&str]) -> Vec<Value> {
    let (code, text) = run(
        folder,
        &[&["correlate"], args, &["--json", "--quiet"]].concat(),
    );
    assert_eq!(code, 0, "{text}");
    let object: Value = serde_json::from_str(text.trim()).unwrap();
    object["correlations"].as_array().unwrap().clone()
}

#[track_caller]
fn near(value: &Value, expected: f64) {
    let found = value.as_f64().unwrap();
    assert!(
        (found - expected).abs() < 1e-10,
        "{found}, expected {expected}"
    );
}

/// Values by scipy 1.17.1: pearsonr, spearmanr, kendalltau.
#[test]
fn a_table_as_json() {
    let folder = folder(TABLE);
    let args = ["--table", "t.csv", "--x", "a", "--y", "fid", "b"];
    let found = json(folder.path(), &args);
    let names: Vec<String> = found
        .iter()
        .map(|one| {
            format!("{} {} {} {}", one["x"], one["y"], one["method"], one["n"]).replace('"', "")
        })
        .collect();
    let expected = [
        "a fid pearson 10",
        "a fid spearman 10",
        "a fid kendall 10",
        "a b pearson 9",
        "a b spearman 9",
        "a b kendall 9",
    ];
    assert_eq!(names, expected);
    for (one, expected) in found.iter().zip(SCIPY) {
        near(&one["value"], expected);
        let [low, high, value, p, holm] =
            ["low", "high", "value", "p", "p_holm"].map(|key| one[key].as_f64().unwrap());
        assert!(
            -1.0 <= low && low <= value && value <= high && high <= 1.0,
            "{one}"
        );
        assert!(p > 0.0 && p <= holm && holm <= 1.0, "{one}");
    }
    // Lower is better is known of FID and unknown of b.
    near(&found[0]["oriented"], -SCIPY[0]);
    assert!(found[3]["oriented"].is_null());
    assert_eq!(
        [&found[0]["p_by"], &found[3]["p_by"]],
        ["permutations", "exact"]
    );
    for threads in ["1", "3"] {
        let again = json(
            folder.path(),
            &[&args[..], &["--threads", threads]].concat(),
        );
        assert_eq!(again, found);
    }
    let one = [
        "--table", "t.csv", "--x", "a", "--y", "b", "--method", "kendall",
    ];
    assert_eq!(json(folder.path(), &one)[0]["value"], found[5]["value"]);
}

const SCIPY: [f64; 6] = [
    -0.914_844_262_307_884_4,
    -0.890_909_090_909_090_9,
    -0.777_777_777_777_777_7,
    0.402_265_690_296_251_3,
    0.481_051_199_364_741_56,
    0.319_142_369_252_112_7,
];

#[test]
fn what_is_constant_is_empty_with_a_reason() {
    let folder = folder(TABLE);
    for one in json(
        folder.path(),
        &["--table", "t.csv", "--x", "a", "--y", "flat"],
    ) {
        for key in ["value", "p", "low", "high", "p_holm"] {
            assert!(one[key].is_null(), "{one}");
        }
        assert!(one["reason"].as_str().unwrap().contains("equal"), "{one}");
    }
}

#[test]
fn covariates_come_beside_the_plain_correlations() {
    let folder = folder(TABLE);
    let args = [
        "--table",
        "t.csv",
        "--x",
        "a",
        "--y",
        "fid",
        "--covariate",
        "b",
    ];
    let found = json(folder.path(), &args);
    assert_eq!(found.len(), 6);
    assert_eq!(found[0]["covariates"], serde_json::json!([]));
    assert_eq!(found[3]["covariates"], serde_json::json!(["b"]));
    assert_eq!([&found[0]["n"], &found[3]["n"]], [10, 9]);
    assert_eq!(found[3]["p_by"], "t");
    assert_ne!(found[0]["value"], found[3]["value"]);
}

#[test]
fn few_rows_have_a_number_and_no_claim() {
    let folder = folder("x,y\n1,2\n2,1\n");
    let args = ["--table", "t.csv", "--x", "x", "--y", "y"];
    for one in json(folder.path(), &args) {
        near(&one["value"], -1.0);
        near(&one["p"], 1.0);
        assert!(one["low"].is_null());
        assert!(
            one["note"]
                .as_str()
                .unwrap()
                .contains("no claim is possible"),
            "{one}"
        );
    }
    let (code, text) = run(folder.path(), &[&["correlate"], &args[..]].concat());
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("n = 2: no claim is possible"), "{text}");
}

#[test]
fn what_cannot_be_used_is_refused() {
    let table = folder(&TABLE.replace("0.4,1,7", "0.4,1,NaN"));
    let refused = |args: &[&str], words: &[&str]| {
        let (code, text) = run(table.path(), &[&["correlate"], args].concat());
        assert_eq!(code, 2, "{text}");
        for word in words {
            assert!(text.contains(word), "expected `{word}` in: {text}");
        }
    };
    let nan = ["t.csv", "line 5", "`fid`", "`NaN`"];
    refused(&["--table", "t.csv", "--x", "a", "--y", "fid"], &nan);
    refused(
        &["--table", "t.csv", "--x", "aa", "--y", "b"],
        &["no column `aa`", "`a`"],
    );
    let base = ["--table", "t.csv", "--x", "a", "--y", "b"];
    let with = |more: &[&'static str]| [&base[..], more].concat();
    refused(&with(&["--method", "kendal"]), &["did you mean `kendall`"]);
    refused(&with(&["--level", "95"]), &["--level", "between 0 and 1"]);
    refused(&with(&["--resamples", "0"]), &["--resamples"]);
    refused(&["--x", "a"], &["--table"]);
    let (code, text) = run(
        table.path(),
        &["correlate", "--table", "no.csv", "--x", "a", "--y", "b"],
    );
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no.csv"), "{text}");
}

/// What other programs write, each with a number that stands for the table.
#[test]
fn tables_of_spreadsheets_are_read_when_the_flags_say_how() {
    let base = ["--table", "t.csv", "--x", "a", "--y", "fid", "b"];
    let plain = json(folder(TABLE).path(), &base);
    let european = |separator: &str| TABLE.replace(',', separator).replace('.', ",");
    let gaps = TABLE.replace(",,", ",NA,");
    for (table, flags) in [
        (TABLE.to_owned(), &[][..]),
        (format!("\u{feff}{}", TABLE.replace('\n', "\r\n")), &[]),
        (format!("\n{TABLE}\n,,,,\n"), &[]),
        (gaps, &["--gaps"]),
        (
            european(";"),
            &["--separator", "semicolon", "--decimal-comma"],
        ),
        (european("\t"), &["--separator", "tab", "--decimal-comma"]),
        (TABLE.replace(',', "\t"), &["--separator", "\t"]),
    ] {
        let found = json(folder(&table).path(), &[&base[..], flags].concat());
        assert_eq!(found, plain, "{table}");
    }
    let folder = folder(&european(";").replace(";;", ";n/a;"));
    let config = "schema_version = 1\n[table]\nfile = \"t.csv\"\nx = [\"a\"]\ny = [\"fid\", \"b\"]\n\
        separator = \"semicolon\"\ndecimal_comma = true\ngaps = true\n";
    i2am_files::write_atomic(folder.path().join("t.toml"), config).unwrap();
    assert_eq!(json(folder.path(), &["--config", "t.toml"]), plain);
    let (code, text) = run(
        folder.path(),
        &[
            "correlate",
            "--config",
            "t.toml",
            "--set",
            "table.separator=pipe",
        ],
    );
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("expected `comma`, `semicolon` or `tab`, found `pipe`"),
        "{text}"
    );
}

#[test]
fn tables_that_cannot_be_read_say_what_to_do() {
    let base = ["--table", "t.csv", "--x", "a", "--y", "b"];
    for (table, flags, words) in [
        (
            "a;b\n1;2\n",
            &[][..],
            &["line 1", "found semicolons: `a;b`", "--separator"][..],
        ),
        (
            "a\tb\n1\t2\n",
            &[],
            &["line 1", "found tabs", "--separator"],
        ),
        (
            "a,b,a\n1,2,3\n",
            &[],
            &["line 1", "`a` for columns 1 and 3"],
        ),
        (
            "a,b\n1,2\n\n3\n",
            &[],
            &["line 4", "expected 2 cells as in the header, found 1"],
        ),
        (
            "a,b\n",
            &[],
            &["expected rows below the names of the columns, found none"],
        ),
        ("", &[], &["found an empty file"]),
        (
            "a,b\n1,2\n3,NA\n",
            &[],
            &["line 3: column `b`", "found `NA`; --gaps"],
        ),
        (
            "a,b\n1,2\n3,-\n",
            &[],
            &["line 3: column `b`", "--gaps", "`gaps = true`"],
        ),
        (
            "a;b\n0,5;1\n",
            &["--separator", ";"],
            &[
                "line 2: column `a`",
                "found `0,5`, with a comma",
                "--decimal-comma",
            ],
        ),
        (
            "a,b\n1,inf\n",
            &["--gaps"],
            &["line 2: column `b`", "found `inf`"],
        ),
        (
            "a,b\n1,\"2\n3,4\n",
            &[],
            &["line 2", "closing quotation mark"],
        ),
        (
            "a,b\n\"1\n\",\"2\"\n3,x\n",
            &[],
            &["line 4: column `b`", "found `x`"],
        ),
    ] {
        let folder = folder(table);
        let (code, text) = run(folder.path(), &[&["correlate"], &base[..], flags].concat());
        assert_eq!(code, 2, "{table:?}: {text}");
        assert_eq!(text.trim_end().lines().count(), 1, "{text}");
        for word in ["t.csv"].iter().chain(words) {
            assert!(text.contains(word), "expected `{word}` in: {text}");
        }
    }
    let utf_16: Vec<u8> = "a,b\n1,2\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let folder = folder("");
    i2am_files::write_atomic(folder.path().join("t.csv"), utf_16).unwrap();
    let (code, text) = run(folder.path(), &[&["correlate"], &base[..]].concat());
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("found UTF-16 without a byte order mark"),
        "{text}"
    );
}

#[test]
fn the_published_table_is_an_input_like_any_other() {
    let found = json(&root(), &["--config", "configs/paper-table.toml"]);
    let of = |x: &str, y: &str, method: &str| {
        let same = |one: &&Value| one["x"] == x && one["y"] == y && one["method"] == method;
        found.iter().find(same).unwrap()
    };
    let fid = of("imacs_g", "fid", "spearman");
    near(&fid["value"], -1.0);
    near(&fid["oriented"], 1.0);
    near(&fid["p"], 2.0 / 24.0);
    assert_eq!(fid["n"], 4);
    assert_eq!(of("imacs_r", "fid", "spearman")["n"], 3);
    let (code, text) = run(&root(), &["--config", "configs/paper-table.toml"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("this table can support no claim"), "{text}");
    let (code, text) = run(&root(), &["check", "--config", "configs/paper-table.toml"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("would correlate imacs_g, imacs_r with fid"),
        "{text}"
    );
    let (code, text) = run(
        &root(),
        &["--config", "configs/paper-table.toml", "--set", "table.z=1"],
    );
    assert_eq!(code, 2, "{text}");
}

#[cfg(feature = "torch")]
mod stage {
    use i2am_results::{CorrelationRow, Direction, Level, Status, Unit, read_correlations};

    use super::*;
    use crate::common::write_config;

    const SET: [&str; 6] = [
        "--set",
        "metric.psnr.variant=rgb",
        "--set",
        "metric.ssim.variant=gaussian",
        "--set",
        "statistics.permutations=500",
    ];

    fn rows(folder: &Path) -> Vec<CorrelationRow> {
        read_correlations(&folder.join("out/correlations.csv")).unwrap()
    }

    #[test]
    fn a_run_ends_with_its_correlations() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let dataset =
            "kind = \"synth\"\nseed = 9\ncount = 7\nheight = 128\nwidth = 96\nroot = \"set\"";
        write_config(folder, dataset);
        let bench = |more: &[&str]| {
            let (code, text) = run(
                folder,
                &[&["--config", "run.toml"], &SET[..], more].concat(),
            );
            assert_eq!(code, 0, "{text}");
        };
        bench(&[]);
        let first = rows(folder);
        let of = |unit: Unit, score: &str, covariate: &str| -> Vec<&CorrelationRow> {
            let same = |row: &&CorrelationRow| {
                row.unit == unit
                    && row.score == score
                    && row.covariate == covariate
                    && row.rival.is_empty()
            };
            first.iter().filter(same).collect()
        };
        // Two metrics by three methods, plain and with the covariate.
        for covariate in ["", "mask_area"] {
            let found = of(Unit::Sample, "imacs_g", covariate);
            assert_eq!(found.len(), 6);
            for row in found {
                assert_eq!((row.model.as_str(), row.n), ("pbe", 7));
                assert_eq!(
                    (row.direction, &row.level),
                    (Some(Direction::ReferenceToGenerated), &Some(Level::Unified))
                );
                assert_eq!(row.outcome.status(), Status::Ok, "{row:?}");
                // Higher is better of both metrics.
                assert_eq!(row.oriented, row.outcome.value());
                assert!(row.p_holm >= row.p && row.p.is_some());
                assert!(row.note.is_one_token());
            }
        }
        let ends = of(Unit::Sample, "imacs_g", "")
            .into_iter()
            .filter(|row| row.interval.is_some());
        assert!(ends.count() > 0);
        // One token has no map of the reference, and one model no spread.
        for row in of(Unit::Sample, "imacs_r", "")
            .into_iter()
            .chain(of(Unit::Model, "imacs_g", ""))
        {
            assert_eq!(row.outcome.status(), Status::Empty, "{row:?}");
            assert!(row.outcome.reason().contains("needed"), "{row:?}");
            assert!(row.p.is_none() && row.interval.is_none() && row.oriented.is_none());
        }
        assert_eq!(of(Unit::Pooled, "imacs_g", "").len(), 6);
        assert!(
            first
                .iter()
                .any(|row| row.rival == "imacs_r" && row.method == "steiger:pearson")
        );

        bench(&["--stages", "correlate"]);
        assert_eq!(rows(folder), first);
        bench(&[
            "--stages",
            "correlate",
            "--set",
            "statistics.methods=['spearman']",
        ]);
        assert!(
            rows(folder)
                .iter()
                .all(|row| row.method.ends_with("spearman"))
        );
    }

    #[test]
    fn bad_settings_are_found_before_the_run() {
        let folder = tempfile::tempdir().unwrap();
        write_config(folder.path(), crate::common::SYNTH);
        for (set, words) in [
            ("statistics.methods=['pearsn']", "did you mean `pearson`"),
            ("statistics.level=1.5", "statistics.level"),
            ("statistics.permutations=0", "statistics.permutations"),
            ("statistics.resample=5", "resamples"),
        ] {
            let (code, text) = run(folder.path(), &["--config", "run.toml", "--set", set]);
            assert_eq!(code, 2, "{text}");
            assert!(text.contains(words), "expected `{words}` in: {text}");
            assert!(!folder.path().join("out").exists(), "nothing was started");
        }
    }
}
