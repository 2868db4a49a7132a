//! The snippets of docs/python.md, run as they stand there on a run of our own.

use std::path::Path;
use std::process::Command;

use i2am_results::{RunPaths, read_aggregate};
use i2am_testkit::skipped;

use crate::common::{SYNTH, root, run, write_model_config};

/// The snippet in the section `heading` of the page.
fn snippet(heading: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs/python.md")).unwrap();
    let section = page
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap_or_else(|| panic!("no section `{heading}`"));
    let blocks: Vec<&str> = section.split("```python\n").skip(1).collect();
    assert_eq!(blocks.len(), 1, "{heading}: one snippet");
    blocks[0].split("```").next().unwrap().to_owned()
}

/// What the snippet of a section prints when it is run in `folder`.
fn printed(python: &str, folder: &Path, heading: &str) -> String {
    let code = snippet(heading);
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 11, "{heading}: {lines} lines");
    let done = Command::new(python)
        .args(["-c", &code])
        .current_dir(folder)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{heading}: {error}");
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn the_snippets_of_the_python_page_run() {
    let python = std::env::var("I2AM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python)
        .args(["-c", "import pandas, pyarrow, safetensors, numpy"])
        .output();
    if !has.is_ok_and(|done| done.status.success()) {
        skipped(format!(
            "{python} has not pandas, pyarrow, safetensors and numpy"
        ));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let checkpoint = root().join("datasets/zoo/paint-by-example");
    let model = format!(
        "name = \"paint-by-example\"\nfamily = \"paint-by-example\"\ncheckpoint = \"{}\"\npreprocess = \"ldm\"\nguidance = 2.0\n\
         size = [128, 96]",
        checkpoint.display()
    );
    write_model_config(folder, SYNTH, &model);
    let config = folder.join("run.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    i2am_files::write_atomic(&config, format!("{text}\n[metric.psnr]\n")).unwrap();
    let (code, text) = run(
        folder,
        &["--config", "run.toml", "--set", "output=results/demo"],
    );
    assert_eq!(code, 0, "{text}");
    let baseline = ["--baseline", "results/baselines/ci.json", "--update"];
    let (code, text) = run(
        folder,
        &[&["compare", "--results", "results/demo"][..], &baseline].concat(),
    );
    assert_eq!(code, 0, "{text}");

    let means = read_aggregate(&RunPaths::new(folder.join("results/demo"))).unwrap();
    let mean = |metric: &str| {
        let row = means.iter().find(|row| {
            let whole = row
                .level
                .as_ref()
                .is_none_or(|level| level.to_string() == "unified");
            row.metric == metric && whole
        });
        format!("{:.4}", row.unwrap().mean.unwrap())
    };
    for heading in ["Scores of samples", "A baseline"] {
        let text = printed(&python, folder, heading);
        for metric in ["imacs_g", "psnr"] {
            assert!(
                text.contains(metric) && text.contains(&mean(metric)),
                "{heading}: {text}"
            );
        }
    }
    let text = printed(&python, folder, "An attention record");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.lines().all(|line| line.ends_with("sum 1.000")),
        "{text}"
    );
}
