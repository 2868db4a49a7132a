//! Order of samples, and the hashes of lists.

use std::fmt::Write as _;
use std::fs;

use i2am_datasets::{Dataset, Part};
use i2am_files::{sha256_hex, write_atomic};
use serde_json::json;
use tempfile::TempDir;

use crate::common::{coco, folder, manifest, open, sr, synth, write_mask};

#[track_caller]
fn assert_order(set: &dyn Dataset, expected: &[&str]) {
    assert_eq!(set.ids(), expected, "{}", set.name());
    assert!(set.ids().is_sorted_by(|a, b| a < b), "{:?}", set.ids());
    for (index, id) in set.ids().iter().enumerate() {
        assert_eq!(set.position(id), Some(index), "{id}");
    }
    assert_eq!(set.position("nothing"), None);
}

/// `-` comes before `.`, so that `a-1.png` comes before `a.png` although `a` comes before `a-1`; 13 digits come before 12.
#[test]
fn ids_of_every_kind_are_sorted_as_texts() {
    let (one, two, three, four, five) = (folder(), folder(), folder(), folder(), folder());
    let names = ["a-1", "a", "b", "a.b"];
    let sorted = ["a", "a-1", "a.b", "b"];
    let drawn = synth(one.path(), json!({}));
    assert_order(drawn.as_ref(), &["00000_00", "00001_00", "00002_00"]);
    write_atomic(
        one.path().join("set/test_pairs.txt"),
        "a-1.jpg x.jpg\na.jpg x.jpg\nb.jpg x.jpg\na.b.jpg x.jpg\n",
    )
    .unwrap();
    let viton = open(
        two.path(),
        "viton-hd",
        json!({ "root": one.path().join("set") }),
        &[],
    );
    let sets = [
        viton,
        manifest(three.path(), &names),
        sr(four.path(), &names, json!({})),
    ];
    for set in &sets {
        assert_order(set.as_ref(), &sorted);
    }
    let bounds = [0.0, 0.0, 5.0, 6.0];
    let long = 1_000_000_000_000;
    let objects = coco(
        five.path(),
        &[(long - 1, bounds), (long, bounds), (7, bounds)],
    );
    assert_order(
        objects.as_ref(),
        &["000000000007", "1000000000000", "999999999999"],
    );
}

/// Manifests and baselines of earlier runs hold these hashes, so the lines must never change.
#[test]
fn the_index_hash_of_a_set_is_that_of_these_lines() {
    let (one, two, three, four) = (folder(), folder(), folder(), folder());
    let of = |folder: &TempDir, name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
    let objects = coco(one.path(), &[(7, [0.5, 0.0, 5.0, 6.5])]);
    let bytes = of(&one, "images/7.png");
    let bounds = "BoundingBox { x: 0.5, y: 0.0, width: 5.0, height: 6.5 }";
    let crop = "Crop { left: 0, top: 0, width: 5, height: 6 }";
    let lines = format!(
        "coco-detection\tobjects\t-\n000000000007\t7.png\t{bytes}\t[10, 20]\t{bounds}\t{crop}\n"
    );
    assert_eq!(objects.index_sha256(), sha256_hex(lines));

    let enlarged = sr(two.path(), &["a"], json!({}));
    let bytes = of(&two, "high/a.png");
    let lines = format!("sr\tv1\t-\na\tground_truth\ta.png\t{bytes}\n");
    assert_eq!(enlarged.index_sha256(), sha256_hex(lines));

    let listed = manifest(three.path(), &["a"]);
    let mut lines = "manifest\tall\t-\n".to_owned();
    for (part, name) in [
        ("image", "a.png"),
        ("mask", "a-mask.png"),
        ("reference", "ref.png"),
        ("ground_truth", "a-true.png"),
    ] {
        writeln!(lines, "a\t{part}\t{name}\t{}", of(&three, name)).unwrap();
    }
    assert_eq!(listed.index_sha256(), sha256_hex(lines));

    let drawn = synth(four.path(), json!({ "limit": 2, "pairing": "unpaired" }));
    let mut lines = "synth\ttest\tunpaired\n".to_owned();
    for index in 0..2 {
        let person = format!("{index:05}_00");
        let garment = drawn.ids()[index].replacen(&format!("{person}_"), "", 1);
        for (part, name) in [
            ("image", format!("image/{person}.jpg")),
            ("mask", format!("agnostic-mask/{person}_mask.png")),
            ("reference", format!("cloth/{garment}.jpg")),
            ("reference_mask", format!("cloth-mask/{garment}.jpg")),
            ("agnostic", format!("agnostic-v3.2/{person}.jpg")),
            ("densepose", format!("image-densepose/{person}.jpg")),
            ("parse", format!("image-parse-v3/{person}.png")),
            (
                "agnostic_parse",
                format!("image-parse-agnostic-v3.2/{person}.png"),
            ),
            ("pose", format!("openpose_json/{person}_keypoints.json")),
            ("warped", format!("unpaired-cloth-warp/{person}.jpg")),
            (
                "warped_mask",
                format!("unpaired-cloth-warp-mask/{person}.jpg"),
            ),
            (
                "correspondence",
                format!("unpaired-correspondence/{person}.png"),
            ),
        ] {
            let id = &drawn.ids()[index];
            let bytes = of(&four, &format!("set/test/{name}"));
            writeln!(lines, "{id}\t{part}\ttest/{name}\t{bytes}").unwrap();
        }
    }
    assert_eq!(drawn.index_sha256(), sha256_hex(lines));
}

#[test]
fn the_list_hash_is_about_names_and_not_about_content() {
    let (folder, moved) = (folder(), folder());
    let set = manifest(folder.path(), &["a", "b"]);
    let (list, index) = (set.list_sha256(), set.index_sha256());
    write_mask(&set.path(0, Part::Mask).unwrap(), [80, 80], 0);
    fs::remove_file(set.path(1, Part::Image).unwrap()).unwrap();
    assert_eq!(set.list_sha256(), list);
    assert_ne!(set.index_sha256(), index);
    assert_eq!(manifest(moved.path(), &["b", "a"]).list_sha256(), list);
    assert_ne!(manifest(moved.path(), &["a", "c"]).list_sha256(), list);

    let paired = synth(folder.path(), json!({}));
    let unpaired = synth(folder.path(), json!({ "pairing": "unpaired" }));
    assert_ne!(paired.list_sha256(), unpaired.list_sha256());
    let fewer = synth(folder.path(), json!({ "limit": 1 }));
    assert_ne!(paired.list_sha256(), fewer.list_sha256());
}
