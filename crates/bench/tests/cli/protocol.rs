//! Protocols: one setting that fills in others.

use i2am_testkit::skipped;
use serde_json::Value;

use crate::common::{root, run, write_config};

/// Pictures larger than what is generated, so that the ground truth has to be resized.
const LARGER: &str =
    "kind = \"synth\"\nseed = 9\ncount = 3\nheight = 160\nwidth = 120\nroot = \"set\"";
/// Their weights are not part of the source.
const WITHOUT_WEIGHTS: [&str; 4] = ["--set", "metric.lpips=false", "--set", "metric.kid=false"];

#[test]
fn a_run_under_a_protocol_measures_as_it_says_and_the_manifest_names_it() {
    // Below the checkout, where weights are found.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = folder.path();
    write_config(folder, LARGER);
    let has_inception = root()
        .join(".weights/fid-inception-2015-12-05.pt")
        .is_file();
    let fid = if has_inception {
        "metric.fid.tap=64"
    } else {
        skipped("no weights of Inception, so without FID: scripts/setup fetches them");
        "metric.fid=false"
    };
    let fixed = ["--config", "run.toml", "--set", "protocol=catvton"];
    let args = [&fixed[..], &WITHOUT_WEIGHTS, &["--set", fid]].concat();
    let (code, text) = run(folder, &[&["check"], &args[..]].concat());
    assert_eq!(code, 0, "{text}");
    let line = "Protocol `catvton`: CatVTON's evaluation";
    assert!(text.contains(line), "{text}");

    let (code, text) = run(folder, &args);
    assert_eq!(code, 0, "{text}");
    let manifest = std::fs::read_to_string(folder.join("out/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let protocol = &manifest["config"]["protocol"];
    assert_eq!(protocol["name"], "catvton");
    let written = protocol["line"].as_str().unwrap();
    assert!(
        written.starts_with(line)
            && written.contains("set otherwise: ")
            && written.contains("model.size"),
        "{written}"
    );
    assert_eq!(
        manifest["config"]["ground_truth"]["filter"],
        "pillow-lanczos"
    );

    let rows = std::fs::read_to_string(folder.join("out/samples.csv")).unwrap();
    let ssim: Vec<&str> = rows.lines().filter(|row| row.contains(",ssim,")).collect();
    assert_eq!(ssim.len(), 3, "{rows}");
    for row in ssim {
        assert!(
            row.contains("ground truth resized from 160x120 (Pillow Lanczos)"),
            "{row}"
        );
    }
    if has_inception {
        let rows = std::fs::read_to_string(folder.join("out/aggregate.csv")).unwrap();
        let fid = rows.lines().find(|row| row.contains(",fid,")).unwrap();
        let note = "real pictures at the height of the generated ones, 128 (Pillow Lanczos)";
        assert!(fid.contains(note) && fid.contains("clean"), "{fid}");
    }

    // The filter is a setting of its own: another one has other values, and only metrics are computed again.
    let other = [&args[..], &["--set", "ground_truth.filter=pillow-bicubic"]].concat();
    let (code, text) = run(folder, &other);
    assert_eq!(code, 0, "{text}");
    let again = std::fs::read_to_string(folder.join("out/samples.csv")).unwrap();
    assert!(again.contains("(Pillow bicubic)") && !again.contains("(Pillow Lanczos)"));
}

#[test]
fn list_shows_what_a_protocol_sets() {
    let (code, text) = run(&root(), &["list"]);
    assert_eq!(code, 0, "{text}");
    let section = text.split("protocol catvton: ").nth(1).unwrap();
    for line in [
        "metric.lpips.net     \"squeeze\"",
        "ground_truth.filter  \"pillow-lanczos\"",
        "model.repaint        true (families catvton)",
    ] {
        assert!(section.contains(line), "{section}");
    }
}
