//! Masks stored in other ways than as black and white.

use i2am_datasets::{Dataset, Part};
use i2am_files::{FileHashes, write_atomic};
use i2am_imaging::{GrayImage, RgbImage, write_jpeg_rgb, write_png_gray};
use image::{Luma, Rgb};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{folder, open, write_picture};

/// A sample whose mask has the level `inside` in its left half, and whose reference mask is a JPEG with a white left half.
fn sample(inside: u8) -> TempDir {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    for name in ["a.png", "r.png"] {
        write_picture(&path(name), [16, 16], 7);
    }
    let mask = GrayImage::from_fn(16, 16, |x, _| Luma([if x < 8 { inside } else { 0 }]));
    write_png_gray(path("m.png"), &mask).unwrap();
    let object = RgbImage::from_fn(16, 16, |x, _| Rgb([if x < 8 { 255 } else { 0 }; 3]));
    write_jpeg_rgb(path("o.jpg"), &object, 90).unwrap();
    let list = "image,mask,reference,reference_mask\na.png,m.png,r.png,o.jpg\n";
    write_atomic(path("list.csv"), list).unwrap();
    folder
}

fn manifest(folder: &TempDir, settings: Value) -> Box<dyn Dataset> {
    open(folder.path(), "manifest", settings, &[("file", "list.csv")])
}

/// Whether exactly the left half is masked.
fn is_left_half(mask: &GrayImage) -> bool {
    mask.enumerate_pixels()
        .all(|(x, _, level)| level.0[0] == if x < 8 { 255 } else { 0 })
}

#[test]
fn a_setting_about_masks_leaves_sound_ones_as_they_are() {
    let folder = sample(1);
    let parts = [Part::ReferenceMask];
    let refusing = manifest(&folder, json!({}));
    let error = refusing.check_masks(0, &parts).unwrap_err();
    assert!(error.is_of_mask());
    let loaded = refusing.load_parts(0, &parts).unwrap_err();
    assert_eq!(loaded.to_string(), error.to_string());
    let accepting = manifest(
        &folder,
        json!({ "mask_levels": "binary", "mask_channel": "alpha" }),
    );
    assert!(accepting.check_masks(0, &parts).unwrap().is_empty());
    let sample = accepting.load_parts(0, &parts).unwrap();
    assert!(is_left_half(&sample.mask));
    assert!(is_left_half(&sample.reference_mask.unwrap()));
}

#[test]
fn each_side_has_a_polarity_of_its_own() {
    let folder = sample(255);
    let parts = [Part::ReferenceMask];
    let load = |settings: Value| manifest(&folder, settings).load_parts(0, &parts).unwrap();
    let halves = |settings: Value| {
        let sample = load(settings);
        [&sample.mask, &sample.reference_mask.unwrap()].map(is_left_half)
    };
    assert_eq!(halves(json!({})), [true, true]);
    assert_eq!(
        halves(json!({ "mask_polarity": "inverted" })),
        [false, true]
    );
    let settings = json!({ "reference_mask_polarity": "inverted" });
    assert_eq!(halves(settings), [true, false]);
}

#[test]
fn how_masks_are_read_is_part_of_what_a_sample_is() {
    let folder = sample(255);
    let fingerprint = |settings: Value| {
        let hashes = FileHashes::in_memory();
        manifest(&folder, settings).fingerprint(0, &hashes).unwrap()
    };
    let plain = fingerprint(json!({}));
    assert_eq!(plain, fingerprint(json!({ "mask_levels": "full" })));
    assert_ne!(plain, fingerprint(json!({ "mask_levels": "binary" })));
}
