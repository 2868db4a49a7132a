//! What must hold for every map, and how the procedures compare on maps whose box is known.
#![expect(
    clippy::float_cmp,
    reason = "what is symmetric or nothing is so exactly"
)]

use i2am_imacs::detection::{BestFit, DetectionConfig, MapViews, Procedure, best_fit, iou};
use i2am_imaging::{BoundingBox, Plane, torch_bicubic};
use proptest::prelude::*;

fn maps() -> impl Strategy<Value = Plane> {
    (2..9_usize, 2..9_usize).prop_flat_map(|(height, width)| {
        prop::collection::vec(0.0..=1.0_f32, height * width)
            .prop_map(move |values| plane(height, width, values))
            .prop_filter("the map is not flat", |map| map.min() < map.max())
    })
}

fn plane(height: usize, width: usize, values: Vec<f32>) -> Plane {
    Plane::new(height, width, values).expect("as many values as the size says")
}

/// Pearson's correlation of the map and a box's indicator, from its definition.
fn correlation(map: &Plane, bounds: &BoundingBox) -> f64 {
    let inside = |r: usize, c: usize| {
        let (r, c) = (r as f64, c as f64);
        let rows = bounds.y..bounds.y + bounds.height;
        let columns = bounds.x..bounds.x + bounds.width;
        rows.contains(&r) && columns.contains(&c)
    };
    let [height, width] = map.size();
    let shown = Plane::from_fn(height, width, |r, c| f32::from(u8::from(inside(r, c))));
    let (mean_map, mean_box) = (map.mean(), shown.mean());
    let (mut both, mut own, mut other) = (0.0, 0.0, 0.0);
    for (&value, &is_inside) in map.data().iter().zip(shown.data()) {
        let (a, b) = (f64::from(value) - mean_map, f64::from(is_inside) - mean_box);
        both += a * b;
        own += a * a;
        other += b * b;
    }
    if other > 0.0 {
        both / (own * other).sqrt()
    } else {
        0.0
    }
}

/// Every box of whole cells.
fn boxes([height, width]: [usize; 2]) -> Vec<BoundingBox> {
    let spans =
        |length: usize| (0..length).flat_map(move |a| (a + 1..=length).map(move |b| (a, b)));
    spans(height)
        .flat_map(|(top, bottom)| {
            spans(width).map(move |(left, right)| {
                BoundingBox::of_pixels([top, left], [bottom - top, right - left])
            })
        })
        .collect()
}

proptest! {
    // A failure prints its input; files of past failures would be written into the tree.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_box_correlates_more_than_the_best_fit(map in maps()) {
        let found = correlation(&map, &best_fit(&map).unwrap());
        for other in boxes(map.size()) {
            prop_assert!(found >= correlation(&map, &other) - 1e-9, "{:?}", other);
        }
    }

    #[test]
    fn scale_and_shift_of_the_map_do_not_matter(map in maps(), scale in 1_u8..5, shift in -3_i8..3) {
        // Powers of two and small whole numbers, so that the values themselves are not rounded much.
        let scale = f32::from(1_u16 << scale);
        let moved = map.map(|value| scale * value + f32::from(shift));
        let [straight, moved] = [&map, &moved].map(|map| best_fit(map).unwrap());
        // Two boxes may be equally good up to rounding.
        let difference = correlation(&map, &straight) - correlation(&map, &moved);
        prop_assert!(difference.abs() < 1e-5, "{:?} {:?}", straight, moved);
    }

    #[test]
    fn a_map_of_two_levels_gives_its_box(
        (size, edges) in (3..40_usize, 3..40_usize).prop_flat_map(|(h, w)| {
            (Just([h, w]), [0..h, 0..h, 0..w, 0..w])
        }),
        low in -2.0..2.0_f32,
        contrast in 0.1..3.0_f32,
    ) {
        let [a, b, c, d] = edges;
        let (top, left) = (a.min(b), c.min(d));
        let (rows, columns) = (a.max(b) + 1 - top, c.max(d) + 1 - left);
        prop_assume!([rows, columns] != size);
        let map = Plane::from_fn(size[0], size[1], |r, c| {
            let inside = (top..top + rows).contains(&r) && (left..left + columns).contains(&c);
            low + if inside { contrast } else { 0.0 }
        });
        prop_assert_eq!(best_fit(&map), Ok(BoundingBox::of_pixels([top, left], [rows, columns])));
    }

    #[test]
    fn overlaps_lie_between_0_and_1(a in any_box(), b in any_box()) {
        let overlap = iou(&a, &b);
        prop_assert!((0.0..=1.0).contains(&overlap), "{}", overlap);
        prop_assert_eq!(overlap, iou(&b, &a));
        prop_assert!((iou(&a, &a) - 1.0).abs() < 1e-12);
        let wide = |bounds: &BoundingBox| bounds.scaled([10, 10], [30, 70]);
        prop_assert!((iou(&wide(&a), &wide(&b)) - overlap).abs() < 1e-9);
    }

    #[test]
    fn the_whole_picture_overlaps_by_the_share_of_the_box(share in 0.05..1.0_f64) {
        let whole = BoundingBox::whole([48, 64]);
        let part = BoundingBox { width: 64.0 * share, ..whole };
        prop_assert!((iou(&whole, &part) - share).abs() < 1e-12);
    }
}

fn any_box() -> impl Strategy<Value = BoundingBox> {
    let edges = (0.0..8.0_f64, 0.0..8.0_f64, 0.1..8.0_f64, 0.1..8.0_f64);
    edges.prop_map(|(x, y, width, height)| BoundingBox {
        x,
        y,
        width,
        height,
    })
}

#[test]
fn boxes_without_area_overlap_nothing() {
    let point = BoundingBox::of_pixels([3, 3], [0, 0]);
    assert_eq!(iou(&point, &point), 0.0);
    assert_eq!(iou(&point, &BoundingBox::whole([9, 9])), 0.0);
}

/// Numbers in `[0, 1)` by a linear congruence: enough for noise, and the same everywhere.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }
}

/// A map of 64 x 64 that shows a box as attention does, soft and uneven, over noise of a given size; and the box.
fn shown(index: u64, noise: f64) -> (Plane, BoundingBox) {
    let mut dice = Noise(index.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    for _ in 0..8 {
        dice.next();
    }
    let [rows, columns] = [(); 2].map(|()| 18 + (dice.next() * 20.0) as usize);
    let [top, left] = [rows, columns].map(|side| (dice.next() * (64 - side) as f64) as usize);
    let truth = BoundingBox::of_pixels([top, left], [rows, columns]);
    let grains: Vec<f64> = (0..16 * 16).map(|_| dice.next() - 0.5).collect();
    // Logistic edges, two cells wide.
    let edge = |place: f64, start: f64, size: f64| {
        let rise = |x: f64| 1.0 / (1.0 + (-x / 2.0).exp());
        rise(place - start) * rise(start + size - place)
    };
    let map = Plane::from_fn(64, 64, |r, c| {
        let (row, column) = (r as f64 + 0.5, c as f64 + 0.5);
        let object = edge(row, truth.y, truth.height) * edge(column, truth.x, truth.width);
        (object + noise * grains[r / 4 * 16 + c / 4]) as f32
    });
    (map, truth)
}

/// Mean overlap of every procedure on 40 such maps, boxes that are not there counted as 0.
fn mean_ious(noise: f64) -> Vec<(String, f64)> {
    let config = DetectionConfig::default();
    let mean = |procedure: &dyn Procedure| {
        let overlap = |index: u64| {
            let (raw, truth) = shown(index, noise);
            let picture = torch_bicubic(&raw, 512, 512).minmax(1e-8);
            let attribution = picture.map(|value| if value <= 0.4 { 0.0 } else { value });
            let views = MapViews {
                raw: &raw,
                attribution: &attribution,
            };
            let found = procedure.locate(&views);
            found.map_or(0.0, |found| {
                iou(&found, &truth.scaled([64, 64], [512, 512]))
            })
        };
        (0..40).map(overlap).sum::<f64>() / 40.0
    };
    let procedures = config.procedures();
    procedures
        .iter()
        .map(|procedure| (procedure.name().to_string(), mean(*procedure)))
        .collect()
}

/// The claim of `docs/detection.md`; its table is what this prints.
#[test]
fn the_best_fit_is_nearer_to_the_truth_than_the_published_procedures() {
    for noise in [0.0, 1.0, 2.0] {
        let means = mean_ious(noise);
        eprintln!("noise {noise}: {means:?}");
        let (name, best) = &means[0];
        assert_eq!(name, "best-fit");
        for (name, mean) in &means[1..] {
            assert!(best > mean, "noise {noise}: {name} {mean}, best-fit {best}");
        }
        assert!(*best > 0.7, "noise {noise}: {best}");
    }
}

#[test]
fn the_best_fit_looks_at_the_raw_map_only() {
    let (raw, truth) = shown(3, 0.5);
    let attribution = Plane::zeros(128, 256);
    let views = MapViews {
        raw: &raw,
        attribution: &attribution,
    };
    let found = BestFit.locate(&views).unwrap();
    assert!(iou(&found, &truth.scaled([64, 64], [128, 256])) > 0.7);
}
