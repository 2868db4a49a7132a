//! Masks and boxes of the published scripts, and of `OpenCV`.

use std::path::Path;

use i2am_imaging::{BoundingBox, read_gray, read_rgb};
use i2am_testkit::{FixtureDir, fixtures};

use super::morphology::{close, dilate, erode, open};
use super::outline::enclosed_area;
use super::regions::{Regions, largest};
use super::{Mask, NoBox, Older, Rect, decode_jet, iou};

/// Absolute, as the fixture asks for.
const IOU: f64 = 1e-12;

fn family(name: &str) -> Vec<FixtureDir> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures(&committed, name)
}

/// `[x, y, width, height]`; none for null.
fn bounds(value: &serde_json::Value) -> Option<BoundingBox> {
    let numbers = value.as_array()?;
    let number = |place: usize| numbers[place].as_f64().unwrap();
    Some(BoundingBox {
        x: number(0),
        y: number(1),
        width: number(2),
        height: number(3),
    })
}

fn read_mask(path: &Path) -> Mask {
    let picture = read_gray(path).unwrap();
    Mask::from_fn(
        picture.height() as usize,
        picture.width() as usize,
        |r, c| picture.get_pixel(c as u32, r as u32).0[0] > 0,
    )
}

#[test]
fn parity_masks_boxes_and_ious_of_the_published_scripts() {
    for dir in family("detection") {
        let expected = dir.json("detection");
        let cases = expected["cases"].as_array().unwrap();
        assert!(!cases.is_empty());
        let mut ious = [Vec::new(), Vec::new()];
        for case in cases {
            let path = dir.path().join(case["png"].as_str().unwrap());
            let truth = bounds(&case["truth_xywh"]).unwrap();
            let (older, rect) = (Older::default(), Rect::default());
            let older_mask = older.mask(&read_gray(&path).unwrap());
            let picture = read_rgb(&path).unwrap();
            let (width, height) = picture.dimensions();
            let steps = decode_jet(&picture);
            let rect_mask = rect.mask(&steps, height as usize, width as usize);
            let found = [
                ("older", older.bounds(&older_mask), older_mask),
                ("rect", rect.bounds(&rect_mask), rect_mask),
            ];
            for ((name, found, mask), ious) in found.into_iter().zip(&mut ious) {
                let want = &case[name];
                let what = format!("{}, {name}", path.display());
                assert_eq!(mask.count() as u64, want["nonzero"], "{what}");
                let file = dir.path().join(want["mask_png"].as_str().unwrap());
                assert!(mask == read_mask(&file), "{what}: another mask");
                let Some(want_box) = bounds(&want["box_xywh"]) else {
                    assert!(
                        matches!(found, Err(NoBox::NothingLeft { .. })),
                        "{what}: {found:?}"
                    );
                    continue;
                };
                let found = found.unwrap();
                assert_eq!(found, want_box, "{what}");
                let overlap = iou(&found, &truth);
                let difference = overlap - want["iou"].as_f64().unwrap();
                assert!(difference.abs() <= IOU, "{what}: {overlap}");
                ious.push(overlap);
            }
        }
        for (name, ious) in ["older", "rect"].into_iter().zip(ious) {
            // Printed there to four digits, over the maps that have a box.
            let mean = ious.iter().sum::<f64>() / ious.len() as f64;
            assert_eq!(
                format!("{mean:.4}"),
                expected["mean_iou_printed"][name],
                "{name}"
            );
        }
    }
}

#[test]
fn parity_ious_of_pairs() {
    for dir in family("detection") {
        let expected = dir.json("detection");
        for pair in expected["iou_pairs"].as_array().unwrap() {
            let [a, b] = ["a", "b"].map(|side| bounds(&pair[side]).unwrap());
            let want = pair["iou"].as_f64().unwrap();
            assert!((iou(&a, &b) - want).abs() <= IOU, "{pair}");
            assert!((iou(&b, &a) - want).abs() <= IOU, "{pair}");
        }
    }
}

/// Masks of every density, against `OpenCV`: regions, the areas their outlines enclose, morphology, and which of equals wins.
#[test]
fn parity_outlines_and_morphology_of_opencv() {
    for dir in family("outlines") {
        let tensors = dir.tensors("outlines");
        let &[count, height, width] = tensors.shape("masks") else {
            panic!("masks: not a stack");
        };
        let plane = |name: &str, case: usize| {
            let all = tensors.u8(name);
            Mask::from_fn(height, width, |r, c| {
                all[(case * height + r) * width + c] > 0
            })
        };
        let [areas, offsets, boxes] = ["areas", "offsets", "boxes"].map(|n| tensors.i64(n));
        for case in 0..count {
            let mask = plane("masks", case);
            for side in [3, 5] {
                let named = |name: &str| plane(&format!("{name}{side}"), case);
                assert_eq!(erode(&mask, side), named("erode"), "erode {case}");
                assert_eq!(dilate(&mask, side), named("dilate"), "dilate {case}");
                assert_eq!(open(&mask, side), named("open"), "open {case}");
                assert_eq!(close(&mask, side), named("close"), "close {case}");
            }
            let regions = Regions::of(&mask).all;
            // Doubled there, to be whole numbers.
            let twice: Vec<i64> = regions
                .iter()
                .map(|region| (2.0 * enclosed_area(&mask, region.first)) as i64)
                .collect();
            let own = offsets[case] as usize..offsets[case + 1] as usize;
            assert_eq!(twice, areas[own], "areas {case}");
            let by_area = largest(&regions, |region| enclosed_area(&mask, region.first));
            let by_count = largest(&regions, |region| mask.count_in(&region.bounds));
            for (place, found) in [by_area, by_count].into_iter().enumerate() {
                let found = found.unwrap().bounds;
                let want = &boxes[(2 * case + place) * 4..][..4];
                let found = [found.x, found.y, found.width, found.height];
                assert_eq!(found.map(|edge| edge as i64), want, "box {place} of {case}");
            }
        }
    }
}
