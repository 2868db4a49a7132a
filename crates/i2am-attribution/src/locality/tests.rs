//! Scores of attention whose shares are known.

use super::*;
use crate::Source;
use crate::testing::{one_token, record};

const RADII: [usize; 3] = [0, 1, 2];

/// The record of one head and one step of a layer whose attention from generated to reference positions is `shares`, and the other
/// way round `back`, both by `[from, onto]`; every position is inside.
fn layer(
    name: &str,
    generated: Grid,
    reference: Grid,
    shares: &dyn Fn(usize, usize) -> f64,
    back: &dyn Fn(usize, usize) -> f64,
) -> LayerRecord {
    let map = |from: Grid, onto: Grid, shares: &dyn Fn(usize, usize) -> f64| {
        let sum = |cell| {
            (0..from.len())
                .map(|index| shares(index, cell))
                .sum::<f64>() as f32
        };
        let mut map: Vec<f32> = (0..onto.len()).map(sum).collect();
        map.resize(2 * onto.len(), 0.0);
        map
    };
    let near = |from: Grid, onto: Grid, shares: &dyn Fn(usize, usize) -> f64| {
        let mut sums = vec![0.0; RADII.len()];
        for pair in near_pairs(from, onto, &RADII) {
            for sum in &mut sums[pair.ring..] {
                *sum += shares(pair.from, pair.onto);
            }
        }
        sums
    };
    let source = Source::Spatial {
        height: reference.height,
        width: reference.width,
    };
    LayerRecord {
        r2g: map(reference, generated, back),
        g2r: Some(map(generated, reference, shares)),
        near: Some(Near {
            radii: RADII.to_vec(),
            r2g: near(reference, generated, back),
            g2r: near(generated, reference, shares),
        }),
        ..LayerRecord::new(name, source, 1, generated)
    }
}

const GRID: Grid = Grid {
    height: 5,
    width: 6,
};
const OTHER: Grid = Grid {
    height: 3,
    width: 4,
};

fn at(level: &Level, radius: usize, found: &[Locality]) -> Locality {
    let is = |found: &&Locality| found.level == *level && found.radius == radius;
    found.iter().find(is).unwrap().clone()
}

fn unified(layer: LayerRecord, direction: Direction, radius: usize) -> Locality {
    let record = record(vec![layer]);
    record.validate().unwrap();
    at(&Level::Unified, radius, &localities(&record, direction))
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
}

#[test]
fn attention_to_the_same_cell_is_1_and_even_attention_the_share_of_the_window() {
    let same = |from, onto| f64::from(u8::from(from == onto));
    for direction in Direction::ALL {
        let found = unified(layer("a", GRID, GRID, &same, &same), direction, 0);
        close(found.near, 1.0);
        // Every column of the map sums to 1, as for even attention.
        close(found.shuffled, 1.0 / 30.0);
        close(found.uniform, 1.0 / 30.0);
        close(found.gain().unwrap(), 1.0);
    }
    let even = |cells: usize| move |_, _| 1.0 / cells as f64;
    for radius in RADII {
        for direction in Direction::ALL {
            let even = layer("a", GRID, OTHER, &even(12), &even(30));
            let found = unified(even, direction, radius);
            close(found.near, found.uniform);
            close(found.shuffled, found.uniform);
            if let Some(gain) = found.gain() {
                close(gain, 0.0);
            }
        }
    }
}

#[test]
fn the_share_of_a_window_is_cut_at_borders() {
    let even = |_, _| 1.0 / 30.0;
    let found = unified(
        layer("a", GRID, GRID, &even, &even),
        Direction::GeneratedToReference,
        1,
    );
    // Rows: 2 + 3 + 3 + 3 + 2 of 5 cells, columns: 2 + 4 * 3 + 2 of 6.
    close(found.uniform, (13.0 / 25.0) * (16.0 / 36.0));
}

#[test]
fn a_map_that_always_looks_at_one_place_gains_nothing() {
    let center = |_, onto| f64::from(u8::from(onto == 14));
    for radius in RADII {
        let found = unified(
            layer("a", GRID, GRID, &center, &center),
            Direction::GeneratedToReference,
            radius,
        );
        assert!(found.near >= found.uniform);
        close(found.shuffled, found.near);
        close(found.gain().unwrap(), 0.0);
    }
}

#[test]
fn the_control_is_the_mean_over_all_shufflings() {
    let (from, onto) = (
        Grid {
            height: 1,
            width: 4,
        },
        Grid {
            height: 1,
            width: 3,
        },
    );
    let weight = |from: usize, onto: usize| 1.0 + ((from * 7 + onto * 5) % 4) as f64;
    let shares = |i: usize, j: usize| weight(i, j) / (0..3).map(|k| weight(i, k)).sum::<f64>();
    let back = |_, _| 0.25;
    let found = unified(
        layer("a", from, onto, &shares, &back),
        Direction::GeneratedToReference,
        0,
    );
    // Matching places of the four positions, by their centers at 3/8, 9/8, 15/8 and 21/8 cells.
    let places = [0, 1, 1, 2];
    let mut orders = vec![vec![]];
    for _ in 0..4 {
        let longer = |order: &Vec<usize>| {
            let left = (0..4).filter(|next| !order.contains(next));
            left.map(|next| [order.as_slice(), &[next]].concat())
                .collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    assert_eq!(orders.len(), 24);
    let of = |order: &Vec<usize>| (0..4).map(|i| shares(i, places[order[i]])).sum::<f64>() / 4.0;
    close(found.shuffled, orders.iter().map(of).sum::<f64>() / 24.0);
    close(found.near, of(&vec![0, 1, 2, 3]));
}

#[test]
fn levels_are_means_over_their_layers_heads_and_steps() {
    let same = |from, onto| f64::from(u8::from(from == onto));
    let even = |_, _| 1.0 / 30.0;
    let mut first = layer("first", GRID, GRID, &same, &same);
    let mut second = layer("second", GRID, GRID, &even, &even);
    // Two heads in two groups of one and three steps; only head 1 looks at the matching place, and only in group 0.
    for (layer, own) in [(&mut first, 30.0), (&mut second, 1.0)] {
        layer.heads = 2;
        layer.r2g = vec![1.0; 2 * 2 * 2 * 30];
        layer.g2r = Some(layer.r2g.clone());
        let near = [0.0, own, 0.0, 0.0].repeat(3);
        layer.near = Some(Near {
            radii: RADII.to_vec(),
            r2g: near.clone(),
            g2r: near,
        });
    }
    let mut record = record(vec![
        one_token("token", [2, 2], 2, &[0.25; 8]),
        first,
        second,
    ]);
    record.steps = vec![1, 3];
    record.layers[0].r2g = vec![0.25; 32];
    record.validate().unwrap();
    let found = localities(&record, Direction::GeneratedToReference);
    let near = |level: Level| at(&level, 0, &found).near;
    close(near(Level::Layer("first".to_owned())), 1.0 / 8.0);
    close(near(Level::Layer("second".to_owned())), 1.0 / 240.0);
    close(near(Level::Unified), (1.0 + 1.0 / 30.0) / 16.0);
    close(near(Level::Time(0)), (1.0 + 1.0 / 30.0) / 4.0);
    close(near(Level::Time(1)), 0.0);
    close(near(Level::Head(0)), 0.0);
    close(near(Level::Head(1)), (1.0 + 1.0 / 30.0) / 8.0);
    let size = Level::Resolution {
        height: 5,
        width: 6,
    };
    close(near(size), near(Level::Unified));
    // Unified, 2 times, 2 heads, 2 layers, 1 size; the layer of one token has none.
    assert_eq!(found.len(), 8 * 3);
}

#[test]
fn a_record_without_has_no_scores() {
    let record = record(vec![one_token("token", [2, 2], 1, &[0.25; 4])]);
    assert!(localities(&record, Direction::ReferenceToGenerated).is_empty());
}

#[test]
fn radii_that_cannot_be_are_refused() {
    for radii in [vec![], vec![1, 0], vec![1, 1], vec![17]] {
        let message = LocalityConfig { radii }.check().unwrap_err().to_string();
        assert!(message.contains("attribution.locality.radii"), "{message}");
    }
    LocalityConfig::default().check().unwrap();
}
