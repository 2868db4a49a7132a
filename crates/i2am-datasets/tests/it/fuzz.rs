//! Mutations of files that list samples: each is read or refused, and every sample that it lists can be asked for.

use std::fs::File;
use std::io::Write as _;

use i2am_datasets::coco_detection::CocoDetection;
use i2am_datasets::{Dataset, Part, find};
use serde_json::json;

use crate::common::folder;

const ANNOTATIONS: [&[u8]; 7] = [
    br#"{"info": {}, "images": [{"id": 2, "file_name": "a.jpg", "width": 96, "height": 128}], "annotations": [{"id": 21, "image_id": 2, "iscrowd": 0, "bbox": [10, 10, 40, 40], "category_id": 1}]}"#,
    br#"{"images": [{"id": "7", "file_name": "b/c.png", "width": 96.0, "height": "128"}], "annotations": [{"image_id": "7", "bbox": ["10", 1.5, 4e1, 40.9], "iscrowd": true}]}"#,
    br#"{"images": [{"id": -3, "file_name": "a.png", "width": 9, "height": 9}, {"id": 1}], "annotations": [{"id": "x", "image_id": -3, "bbox": [NaN, -Infinity, Infinity, 9]}, {"image_id": -3, "bbox": [0, 0, 4, 5]}]}"#,
    br#"[{"image_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}]"#,
    br#"{"images": [{"id": 1, "coco_url": "http://x/1.jpg"}], "annotations": [{"image_id": 1, "caption": "a \"dog\""}]}"#,
    b"\xef\xbb\xbf{\"images\": [], \"annotations\": [{\"segments_info\": []}]}\r\n",
    b"<annotation><object/></annotation>",
];

const LISTS: [&[u8]; 6] = [
    b"id,image,mask,reference,ground_truth\n1,a.png,m.png,r.png,t.png\n2,b.png,m.png,r.png,\n",
    b"image,mask,reference\nx/a.png,m.png,r.png\nx/b.png,m.png,r.png\n",
    b"\xef\xbb\xbfimage,mask,reference\r\n\"a,b.png\",\"m \"\"1\"\".png\",r.png\r\n\r\n",
    b"image;mask;reference\na.png;m.png;r.png\n",
    b"reference,mask,image,parse,pose,warped,warped_mask,densepose,agnostic,agnostic_parse,reference_mask\nr,m,i,p,o,w,v,d,a,g,k\n",
    b"image,mask,reference,image\na,b,c,d\n",
];

/// Asks for everything that is known without reading a picture.
fn ask(dataset: &dyn Dataset) {
    assert!(dataset.ids().is_sorted());
    for (index, id) in dataset.ids().iter().enumerate() {
        assert_eq!(dataset.position(id), Some(index));
        assert!(dataset.path(index, Part::Image).is_some());
        dataset.decides(index);
        assert!(
            dataset.check_headers(index, &[]).is_err(),
            "no picture exists"
        );
    }
    dataset.list_sha256();
}

#[test]
fn mutated_annotations() {
    i2am_testkit::fuzz("coco", &ANNOTATIONS, |bytes| {
        let folder = folder();
        let path = folder.path().join("instances.json");
        File::create(&path).unwrap().write_all(bytes).unwrap();
        for crowds in ["keep", "skip"] {
            let settings = json!({
                "annotations": path, "images": folder.path(), "min_area": 0.0, "max_area": 1.0, "crowds": crowds,
            });
            let config = serde_json::from_value(settings).unwrap();
            match CocoDetection::open(&config) {
                Ok(set) => {
                    ask(&set);
                    for index in 0..set.ids().len() {
                        assert!(set.object(index).is_some_and(|found| found.width > 0.0));
                    }
                }
                Err(error) => assert!(error.to_string().contains("instances.json"), "{error}"),
            }
        }
    });
}

#[test]
fn mutated_lists() {
    i2am_testkit::fuzz("manifest", &LISTS, |bytes| {
        let folder = folder();
        let path = folder.path().join("list.csv");
        File::create(&path).unwrap().write_all(bytes).unwrap();
        let config = find("manifest")
            .unwrap()
            .restore(json!({ "file": path }))
            .unwrap();
        match config.open(folder.path(), &|_drawn| ()) {
            Ok(set) => ask(set.as_ref()),
            Err(error) => assert!(error.to_string().contains("list.csv"), "{error}"),
        }
    });
}
