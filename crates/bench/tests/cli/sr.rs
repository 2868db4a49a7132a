//! Super-resolution: a run without a mask, and its scores. The committed model knows nothing of it, but generates pictures of the size asked for.

use std::path::Path;

use crate::common::{run, write_config};

const DRAWN: &str = "kind = \"sr\"\nsynth = { seed = 4, count = 3, height = 128, width = 96 }";
/// A psnr and an ssim of each kind.
const METRICS: &str = r#"
[[metric.psnr]]
variant = "rgb"

[[metric.psnr]]
variant = "y"
crop_border = 4

[metric.ssim]
variant = "y"
crop_border = 4
"#;

/// `run.toml` on the set, with metrics.
fn prepare(folder: &Path, dataset: &str) {
    write_config(folder, dataset);
    let config = folder.join("run.toml");
    let text = std::fs::read_to_string(&config).unwrap() + METRICS;
    i2am_files::write_atomic(config, text).unwrap();
}

fn ran(folder: &Path, args: &[&str], code: i32) -> String {
    let (found, text) = run(folder, args);
    assert_eq!(found, code, "{text}");
    text
}

/// The rows of `samples.csv` that hold `wanted`.
fn rows(folder: &Path, wanted: &str) -> Vec<String> {
    let ledger = std::fs::read_to_string(folder.join("out/samples.csv")).unwrap();
    let found = ledger.lines().filter(|row| row.contains(wanted));
    found.map(str::to_owned).collect()
}

#[test]
fn pictures_are_measured_and_maps_have_no_mask_to_be_scored_against() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder, DRAWN);
    let sentence = "super-resolution by 4 from low-resolution pictures made by `bicubic`: everything is generated, so there is no mask and IMACS has no value";
    assert!(ran(folder, &["check", "--config", "run.toml"], 0).contains(sentence));
    let text = ran(folder, &["--config", "run.toml"], 0);
    assert!(text.contains(sentence), "{text}");
    assert!(!text.contains("NaN") && !text.contains("WARN"), "{text}");

    for metric in ["imacs_g", "imacs_r"] {
        let found = rows(folder, &format!(",{metric},"));
        assert_eq!(found.len(), 3, "{found:?}");
        let reason = ",unified,";
        for row in found {
            assert!(row.contains(reason), "{row}");
            assert!(
                row.contains(",,empty,\"everything is generated, there is no mask\","),
                "{row}"
            );
        }
    }
    assert!(rows(folder, "mask_area").is_empty());
    for variant in [",psnr,1,", ",ssim,1,"] {
        assert!(rows(folder, variant).iter().all(|row| row.contains(",ok,")));
    }
    assert_eq!(rows(folder, ",psnr,").len(), 6);
    assert_eq!(rows(folder, "\"y, crop 4\"").len(), 6);
    for file in ["aggregate.csv", "correlations.csv", "report.html"] {
        let text = std::fs::read_to_string(folder.join("out").join(file)).unwrap();
        let numbers = text
            .split(',')
            .any(|cell| ["NaN", "nan", "inf"].contains(&cell.trim()));
        assert!(!numbers, "{file}");
    }
    assert!(folder.join("out/grids/pbe/00000.png").is_file());
    assert!(folder.join("out/maps/pbe/00000/r2g.unified.png").is_file());
    assert!(!folder.join("out/debug/pbe.csv").exists());
    // Another crop is another variant; pictures are kept.
    let picture = || {
        std::fs::metadata(folder.join("out/images/pbe/00000.png"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = picture();
    ran(
        folder,
        &["--config", "run.toml", "--set", "metric.ssim.crop_border=2"],
        0,
    );
    assert_eq!(picture(), before);
    assert_eq!(rows(folder, "\"y, crop 2\"").len(), 3);
}

#[test]
fn a_picture_of_another_size_is_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let dataset = "kind = \"sr\"\nsynth = { seed = 4, count = 1, height = 64, width = 48 }\n[dataset.degradation]\nkind = \"second-order\"";
    prepare(folder, dataset);
    let text = ran(folder, &["--config", "run.toml"], 4);
    assert!(
        text.contains("model pbe, psnr: 1 of 1 samples have no value: "),
        "{text}"
    );
    for metric in [",psnr,", ",ssim,"] {
        for row in rows(folder, metric) {
            assert!(
                row.contains("expected a picture of 64x48 as the ground truth (4 times the low-resolution one), found 128x96"),
                "{row}"
            );
            assert!(row.contains(",,empty,"), "{row}");
        }
    }
}

#[test]
fn what_is_wrong_is_told_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder, "kind = \"sr\"\nhigh = \"high\"");
    let check = |more: &[&str], code: i32, words: &[&str]| {
        let text = ran(
            folder,
            &[&["check", "--config", "run.toml"], more].concat(),
            code,
        );
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    };
    check(&[], 1, &["cannot list folder", "high"]);
    let picture = image::RgbImage::from_pixel(20, 44, image::Rgb([90, 20, 30]));
    i2am_imaging::write_png_rgb(folder.join("high/a.png"), &picture).unwrap();
    check(&[], 0, &["would run", "1 samples of sr"]);
    check(
        &["--set", "dataset.crop=none"],
        1,
        &["a.png", "multiples of 8", "44 x 20"],
    );
    check(&["--set", "dataset.scael=2"], 2, &["scael", "scale"]);
    check(
        &["--set", "metric.psnr=[{}, {}]"],
        2,
        &["[[metric.psnr]]", "`rgb` is there twice"],
    );
    check(&["--set", "task=detection"], 2, &["knows no boxes"]);
}

/// The small PASD enlarges by 4.
#[test]
fn a_model_of_another_factor_is_refused_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let config = crate::common::root().join("configs/demo-sr.toml");
    let config = config.display().to_string();
    let text = ran(
        folder.path(),
        &["check", "--config", &config, "--set", "dataset.scale=2"],
        2,
    );
    let expected = "model `pasd`: upscale: expected 2, as dataset.scale, found 4";
    assert!(text.contains(expected), "{text}");
}
