//! Tables and figures for a paper, compiled where LaTeX is installed.

use std::path::Path;
use std::process::Command;

use i2am_report::{ReportConfig, RunInput, write_paper};
use i2am_testkit::skipped;

use crate::quantities::QUANTITIES;
use crate::support::{Dataset, MODELS, make_detection_run};

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_paper_has_its_tables_and_figures_and_compiles() {
    let parent = tempfile::tempdir().unwrap();
    let dir = make_detection_run(parent.path(), "demo");
    let out = dir.join("paper");
    let runs = [RunInput {
        dir: &dir,
        pictures: Some(&Dataset),
    }];
    let write = || write_paper(&runs, &out, &ReportConfig::default(), QUANTITIES).unwrap();
    let paper = write();
    assert_eq!(paper.left_out, [""; 0]);
    let tables = [
        "correlations.tex",
        "correlations_compared.tex",
        "detection.tex",
        "results.tex",
    ];
    assert_eq!(files(&out.join("tables")), tables);
    let figure = std::fs::read_to_string(out.join("figures/attribution.tex")).unwrap();
    for words in [
        "time, reference to generated",
        "heads, generated to reference",
        "layers, reference to generated",
        "color-bar",
    ] {
        assert!(figure.contains(words), "{words}: {figure}");
    }
    let models = std::fs::read_to_string(out.join("figures/models.tex")).unwrap();
    let place = |model: &str| models.find(model).unwrap();
    assert!(place(MODELS[2]) < place(MODELS[1]) && place(MODELS[1]) < place(MODELS[0]));
    assert!(models.contains("one pooled token"), "{models}");
    // What an earlier call wrote is replaced.
    i2am_files::write_atomic(out.join("tables/old.tex"), "old").unwrap();
    assert_eq!(write(), paper);
    assert!(!out.join("tables/old.tex").exists());

    let has = |command: &str, argument: &str| {
        let found = Command::new(command).arg(argument).output();
        found.is_ok_and(|done| done.status.success())
    };
    let packages = ["tikz.sty", "booktabs.sty", "graphicx.sty", "geometry.sty"];
    if !has("pdflatex", "--version") || !packages.iter().all(|name| has("kpsewhich", name)) {
        skipped("no pdflatex with tikz, booktabs, graphicx and geometry");
        return;
    }
    let done = Command::new("pdflatex")
        .args(["-interaction=nonstopmode", "-halt-on-error", "main.tex"])
        .current_dir(&out)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{log}");
    let pages = paper.tables + paper.figures;
    let written = format!("Output written on main.pdf ({pages} pages");
    assert!(log.contains(&written), "{written}: {log}");
}

#[test]
fn another_document_is_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = make_detection_run(parent.path(), "demo");
    let out = parent.path().join("thesis");
    i2am_files::write_atomic(out.join("main.tex"), "mine").unwrap();
    let runs = [RunInput {
        dir: &dir,
        pictures: None,
    }];
    let error = write_paper(&runs, &out, &ReportConfig::default(), QUANTITIES).unwrap_err();
    assert!(error.to_string().contains("main.tex"), "{error}");
    let kept = std::fs::read_to_string(out.join("main.tex")).unwrap();
    assert_eq!(kept, "mine");
}

#[test]
fn without_the_data_set_the_attribution_figure_is_left_out_and_said_so() {
    let parent = tempfile::tempdir().unwrap();
    let dir = make_detection_run(parent.path(), "demo");
    let out = dir.join("paper");
    let runs = [RunInput {
        dir: &dir,
        pictures: None,
    }];
    let paper = write_paper(&runs, &out, &ReportConfig::default(), QUANTITIES).unwrap();
    let reason = "demo: no attribution figure: the data set was not found";
    assert_eq!(paper.left_out, [reason]);
    assert!(!out.join("figures/attribution.tex").exists());
}
