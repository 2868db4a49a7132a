//! The stage that takes parts of the reference away.

use std::collections::BTreeSet;
use std::path::Path;

use i2am_attribution::Counterfactual;
use i2am_results::{Row, RunPaths, Stage, Status, read_rows};

use crate::common::{SYNTH, root, run, write_model_config};

fn write(folder: &Path, table: &str) {
    let checkpoint = root().join("datasets/zoo/stable-viton-002000.safetensors");
    let model = format!(
        "name = \"viton\"\nfamily = \"stable-viton\"\ncheckpoint = \"{}\"\nstart = \"noise\"\nsize = [128, 96]",
        checkpoint.display()
    );
    write_model_config(folder, SYNTH, &model);
    let path = folder.join("run.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    i2am_files::write_atomic(&path, format!("{text}\n[faithfulness]\n{table}")).unwrap();
}

fn rows(folder: &Path) -> Vec<Row> {
    let rows = read_rows(&folder.join("out/samples.csv")).unwrap();
    let rows = rows.map(Result::unwrap);
    rows.filter(|row| row.stage == Stage::Faithfulness)
        .collect()
}

/// Where one token is read, forbidding a cell would change nothing, and every map would seem to be right.
#[test]
fn one_token_has_no_cells_to_forbid() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = format!(
        "name = \"paint\"\nfamily = \"paint-by-example\"\ncheckpoint = \"{}\"\npreprocess = \"ldm\"\nsize = [128, 96]",
        root().join("datasets/zoo/paint-by-example").display()
    );
    write_model_config(folder, SYNTH, &model);
    let path = folder.join("run.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let table = "samples = 1\ntimes = [0.5]\ncells = [2, 2]\ncurve_groups = 2\nmarks = 1\noperators = [\"forbid\", \"mean-color\"]";
    i2am_files::write_atomic(&path, format!("{text}\n[faithfulness]\n{table}")).unwrap();
    let (code, text) = run(folder, &["--config", "run.toml"]);
    assert_eq!(code, 0, "{text}");
    let rows = rows(folder);
    let of = |operator: &str, metric: &str| {
        let own = rows.iter().map(|row| &row.measurement);
        let own = own.filter(|found| found.metric == metric);
        let own = own.filter(|found| found.convention.starts_with(operator));
        own.map(|found| found.outcome.clone()).collect::<Vec<_>>()
    };
    let forbidden = of("forbid", "saco");
    assert!(!forbidden.is_empty());
    for outcome in forbidden {
        let reason = format!("{outcome:?}");
        assert!(
            outcome.value().is_none() && reason.contains("nothing to forbid"),
            "{reason}"
        );
    }
    assert!(of("forbid", "curve_area").is_empty());
    let marked = of("planted mark", "mark_pointing");
    assert_eq!(marked.len(), 1);
    assert!(format!("{marked:?}").contains("no layer has attention between places"));
    assert!(
        of("mean-color", "saco")
            .iter()
            .any(|outcome| outcome.value().is_some())
    );
}

#[test]
fn maps_and_baselines_are_compared_with_what_changes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "samples = 2\ntimes = [0.5]\ncells = [2, 2]\ncurve_groups = 2\nknock_out = true\nwhere_whether = true\nmarks = 3\noperators = [\"forbid\", \"blur\", \"imputation\", \"other-reference\"]",
    );
    let (code, text) = run(folder, &["--config", "run.toml"]);
    assert_eq!(code, 0, "{text}");
    let rows = rows(folder);
    let samples: BTreeSet<&str> = rows.iter().map(|row| row.sample_id.as_str()).collect();
    assert_eq!(samples.len(), 2, "of the three samples of the run");
    for operator in ["forbid", "blur", "imputation", "other-reference"] {
        for map in [
            "masked region",
            "all positions",
            "baseline reference_mask",
            "baseline edges",
        ] {
            let of = |metric: &str| {
                let own = rows.iter().filter(|row| row.measurement.metric == metric);
                let named = own.filter(|row| {
                    let variant = &row.measurement.convention;
                    variant.starts_with(operator) && variant.ends_with(&format!(": {map}"))
                });
                named
                    .filter_map(|row| row.measurement.outcome.value())
                    .collect::<Vec<f64>>()
            };
            for metric in [
                "saco",
                "faithfulness_correlation",
                "curve_area",
                "pointing",
                "relevance_mass",
                "relevance_rank",
            ] {
                // A sample that the reference hardly changes has no answer.
                let values = of(metric);
                assert!(!values.is_empty(), "{metric} of {map} by {operator}");
                assert!(
                    values.iter().all(|value| (-1.0..=1.5).contains(value)),
                    "{values:?}"
                );
            }
        }
    }
    let empty = rows
        .iter()
        .filter(|row| row.measurement.outcome.value().is_none());
    let reasons: BTreeSet<String> = empty
        .map(|row| format!("{:?}", row.measurement.outcome))
        .collect();
    let known = [
        "hardly changes",
        "is the same everywhere",
        "less than a hundredth",
    ];
    let is_known = |reason: &String| known.iter().any(|known| reason.contains(known));
    assert!(reasons.iter().all(is_known), "{reasons:?}");
    let agreement = rows
        .iter()
        .filter(|row| row.measurement.metric == "agreement")
        .filter(|row| !row.measurement.convention.contains("baseline"));
    let agreement = agreement.count();
    assert!(
        (1..=2).contains(&agreement),
        "without other keys there is no share"
    );
    let table = std::fs::read_to_string(folder.join("out/tables/faithfulness.md")).unwrap();
    assert!(table.contains("baseline edges"), "{table}");
    marks(&rows);
    units_and_values(&rows);
    files_say_what_rows_say(folder, &rows);

    asked_once(folder, &rows);
}

/// The same again is not asked again, a file that is gone is made again, and other settings are asked.
fn asked_once(folder: &Path, rows: &[Row]) {
    let before = std::fs::read(folder.join("out/samples.csv")).unwrap();
    let file = RunPaths::new(folder.join("out")).counterfactual("viton", &rows[0].sample_id);
    let bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(run(folder, &["--config", "run.toml"]).0, 0);
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    assert_eq!(
        std::fs::read(folder.join("out/samples.csv")).unwrap(),
        before
    );
    let (code, text) = run(
        folder,
        &[
            "--config",
            "run.toml",
            "--set",
            "faithfulness.operators=[\"forbid\"]",
        ],
    );
    assert_eq!(code, 0, "{text}");
    let left = self::rows(folder);
    assert!(
        left.iter()
            .all(|row| !row.measurement.convention.starts_with("blur"))
    );
    assert!(
        left.iter()
            .all(|row| row.measurement.outcome.status() != Status::Failed)
    );
}

/// Marks were planted, and maps and baselines asked for the way in both directions.
fn marks(rows: &[Row]) {
    let own = rows.iter().map(|row| &row.measurement);
    let own: Vec<_> = own
        .filter(|found| found.convention.starts_with("planted mark, "))
        .collect();
    let of = |metric: &str, map: &str| -> Vec<f64> {
        let named = own.iter().filter(|found| {
            found.metric == metric && found.convention.ends_with(&format!(": {map}"))
        });
        named.filter_map(|found| found.outcome.value()).collect()
    };
    for map in [
        "g2r, row-softmax",
        "g2r, column-softmax",
        "g2r, row-softmax, without the mark",
        "g2r, baseline reference_mask",
        "g2r, baseline same_place",
        "r2g, row-softmax",
        "r2g, column-softmax",
        "r2g, baseline same_place",
    ] {
        for metric in ["mark_pointing", "mark_mass"] {
            let values = of(metric, map);
            assert!(!values.is_empty(), "{metric} of {map}");
            assert!(
                values.iter().all(|value| (0.0..=1.0).contains(value)),
                "{map}: {values:?}"
            );
        }
    }
    // Chance is what an even map has: the share of places, the same for both scores.
    for direction in ["g2r", "r2g"] {
        let map = format!("{direction}, baseline uniform");
        let (hit, mass) = (of("mark_pointing", &map), of("mark_mass", &map));
        assert!(!hit.is_empty() && hit.len() == mass.len());
        for (hit, mass) in hit.iter().zip(&mass) {
            assert!((hit - mass).abs() < 1e-6 && *hit < 0.2, "{hit}, {mass}");
        }
    }
    let effects = rows
        .iter()
        .filter(|row| row.measurement.metric == "mark_effect");
    let effects: Vec<f64> = effects
        .filter_map(|row| row.measurement.outcome.value())
        .collect();
    assert!(!effects.is_empty() && effects.iter().all(|effect| *effect > 0.0));
}

/// Layers, heads and the step were switched off, and values of layers exchanged.
fn units_and_values(rows: &[Row]) {
    let of = |metric: &str| -> Vec<&Row> {
        let own = rows.iter().filter(|row| row.measurement.metric == metric);
        own.collect()
    };
    let effects = of("knock_out_effect");
    for (kind, level) in [
        ("times, ", "time:"),
        ("layers, ", "layer:"),
        ("heads, ", "layer:"),
    ] {
        let own = effects
            .iter()
            .filter(|row| row.measurement.convention.starts_with(kind));
        let own: Vec<String> = own
            .map(|row| row.measurement.level.as_ref().unwrap().to_string())
            .collect();
        assert!(!own.is_empty(), "{kind}");
        assert!(own.iter().all(|name| name.starts_with(level)), "{own:?}");
    }
    for row in of("knock_out_p") {
        let p = row.measurement.outcome.value().unwrap();
        assert!(p > 0.0 && p <= 1.0, "{p}");
    }
    assert!(!of("knock_out").is_empty());
    // A layer of one pooled token has nothing to exchange.
    let layers: BTreeSet<String> = of("worth_place")
        .iter()
        .map(|row| row.measurement.level.as_ref().unwrap().to_string())
        .collect();
    assert!(layers.contains("unified"), "{layers:?}");
    assert!(
        layers
            .iter()
            .all(|layer| layer == "unified" || layer.contains("warp")),
        "{layers:?}"
    );
}

/// The files of samples hold what scores were computed from.
fn files_say_what_rows_say(folder: &Path, rows: &[Row]) {
    let mut compared = 0;
    for row in rows.iter().filter(|row| row.measurement.metric == "saco") {
        let Some(value) = row.measurement.outcome.value() else {
            continue;
        };
        let path = RunPaths::new(folder.join("out")).counterfactual("viton", &row.sample_id);
        let file = Counterfactual::from_bytes(&std::fs::read(&path).unwrap(), &path).unwrap();
        let (removed, map) = row.measurement.convention.split_once(": ").unwrap();
        let (operator, moment) = removed.split_once(", ").unwrap();
        let claims = file.claims.iter().find(|(name, _)| name == map).unwrap();
        let at = file.moments.iter().find(|at| at.moment == moment).unwrap();
        let removed = at.removed.iter().find(|one| one.operator == operator);
        let removed = removed.unwrap();
        let floats = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let again = i2am_faithfulness::saco(&floats(&claims.1), &floats(&removed.effects));
        assert!((again.unwrap() - value).abs() < 1e-9);
        let whole = removed.curves.len() / (2 * file.claims.len());
        assert_eq!(whole, 3, "none, one and both groups");
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn maps_change_with_weights_and_weights_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "samples = 2\ntimes = [0.1]\ncells = [2, 1]\noperators = [\"forbid\"]\nrandomize = true",
    );
    assert_eq!(run(folder, &["--config", "run.toml"]).0, 0);
    let is_random = |row: &Row| row.measurement.metric.starts_with("randomized");
    let (random, others): (Vec<Row>, Vec<Row>) = rows(folder).into_iter().partition(is_random);
    let of = |metric: &str, what: &str| -> Vec<f64> {
        let own = random.iter().filter(|row| row.measurement.metric == metric);
        let own = own.filter(|row| row.measurement.convention.starts_with(what));
        own.filter_map(|row| row.measurement.outcome.value())
            .collect()
    };
    // Two samples in two directions.
    for what in [
        "attention layers, ",
        "queries and keys, ",
        "whole network, ",
    ] {
        for metric in ["randomized_similarity", "randomized_ssim"] {
            let found = of(metric, what);
            assert_eq!(found.len(), 4, "{metric}: {what}");
            assert!(found.iter().all(|value| *value < 0.9), "{what}{found:?}");
        }
        assert!(of("randomized_effect", what).iter().all(|v| *v > 0.0));
    }
    // Another garment under the same person is less of a change than a network that has learned nothing.
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let similar = |what: &str| mean(of("randomized_similarity", what));
    assert!(similar("other reference, ") > similar("whole network, "));
    // Both orders end where all layers are random.
    let all = of("randomized_similarity", "attention layers, ");
    let layers: BTreeSet<&str> = random
        .iter()
        .filter_map(|row| row.measurement.convention.strip_prefix("from the output, "))
        .filter_map(|rest| rest.split_once(" of ")?.1.split(',').next())
        .collect();
    let count = layers.first().unwrap();
    for order in ["from the output", "from the input"] {
        let last = format!("{order}, {count} of {count}, ");
        assert_eq!(of("randomized_layers_similarity", &last), all);
    }
    let table = std::fs::read_to_string(folder.join("out/tables/randomized.md")).unwrap();
    assert!(table.contains("whole network, step"), "{table}");

    // The second sample was asked after weights had been random.
    let (code, text) = run(
        folder,
        &[
            "--config",
            "run.toml",
            "--set",
            "faithfulness.randomize=false",
        ],
    );
    assert_eq!(code, 0, "{text}");
    let values = |rows: &[Row]| -> Vec<_> {
        let own = rows.iter();
        own.map(|row| (row.sample_id.clone(), row.measurement.clone()))
            .collect()
    };
    assert_eq!(values(&rows(folder)), values(&others));
}

#[test]
fn whole_samplings_are_repeated_in_the_full_form() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "samples = 1\ncells = [2, 1]\noperators = [\"forbid\"]\nform = \"full\"\nknock_out = true\nbatch = 3",
    );
    let (code, text) = run(folder, &["--config", "run.toml"]);
    assert_eq!(code, 0, "{text}");
    let rows = rows(folder);
    let is_whole = |row: &Row| row.measurement.convention.contains("whole sampling");
    assert!(!rows.is_empty() && rows.iter().all(is_whole));
    let kinds: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row.measurement.metric == "knock_out_effect")
        .filter_map(|row| row.measurement.convention.split_once(", "))
        .map(|(kind, _)| kind)
        .collect();
    let answered = rows
        .iter()
        .any(|row| row.measurement.metric == "reference_effect");
    if answered {
        assert_eq!(kinds, BTreeSet::from(["layers", "times"]));
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for (table, expected) in [
        (
            "cells = [0, 4]",
            "faithfulness.cells: expected [rows, columns] of 2 to 1024 cells, found [0, 4]",
        ),
        (
            "times = []",
            "faithfulness.times: expected at least one number from 0 to 1, found []",
        ),
        ("times = [1.5]", "faithfulness.times"),
        (
            "operators = []",
            "faithfulness.operators: expected at least one, found none",
        ),
        ("operators = [\"melt\"]", "unknown variant `melt`"),
        ("form = \"long\"", "unknown variant `long`"),
        (
            "batch = 0",
            "faithfulness.batch: expected 1 to 1024, found 0",
        ),
        (
            "form = \"full\"\nrandomize = true",
            "faithfulness.randomize: expected form = \"short\", found \"full\"",
        ),
        (
            "marks = 65",
            "faithfulness.marks: expected 0 to 64, found 65",
        ),
        (
            "cells = [2, 2]\ncurve_groups = 5",
            "faithfulness.curve_groups: expected 0, or 2 to 4",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), table);
        for command in [&["check"][..], &[]] {
            let mut args = command.to_vec();
            args.extend(["--config", "run.toml"]);
            let (code, text) = run(folder.path(), &args);
            assert!(
                code != 0 && text.contains(expected),
                "{expected} in: {text}"
            );
        }
    }
}
