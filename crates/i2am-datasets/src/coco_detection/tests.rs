use i2am_imaging::{RgbImage, write_png_rgb};
use image::Rgb;
use tempfile::TempDir;

use super::*;

/// A picture whose pixels tell their place.
fn picture(width: u32, height: u32, shade: u8) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, shade]))
}

/// A folder with pictures of 40 x 20 for the images 7 and 12, and the annotations `text` in the place of `{}`.
fn folder(annotations: &str) -> (TempDir, CocoDetectionConfig) {
    let folder = tempfile::tempdir().unwrap();
    let images = r#"{"id": 12, "file_name": "b/twelve.png", "width": 40, "height": 20, "license": 1},
        {"id": 7, "file_name": "seven.png", "width": 40, "height": 20},
        {"id": 9, "file_name": "nine.png", "width": 40, "height": 20}"#;
    write(
        &folder,
        &format!(r#"{{"info": {{}}, "images": [{images}], "annotations": [{annotations}]}}"#),
    );
    write_png_rgb(folder.path().join("val/seven.png"), &picture(40, 20, 7)).unwrap();
    write_png_rgb(folder.path().join("val/b/twelve.png"), &picture(40, 20, 12)).unwrap();
    let config = CocoDetectionConfig {
        annotations: folder.path().join("instances_val.json"),
        images: folder.path().join("val"),
        min_area: 0.1,
        max_area: 0.3,
        limit: None,
    };
    (folder, config)
}

fn write(folder: &TempDir, text: &str) {
    i2am_files::write_atomic(folder.path().join("instances_val.json"), text.as_bytes()).unwrap();
}

fn object(image: u64, bbox: &str) -> String {
    format!(
        r#"{{"id": 1, "image_id": {image}, "bbox": {bbox}, "segmentation": [[1, 2]], "iscrowd": 0}}"#
    )
}

fn objects(list: &[(u64, &str)]) -> String {
    let objects: Vec<_> = list
        .iter()
        .map(|(image, bbox)| object(*image, bbox))
        .collect();
    objects.join(",")
}

/// 80 to 240 pixels count; numbers are cut to whole ones first.
fn two_objects() -> String {
    objects(&[
        (12, "[0, 0, 7.9, 10]"),
        (7, "[30.9, 1.2, 9.1, 9.0]"),
        (12, "[2.9, 3.9, 20.9, 10.5]"),
        (12, "[0, 0, 10, 10]"),
        (99, "[0, 0, 10, 10]"),
        (9, "[0, 0, 30, 10]"),
    ])
}

#[test]
fn the_first_object_of_fitting_area_is_taken_in_the_order_of_image_ids() {
    let (_folder, config) = folder(&two_objects());
    let set = CocoDetection::open(&config).unwrap();
    assert_eq!(set.ids(), ["000000000007", "000000000012"]);
    assert_eq!(
        (set.name(), set.split()),
        ("coco-detection", "instances_val")
    );
    let second = set.object(1).unwrap();
    assert_eq!(
        (second.x, second.y, second.width, second.height),
        (2.9, 3.9, 20.9, 10.5)
    );
    assert_eq!(set.object(2), None);
    assert_eq!(
        set.remark().unwrap(),
        "2 of 3 images with an object of 10 to 30 % of their area"
    );
}

#[test]
fn hole_and_reference_are_the_box_cut_to_whole_pixels() {
    let (_folder, config) = folder(&two_objects());
    let set = CocoDetection::open(&config).unwrap();
    set.check(&[Part::GroundTruth]).unwrap();
    let sample = set.load(1).unwrap();
    assert_eq!(sample.image, picture(40, 20, 12));
    assert_eq!(sample.ground_truth, Some(sample.image.clone()));
    assert_eq!(sample.reference.dimensions(), (20, 10));
    assert_eq!(sample.reference.get_pixel(0, 0).0, [2, 3, 12]);
    assert_eq!(sample.reference.get_pixel(19, 9).0, [21, 12, 12]);
    for (x, y, level) in sample.mask.enumerate_pixels() {
        let inside = (2..22).contains(&x) && (3..13).contains(&y);
        assert_eq!(level.0[0], if inside { 255 } else { 0 }, "{x} {y}");
    }
    let bare = set.load_parts(1, &[]).unwrap();
    assert!(bare.ground_truth.is_none() && bare.reference_mask.is_none());
}

#[test]
fn the_range_of_areas_is_a_setting_and_both_ends_count() {
    let (_folder, mut config) = folder(&objects(&[(7, "[0, 0, 8, 10]"), (12, "[0, 0, 24, 10]")]));
    assert_eq!(CocoDetection::open(&config).unwrap().ids().len(), 2);
    config.max_area = 0.29;
    assert_eq!(
        CocoDetection::open(&config).unwrap().ids(),
        ["000000000007"]
    );
    config.min_area = 0.5;
    let error = CocoDetection::open(&config).unwrap_err().to_string();
    assert!(error.contains("0.5 to 0.29"), "{error}");
    config.max_area = 0.6;
    let error = CocoDetection::open(&config).unwrap_err().to_string();
    assert!(error.contains("no image has an object"), "{error}");
    (config.min_area, config.limit) = (0.0, Some(0));
    let error = CocoDetection::open(&config).unwrap_err().to_string();
    assert!(error.contains("limit is 0"), "{error}");
}

#[test]
fn a_missing_picture_is_found_before_the_run() {
    let (folder, config) = folder(&two_objects());
    std::fs::remove_file(folder.path().join("val/b/twelve.png")).unwrap();
    let error = CocoDetection::open(&config)
        .unwrap()
        .check(&[])
        .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("part `image`") && error.contains("twelve.png"),
        "{error}"
    );
    assert!(error.contains("1 of 2 files"), "{error}");
}

#[test]
fn a_picture_of_another_size_than_annotated_is_refused() {
    let (folder, config) = folder(&two_objects());
    write_png_rgb(folder.path().join("val/seven.png"), &picture(20, 40, 7)).unwrap();
    let set = CocoDetection::open(&config).unwrap();
    let error = set.load(0).unwrap_err().to_string();
    for word in ["seven.png", "instances_val.json", "20 x 40", "40 x 20"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    let error = set.load_parts(1, &[Part::Densepose]).unwrap_err();
    assert!(error.to_string().contains("densepose"), "{error}");
    assert!(set.load(2).is_err());
}

#[test]
fn broken_annotations_are_told_with_file_and_thing() {
    let refused = |annotations: &str, words: &[&str]| {
        let (_folder, config) = folder(annotations);
        let error = CocoDetection::open(&config).unwrap_err().to_string();
        for word in [&["instances_val.json"], words].concat() {
            assert!(error.contains(word), "{word}: {error}");
        }
    };
    refused("{", &["line"]);
    refused(r#"{"id": 3, "image_id": 7}"#, &["bbox"]);
    refused(
        &object(7, "[1, 2, 3]"),
        &["annotation 1 of image 7", "four numbers", "[1.0, 2.0, 3.0]"],
    );
    refused(
        &object(7, "[30, 10, 12, 10]"),
        &["annotation 1 of image 7", "inside the 20 x 40 image"],
    );
    refused(&object(7, "[-3, 0, 12, 10]"), &["annotation 1 of image 7"]);
}

#[test]
fn broken_images_are_told_with_file_and_thing() {
    let (folder, config) = folder("");
    let refused = |images: &str, words: &[&str]| {
        write(
            &folder,
            &format!(r#"{{"images": [{images}], "annotations": []}}"#),
        );
        let error = CocoDetection::open(&config).unwrap_err().to_string();
        for word in [&["instances_val.json"], words].concat() {
            assert!(error.contains(word), "{word}: {error}");
        }
    };
    let image = |name: &str, width: u32| {
        format!(r#"{{"id": 7, "file_name": "{name}", "width": {width}, "height": 20}}"#)
    };
    refused(&image("../x.png", 40), &["image 7", "`../x.png`"]);
    refused(&image("", 40), &["image 7", "file_name"]);
    refused(&image("x.png", 0), &["image 7", "20 x 0"]);
    let twice = [image("x.png", 40), image("x.png", 40)].join(",");
    refused(&twice, &["image 7", "once"]);
    write(&folder, "[]");
    let error = CocoDetection::open(&config).unwrap_err().to_string();
    assert!(error.contains("instances_val.json"), "{error}");
    std::fs::remove_file(&config.annotations).unwrap();
    let error = CocoDetection::open(&config).unwrap_err().to_string();
    assert!(error.contains("instances_val.json"), "{error}");
}

#[test]
fn the_index_knows_boxes_and_files() {
    let (folder, config) = folder(&two_objects());
    let index = || CocoDetection::open(&config).unwrap().index_sha256();
    let before = index();
    assert_eq!(before, index());
    let text = std::fs::read_to_string(&config.annotations).unwrap();
    write(
        &folder,
        &text.replace("[30.9, 1.2, 9.1, 9.0]", "[30.9, 1.3, 9.1, 9.0]"),
    );
    assert_ne!(before, index());
    let after = index();
    std::fs::remove_file(folder.path().join("val/seven.png")).unwrap();
    assert_ne!(after, index());
}
