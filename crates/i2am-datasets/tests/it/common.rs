//! A small folder for each kind.

use std::fmt::Write as _;
use std::path::Path;

use i2am_datasets::{Dataset, find};
use i2am_files::write_atomic;
use i2am_imaging::{GrayImage, RgbImage, write_png_gray, write_png_rgb};
use image::{Luma, Rgb};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for files of a test")
}

/// The data set of `kind` with `settings`, of which `places` are below `folder`.
pub(crate) fn open(
    folder: &Path,
    kind: &str,
    mut settings: Value,
    places: &[(&str, &str)],
) -> Box<dyn Dataset> {
    for (key, name) in places {
        settings[key] = json!(folder.join(name));
    }
    let config = find(kind).unwrap().restore(settings).unwrap();
    config.open(&folder.join("generated"), &|_| ()).unwrap()
}

pub(crate) fn write_picture(path: &Path, [height, width]: [u32; 2], shade: u8) {
    let picture = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, shade]));
    write_png_rgb(path, &picture).unwrap();
}

pub(crate) fn write_mask(path: &Path, [height, width]: [u32; 2], level: u8) {
    write_png_gray(path, &GrayImage::from_pixel(width, height, Luma([level]))).unwrap();
}

/// Three samples in VITON-HD's layout.
pub(crate) fn synth(folder: &Path, mut settings: Value) -> Box<dyn Dataset> {
    for (key, value) in [("seed", 7), ("count", 3), ("height", 64), ("width", 48)] {
        settings[key] = json!(value);
    }
    open(folder, "synth", settings, &[("root", "set")])
}

/// The names `ids`, each a sample with a ground truth.
pub(crate) fn manifest(folder: &Path, ids: &[&str]) -> Box<dyn Dataset> {
    let mut list = "id,image,mask,reference,ground_truth\n".to_owned();
    for (index, id) in ids.iter().enumerate() {
        writeln!(list, "{id},{id}.png,{id}-mask.png,ref.png,{id}-true.png").unwrap();
        write_picture(&folder.join(format!("{id}.png")), [8, 8], index as u8);
        write_picture(
            &folder.join(format!("{id}-true.png")),
            [8, 8],
            100 + index as u8,
        );
        write_mask(&folder.join(format!("{id}-mask.png")), [8, 8], 255);
    }
    write_picture(&folder.join("ref.png"), [4, 4], 50);
    write_atomic(folder.join("list.csv"), list).unwrap();
    open(folder, "manifest", json!({}), &[("file", "list.csv")])
}

/// Images of 20 x 10 by id, each with one object at the given place.
pub(crate) fn coco(folder: &Path, objects: &[(u64, [f64; 4])]) -> Box<dyn Dataset> {
    let name = |id: u64| format!("{id}.png");
    let images: Vec<Value> = objects
        .iter()
        .map(|(id, _)| json!({ "id": id, "file_name": name(*id), "width": 20, "height": 10 }))
        .collect();
    let boxes: Vec<Value> = objects
        .iter()
        .map(|(id, bbox)| json!({ "image_id": id, "bbox": bbox }))
        .collect();
    for (id, _) in objects {
        write_picture(&folder.join("images").join(name(*id)), [10, 20], *id as u8);
    }
    let file = json!({ "images": images, "annotations": boxes });
    write_atomic(folder.join("objects.json"), file.to_string()).unwrap();
    let places = [("annotations", "objects.json"), ("images", "images")];
    open(folder, "coco-detection", json!({}), &places)
}

/// High-resolution pictures of 32 x 24 called `names`.
pub(crate) fn sr(folder: &Path, names: &[&str], settings: Value) -> Box<dyn Dataset> {
    for (index, name) in names.iter().enumerate() {
        let path = folder.join("high").join(format!("{name}.png"));
        if !path.exists() {
            write_picture(&path, [32, 24], index as u8);
        }
    }
    open(folder, "sr", settings, &[("high", "high")])
}
