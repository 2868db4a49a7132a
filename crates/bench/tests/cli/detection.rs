//! Detection from annotations to overlaps, on drawn pictures.
#![expect(clippy::float_cmp, reason = "0 and 1 are exact")]

use std::path::Path;

use i2am_imaging::{RgbImage, write_png_rgb};
use image::Rgb;

use crate::common::{SYNTH, run, write_config};

const DATASET: &str =
    "kind = \"coco-detection\"\nannotations = \"instances_drawn.json\"\nimages = \"drawn\"";
const RUN: [&str; 4] = ["--config", "run.toml", "--set", "task=detection"];
const SAMPLES: usize = 3;

/// Left, top, width and height of the object in picture `id`, which is 96 wide and 128 high: 15 to 21 % of it.
fn object(id: usize) -> [usize; 4] {
    [10 + 12 * id, 20 + 15 * id, 40, 48 + 6 * id]
}

/// A plain background, the object in a strong color.
fn drawn(id: usize) -> RgbImage {
    let [left, top, width, height] = object(id);
    RgbImage::from_fn(96, 128, |x, y| {
        let (x, y) = (x as usize, y as usize);
        let inside = (left..left + width).contains(&x) && (top..top + height).contains(&y);
        let stripe = if (x + y) % 16 < 8 { 40 } else { 0 };
        Rgb(if inside {
            [220 - stripe, 30, 40]
        } else {
            [120, 130, 140]
        })
    })
}

/// Pictures, annotations and `run.toml` in `folder`.
fn prepare(folder: &Path) {
    let mut images = Vec::new();
    let mut annotations = Vec::new();
    for id in 0..SAMPLES {
        let file = format!("{id:03}.png");
        write_png_rgb(folder.join("drawn").join(&file), &drawn(id)).unwrap();
        images.push(serde_json::json!({ "id": id, "file_name": file, "width": 96, "height": 128 }));
        annotations.push(serde_json::json!({ "id": id, "image_id": id, "bbox": object(id) }));
    }
    let file = serde_json::json!({ "images": images, "annotations": annotations });
    let path = folder.join("instances_drawn.json");
    i2am_files::write_atomic(path, file.to_string().as_bytes()).unwrap();
    write_config(folder, DATASET);
}

fn done(folder: &Path, more: &[&str]) -> String {
    let (code, text) = run(folder, &[&RUN, more].concat());
    assert_eq!(code, 0, "{text}");
    text
}

/// The cells of one row of `samples.csv`, none of which holds a comma here.
struct Row(Vec<String>);

impl Row {
    fn value(&self) -> f64 {
        self.0[10].parse().unwrap()
    }
}

/// The rows of `metric` under `convention`, in the order of the samples.
fn rows(folder: &Path, metric: &str, convention: &str) -> Vec<Row> {
    let text = std::fs::read_to_string(folder.join("out/samples.csv")).unwrap();
    let cells = text
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    cells
        .filter(|cells| cells[8] == metric && cells[13] == convention)
        .map(Row)
        .collect()
}

#[test]
fn boxes_of_every_procedure_and_baseline_are_compared_with_the_true_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder);
    let text = done(folder, &[]);
    for shown in ["best-fit", "baseline:random", "IoU ↑", "found", "IMACS_g"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    for name in ["best-fit", "older", "rect"] {
        let ious = rows(folder, "iou", name);
        let found = rows(folder, "box_found", name);
        assert_eq!((ious.len(), found.len()), (SAMPLES, SAMPLES), "{name}");
        for (iou, found) in ious.iter().zip(&found) {
            assert_eq!((iou.0[6].as_str(), iou.0[7].as_str()), ("r2g", "unified"));
            assert!((0.0..=1.0).contains(&iou.value()), "{name}: {:?}", iou.0);
            assert!([0.0, 1.0].contains(&found.value()));
            assert!(found.value() == 1.0 || iou.value() == 0.0);
        }
    }
    assert!(
        rows(folder, "box_found", "best-fit")
            .iter()
            .all(|row| row.value() == 1.0)
    );
    // A picture of the model's own size: its frame is the annotations'.
    let wholes = rows(folder, "iou", "baseline:whole");
    assert_eq!(wholes.len(), SAMPLES);
    for (id, row) in wholes.iter().enumerate() {
        let [_, _, width, height] = object(id);
        let share = (width * height) as f64 / (96.0 * 128.0);
        assert!((row.value() - share).abs() < 1e-12, "{:?}", row.0);
        assert_eq!((row.0[6].as_str(), row.0[7].as_str()), ("", ""));
    }
    let truths = rows(folder, "iou", "baseline:ground-truth");
    assert!(truths.iter().all(|row| row.value() == 1.0));
    assert_eq!(rows(folder, "iou", "baseline:random").len(), SAMPLES);
    let boxes = folder.join("out/maps/pbe/000000000001");
    for file in [
        "r2g.unified.box-best-fit.png",
        "box-random.png",
        "r2g.unified.png",
    ] {
        assert!(boxes.join(file).is_file(), "{file}");
    }
    assert!(folder.join("out/grids/pbe/000000000001.png").is_file());
    let aggregate = std::fs::read_to_string(folder.join("out/aggregate.csv")).unwrap();
    assert!(
        aggregate.contains(",r2g,unified,iou,1,best-fit,"),
        "{aggregate}"
    );
}

#[test]
fn what_has_no_box_counts_as_0_unless_the_authors_way_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder);
    // No region of a picture of 96 x 128 is that large.
    let none = ["--set", "detection.older.least_pixels=100000"];
    done(folder, &none);
    let images = || std::fs::read(folder.join("out/images/pbe/000000000000.png")).unwrap();
    let before = images();
    for row in rows(folder, "iou", "older") {
        assert_eq!((row.value(), row.0[11].as_str()), (0.0, "ok"));
    }
    for row in rows(folder, "box_found", "older") {
        assert_eq!(row.value(), 0.0);
        assert!(row.0[14].contains("no box"), "{:?}", row.0);
    }
    let skip = ["--set", "detection.aggregation=skip-missing"];
    done(folder, &[none, skip].concat());
    assert_eq!(before, images(), "pictures are kept");
    let skipped = rows(folder, "iou", "older");
    assert_eq!(skipped.len(), SAMPLES);
    for row in skipped {
        assert_eq!((row.0[10].as_str(), row.0[11].as_str()), ("", "empty"));
        assert!(row.0[12].contains("no box"), "{:?}", row.0);
    }
    let manifest = std::fs::read_to_string(folder.join("out/manifest.json")).unwrap();
    assert!(
        manifest.contains("\"aggregation\": \"skip-missing\""),
        "{manifest}"
    );
}

#[test]
fn chosen_levels_and_procedures_only() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder);
    let chosen = [
        "--set",
        "detection.levels=[\"head:1\", \"head:99\"]",
        "--set",
        "detection.procedures=[\"best-fit\"]",
        "--set",
        "detection.baselines=[]",
        "--limit",
        "1",
    ];
    done(folder, &chosen);
    let found = rows(folder, "iou", "best-fit");
    let levels: Vec<_> = found
        .iter()
        .map(|row| (row.0[7].as_str(), row.0[11].as_str()))
        .collect();
    assert_eq!(levels, [("head:1", "ok"), ("head:99", "empty")]);
    assert!(rows(folder, "iou", "rect").is_empty());
    assert!(rows(folder, "iou", "baseline:whole").is_empty());
}

#[test]
fn what_cannot_be_detected_is_refused_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder);
    let refused = |args: &[&str], code: i32, words: &[&str]| {
        let (found, text) = run(folder, &[&["check", "--config", "run.toml"], args].concat());
        assert_eq!(found, code, "{text}");
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    };
    refused(
        &["--set", "task=detection"],
        0,
        &["3 of 3 images with an object"],
    );
    refused(
        &["--set", "detection.aggregation=skip-missing"],
        2,
        &["task = \"detection\""],
    );
    let task = ["--set", "task=detection", "--set"];
    let with = |set| [&task[..], &[set]].concat();
    refused(
        &with("detection.procedures=[\"rects\"]"),
        2,
        &["rects", "best-fit"],
    );
    refused(
        &with("detection.rect.square=4"),
        2,
        &["detection.rect.square", "odd"],
    );
    refused(&["--set", "task=detecting"], 2, &["detecting", "detection"]);
    std::fs::remove_file(folder.join("drawn/001.png")).unwrap();
    refused(
        &["--set", "task=detection"],
        1,
        &["part `image`", "001.png", "missing"],
    );
    write_config(folder, SYNTH);
    refused(
        &["--set", "task=detection"],
        2,
        &["`synth`", "`coco-detection`"],
    );
}
