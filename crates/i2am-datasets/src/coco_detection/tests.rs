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
        crowds: Crowds::Keep,
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
    assert_eq!(set.check_headers(0, &[]).unwrap_err().to_string(), error);
    set.check_headers(1, &[]).unwrap();
    for word in ["seven.png", "instances_val.json", "20 x 40", "40 x 20"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    let error = set.load_parts(1, &[Part::Densepose]).unwrap_err();
    assert!(error.to_string().contains("densepose"), "{error}");
    assert!(set.load(2).is_err());
}

/// What a bad annotation of image 7 is called in a file with a sound one of image 12.
fn passed_over(annotation: &str, words: &[&str]) {
    let sound = object(12, "[2.9, 3.9, 20.9, 10.5]").replace("\"id\": 1", "\"id\": 2");
    let (_folder, config) = folder(&format!("{annotation},{sound}"));
    let set = CocoDetection::open(&config).unwrap();
    assert_eq!(set.ids(), ["000000000012"]);
    let [warning] = set.warnings() else {
        panic!("{:?}", set.warnings())
    };
    for word in [
        &["instances_val.json: passed over 1 of 2 annotations"],
        words,
    ]
    .concat()
    {
        assert!(warning.contains(word), "{word}: {warning}");
    }
}

#[test]
fn a_bad_annotation_is_passed_over_by_name() {
    passed_over(
        r#"{"id": 3, "image_id": 7}"#,
        &["annotation 3 of image 7", "four numbers, found none"],
    );
    passed_over(
        &object(7, "[1, 2, 3]"),
        &["annotation 1 of image 7", "four numbers", "[1,2,3]"],
    );
    passed_over(
        &object(7, "[30, 10, 12, 10]"),
        &[
            "annotation 1 of image 7",
            "inside the 20 x 40 image",
            "[30,10,12,10]",
        ],
    );
    for bbox in [
        "[-3, 0, 12, 10]",
        "[0, 0, 0, 10]",
        "[0, 0, 12, -10]",
        "[0, NaN, 12, 10]",
    ] {
        passed_over(
            &object(7, bbox),
            &["annotation 1 of image 7", &bbox.replace(' ', "")],
        );
    }
    for bbox in [
        "null",
        "\"\"",
        "{}",
        "[1, 2, 3, null]",
        "[1, 2, 3, Infinity]",
    ] {
        passed_over(&object(7, bbox), &["annotation 1 of image 7"]);
    }
    passed_over(
        r#"{"image_id": "7", "bbox": []}"#,
        &["an annotation of image 7"],
    );
    passed_over(
        &object(99, "[0, 0, 10, 10]"),
        &["whose images are not listed"],
    );
}

#[test]
fn an_entry_that_is_no_object_costs_only_itself() {
    for entry in ["null", "5", "[1, 2]", "\"a\"", "{}"] {
        let (folder, config) = folder(&format!("{entry}, {}", two_objects()));
        let set = CocoDetection::open(&config).unwrap();
        assert_eq!(set.ids().len(), 2, "{entry}");
        let text = std::fs::read_to_string(&config.annotations).unwrap();
        write(
            &folder,
            &text.replace("\"images\": [", &format!("\"images\": [{entry}, ")),
        );
        let set = CocoDetection::open(&config).unwrap();
        assert_eq!(set.ids().len(), 2, "{entry}");
        assert!(set.warnings()[0].contains("passed over 1 of 4 images: image without an `id`"));
    }
}

#[test]
fn many_bad_annotations_are_counted_and_the_first_are_named() {
    let bad: Vec<String> = (0..50)
        .map(|id| format!(r#"{{"id": {id}, "image_id": 7, "bbox": [0, 0, 0, 0]}}"#))
        .collect();
    let (_folder, config) = folder(&format!("{},{}", bad.join(","), two_objects()));
    let set = CocoDetection::open(&config).unwrap();
    let warning = &set.warnings()[0];
    assert!(
        warning.contains("passed over 50 of 56 annotations: annotation 0 of"),
        "{warning}"
    );
    assert!(warning.ends_with("; and 47 more"), "{warning}");
    // Those of `two_objects` all have the id 1.
    let warning = &set.warnings()[1];
    assert!(
        warning.contains("found the id of another in 6 of 56 annotations: annotation 1;"),
        "{warning}"
    );
}

#[test]
fn a_crowd_counts_unless_it_is_left_out() {
    let crowd = r#"{"id": 1, "image_id": 7, "bbox": [0, 0, 10, 10], "iscrowd": 1}"#;
    let single = r#"{"id": 2, "image_id": 7, "bbox": [5, 5, 10, 10], "iscrowd": 0}"#;
    let (_folder, mut config) = folder(&format!("{crowd},{single}"));
    let left = |config: &CocoDetectionConfig| {
        CocoDetection::open(config).unwrap().object(0).unwrap().x as u32
    };
    assert_eq!(left(&config), 0);
    config.crowds = Crowds::Skip;
    assert_eq!(left(&config), 5);
}

#[test]
fn numbers_may_be_texts_or_fractions() {
    let (folder, config) = folder("");
    let annotation = r#"{"id": "a", "image_id": "000000000007", "bbox": ["1.0", 2, 20.0, "10"]}"#;
    for image in [
        r#"{"id": "7", "file_name": "seven.png", "width": 40.0, "height": "20"}"#,
        r#"{"id": 7.0, "file_name": "seven.png", "width": "40.0", "height": 20}"#,
        r#"{"id": "000000000007", "file_name": "seven.png", "width": 40, "height": 20.0}"#,
    ] {
        write(
            &folder,
            &format!(r#"{{"images": [{image}], "annotations": [{annotation}]}}"#),
        );
        let set = CocoDetection::open(&config).unwrap();
        assert_eq!(set.ids(), ["000000000007"]);
        assert_eq!(set.load(0).unwrap().reference.dimensions(), (20, 10));
        assert!(set.warnings().is_empty());
    }
    let named = annotation.replace("000000000007", "dog");
    let image = r#"{"id": "dog", "file_name": "seven.png", "width": 40, "height": 20}"#;
    write(
        &folder,
        &format!(r#"{{"images": [{image}], "annotations": [{named}]}}"#),
    );
    assert_eq!(CocoDetection::open(&config).unwrap().ids(), ["dog"]);
}

#[test]
fn a_bad_image_is_passed_over_and_named_where_nothing_is_left() {
    let (folder, config) = folder("");
    let image = |name: &str, width: &str| {
        format!(r#"{{"id": 7, "file_name": "{name}", "width": {width}, "height": 20}}"#)
    };
    let sound = r#"{"id": 12, "file_name": "b/twelve.png", "width": 40, "height": 20}"#;
    let annotations = objects(&[(7, "[0, 0, 20, 10]"), (12, "[0, 0, 20, 10]")]);
    let of = |images: &str| format!(r#"{{"images": [{images}], "annotations": [{annotations}]}}"#);
    for (bad, words) in [
        (
            image("../x.png", "40"),
            "image 7: expected a `file_name` below the folder of images, found \"../x.png\"",
        ),
        (image("", "40"), "image 7: expected a `file_name`"),
        (
            image("x.png", "0"),
            "image 7: expected a height and width of at least 1, found 20 x 0",
        ),
        (image("x.png", "null"), "found 20 x none"),
        (image("x.png", "40.5"), "found 20 x 40.5"),
        (
            image("x.png", "40").replace("\"id\": 7, ", ""),
            "image without an `id`: expected an `id`, found none",
        ),
        (
            image("x.png", "40").replace(": 7", ": \"a/b\""),
            "image a/b: expected an id that can be a file name",
        ),
    ] {
        write(&folder, &of(&bad));
        let error = CocoDetection::open(&config).unwrap_err().to_string();
        let found = error.contains("expected at least one sample, found none");
        assert!(found && error.contains(words), "`{words}`: {error}");
        write(&folder, &of(&format!("{bad},{sound}")));
        let set = CocoDetection::open(&config).unwrap();
        assert_eq!(set.ids(), ["000000000012"]);
        let warning = &set.warnings()[0];
        assert!(
            warning.contains("passed over 1 of 2 images: ") && warning.contains(words),
            "{warning}"
        );
    }
    let twice = [image("x.png", "40"), image("x.png", "40")].join(",");
    write(&folder, &of(&twice));
    let error = CocoDetection::open(&config).unwrap_err().to_string();
    assert!(
        error.contains("image 7") && error.contains("once"),
        "{error}"
    );
}

#[test]
fn another_kind_of_file_is_called_by_its_name() {
    let (folder, config) = folder("");
    for (text, words) in [
        ("[]", "a list of 0 entries, not the object that holds both"),
        (
            r#"[{"image_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}]"#,
            "a list of 1 entries, results of a detector",
        ),
        (
            r#"{"images": [], "annotations": [{"image_id": 1, "caption": "a dog"}]}"#,
            "captions, without boxes",
        ),
        (
            r#"{"images": [], "annotations": [{"image_id": 1, "segments_info": []}]}"#,
            "a panoptic file",
        ),
        (
            r#"{"images": [{"id": 1, "coco_url": "http://x/1.jpg"}], "annotations": []}"#,
            "an LVIS file",
        ),
        (
            r#"{"images": [{"id": 1}]}"#,
            "`images` without `annotations`",
        ),
        (
            r#"{"shapes": [], "imagePath": "a.png"}"#,
            "an object with the keys imagePath, shapes",
        ),
        ("", "an empty file"),
        ("  <annotation>", "XML or a web page"),
        ("PK\x03\x04", "a ZIP archive"),
        ("\u{feff}[]", "a list of 0 entries"),
        ("{", "EOF while parsing an object at line 1"),
    ] {
        write(&folder, text);
        let error = CocoDetection::open(&config).unwrap_err().to_string();
        assert!(
            error.contains("instances_val.json") && error.contains(words),
            "`{words}`: {error}"
        );
    }
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
