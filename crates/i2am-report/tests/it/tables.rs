//! Tables of a run, and of two side by side.

use i2am_report::{ReportConfig, RunInput, Table, TableConfig, write};

use crate::quantities::QUANTITIES;
use crate::support::{MODELS, make_detection_run, make_locality_run, make_run};

fn tables_of(names: &[&str], intervals: bool) -> Vec<Table> {
    let parent = tempfile::tempdir().unwrap();
    let dirs: Vec<_> = names
        .iter()
        .map(|name| make_run(parent.path(), name))
        .collect();
    let runs: Vec<_> = dirs
        .iter()
        .map(|dir| RunInput {
            dir,
            pictures: None,
        })
        .collect();
    let config = ReportConfig {
        tables: TableConfig { intervals },
        ..ReportConfig::default()
    };
    write(&runs, &parent.path().join("out"), &config, QUANTITIES)
        .unwrap()
        .tables
}

fn named<'a>(tables: &'a [Table], name: &str) -> &'a Table {
    tables.iter().find(|table| table.name == name).unwrap()
}

#[test]
fn results_of_one_run() {
    let tables = tables_of(&["demo"], false);
    insta::assert_snapshot!("results_md", named(&tables, "results").markdown());
    insta::assert_snapshot!("results_tex", named(&tables, "results").latex());
}

#[test]
fn results_with_intervals_of_two_runs() {
    let tables = tables_of(&["first", "second"], true);
    insta::assert_snapshot!("results_of_two_md", named(&tables, "results").markdown());
}

#[test]
fn correlations_over_models_within_models_and_compared() {
    let tables = tables_of(&["demo"], false);
    for name in [
        "correlations",
        "correlations_within",
        "correlations_compared",
    ] {
        insta::assert_snapshot!(name, named(&tables, name).markdown());
    }
}

#[test]
fn locality_beside_its_controls_and_level_by_level() {
    let parent = tempfile::tempdir().unwrap();
    let dir = make_locality_run(parent.path(), "demo");
    let runs = [RunInput {
        dir: &dir,
        pictures: None,
    }];
    let tables = write(&runs, &dir, &ReportConfig::default(), QUANTITIES)
        .unwrap()
        .tables;
    for name in ["locality", "locality_levels"] {
        insta::assert_snapshot!(name, named(&tables, name).markdown());
    }
    // Every level of both models, direction and radius, and a heading.
    let raw = &named(&tables, "locality_levels").raw;
    assert_eq!(raw.len(), 1 + (MODELS.len() - 1) * 4 * 2 * 3);
    let results = named(&tables, "results").markdown();
    assert!(!results.contains("locality"), "{results}");
    let plain = tables_of(&["demo"], false);
    assert!(
        plain
            .iter()
            .all(|table| !table.name.starts_with("locality"))
    );
}

#[test]
fn detections_by_procedure_with_baselines() {
    let parent = tempfile::tempdir().unwrap();
    let dir = make_detection_run(parent.path(), "demo");
    let runs = [RunInput {
        dir: &dir,
        pictures: None,
    }];
    let tables = write(&runs, &dir, &ReportConfig::default(), QUANTITIES)
        .unwrap()
        .tables;
    insta::assert_snapshot!("detection", named(&tables, "detection").markdown());
    // Boxes have a table of their own.
    let results = named(&tables, "results").markdown();
    assert!(
        !results.contains("IoU") && !results.contains("box_found"),
        "{results}"
    );
}

#[test]
fn files_hold_raw_values() {
    let parent = tempfile::tempdir().unwrap();
    let dir = make_run(parent.path(), "demo");
    let runs = [RunInput {
        dir: &dir,
        pictures: None,
    }];
    write(&runs, &dir, &ReportConfig::default(), QUANTITIES).unwrap();
    let text = std::fs::read_to_string(dir.join("tables/results.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|found| found == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), MODELS.len());
    // Models stand best first. Not times 1000, and not rounded.
    let last = rows.last().unwrap();
    assert_eq!(&last[column("kid_clean")], "0.0977");
    assert_eq!(&last[column("imacs_r_spatial")], "");
    assert_eq!(&last[column("imacs_g_spatial_note")], "one-token");
    assert_eq!(&last[column("psnr_rgb_n")], "3");
    // A deviation over subsets gives no interval over samples.
    assert_eq!(&last[column("kid_clean_low")], "");
    assert_ne!(&last[column("lpips_alex_low")], "");
    for name in [
        "results",
        "correlations",
        "correlations_within",
        "correlations_compared",
    ] {
        for ending in ["md", "tex", "csv"] {
            assert!(
                dir.join(format!("tables/{name}.{ending}")).is_file(),
                "{name}.{ending}"
            );
        }
    }
}

/// A map that cannot influence the image is marked in plots as in tables.
#[test]
fn plots_mark_one_token_maps_with_a_footnote() {
    let parent = tempfile::tempdir().unwrap();
    let dir = make_run(parent.path(), "demo");
    let runs = [RunInput {
        dir: &dir,
        pictures: None,
    }];
    write(&runs, &dir, &ReportConfig::default(), QUANTITIES).unwrap();
    let plot = |name: &str| std::fs::read_to_string(dir.join(format!("plots/{name}.svg"))).unwrap();
    for name in [
        "levels_imacs_g_r2g",
        "distribution_imacs_g_spatial",
        "scatter_models_imacs_g_spatial_fid_clean",
    ] {
        let svg = plot(name);
        assert!(svg.contains("one-token*"), "{name}");
        assert!(
            svg.contains("* The reference is one pooled token"),
            "{name}"
        );
    }
    let unmarked = plot("distribution_psnr_rgb");
    assert!(!unmarked.contains("one-token*") && !unmarked.contains("pooled token"));
}
