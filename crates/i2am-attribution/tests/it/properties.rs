//! What must hold for every record.

use i2am_attribution::{
    AttentionRecord, Averaging, Convention, ConventionName, Direction, Grid, LayerRecord, Level,
    Source, attribution_map, levels, normalise,
};
use i2am_imaging::Plane;
use proptest::prelude::*;

/// Sizes of a layer and the masks that split its positions.
#[derive(Debug, Clone)]
struct Shape {
    heads: usize,
    steps: Vec<u32>,
    generated: [usize; 2],
    reference: [usize; 2],
    hole: Vec<bool>,
    object: Vec<bool>,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let size = || [1..5_usize, 1..5_usize];
    let steps = prop::collection::vec(1..3_u32, 1..4);
    (1..4_usize, steps, size(), size()).prop_flat_map(|(heads, steps, generated, reference)| {
        let mask =
            |[height, width]: [usize; 2]| prop::collection::vec(any::<bool>(), height * width);
        (mask(generated), mask(reference)).prop_map(move |(hole, object)| Shape {
            heads,
            steps: steps.clone(),
            generated,
            reference,
            hole,
            object,
        })
    })
}

/// A record of one spatial layer at latent size, captured from random scores as a probe would.
fn records() -> impl Strategy<Value = (Shape, AttentionRecord)> {
    shapes().prop_flat_map(|shape| {
        let steps = shape.steps.iter().sum::<u32>() as usize;
        let scores = steps * shape.heads * shape.hole.len() * shape.object.len();
        prop::collection::vec(-4.0..4.0_f64, scores)
            .prop_map(move |scores| (shape.clone(), capture(&shape, &scores)))
    })
}

fn capture(shape: &Shape, scores: &[f64]) -> AttentionRecord {
    let (positions, tokens) = (shape.hole.len(), shape.object.len());
    let groups = shape.steps.len();
    let mut r2g = vec![0.0; 2 * groups * shape.heads * positions];
    let mut g2r = vec![0.0; 2 * groups * shape.heads * tokens];
    let mut matrices = scores.chunks_exact(positions * tokens);
    for (group, &steps) in shape.steps.iter().enumerate() {
        for head in (0..steps).flat_map(|_| 0..shape.heads) {
            let matrix = matrices.next().expect("one matrix for each step and head");
            for (query, inside) in shape.hole.iter().enumerate() {
                let row = softmax((0..tokens).map(|key| matrix[query * tokens + key]));
                add(
                    &mut g2r,
                    *inside,
                    [groups, shape.heads],
                    [group, head],
                    &row,
                );
            }
            for (key, inside) in shape.object.iter().enumerate() {
                let column = softmax((0..positions).map(|query| matrix[query * tokens + key]));
                add(
                    &mut r2g,
                    *inside,
                    [groups, shape.heads],
                    [group, head],
                    &column,
                );
            }
        }
    }
    let counts = |mask: &[bool]| {
        let inside = mask.iter().filter(|inside| **inside).count() as u64;
        [inside, mask.len() as u64 - inside]
    };
    let to_f32 = |sums: Vec<f64>| sums.into_iter().map(|sum| sum as f32).collect();
    let [height, width] = shape.generated;
    AttentionRecord {
        layers: vec![LayerRecord {
            r2g: to_f32(r2g),
            g2r: Some(to_f32(g2r)),
            r2g_counts: counts(&shape.object),
            g2r_counts: counts(&shape.hole),
            ..LayerRecord::new(
                "warp_flow_blks.4.transformer_blocks.0.attn2",
                Source::Spatial {
                    height: shape.reference[0],
                    width: shape.reference[1],
                },
                shape.heads,
                Grid { height, width },
            )
        }],
        steps: shape.steps.clone(),
        latent_height: height,
        latent_width: width,
    }
}

fn softmax(scores: impl Iterator<Item = f64>) -> Vec<f64> {
    let exponentials: Vec<f64> = scores.map(f64::exp).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|value| value / sum).collect()
}

fn add(
    sums: &mut [f64],
    inside: bool,
    [groups, heads]: [usize; 2],
    [group, head]: [usize; 2],
    row: &[f64],
) {
    let side = usize::from(!inside);
    let start = ((side * groups + group) * heads + head) * row.len();
    for (sum, value) in sums[start..].iter_mut().zip(row) {
        *sum += value;
    }
}

fn averaging(averaged_over: Averaging) -> Convention {
    let mut convention = Convention::preset(ConventionName::Paper);
    convention.r2g.averaged_over = averaged_over;
    convention.g2r.averaged_over = averaged_over;
    convention
}

fn unified(
    record: &AttentionRecord,
    averaged_over: Averaging,
    direction: Direction,
) -> Option<Plane> {
    let convention = averaging(averaged_over);
    let map = attribution_map(record, &convention, direction, &Level::Unified);
    map.ok().map(|map| map.plane)
}

fn counts(record: &AttentionRecord, direction: Direction) -> [u64; 2] {
    match direction {
        Direction::ReferenceToGenerated => record.layers[0].r2g_counts,
        Direction::GeneratedToReference => record.layers[0].g2r_counts,
    }
}

proptest! {
    // A failure prints its input; files of past failures would be written into the tree.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Every softmax sums to 1, so a mean of them over positions and heads, summed over steps, sums to the number of steps.
    #[test]
    fn raw_maps_sum_to_the_number_of_steps((shape, record) in records()) {
        let steps = f64::from(shape.steps.iter().sum::<u32>());
        for direction in Direction::ALL {
            for averaged_over in [Averaging::Inside, Averaging::All, Averaging::Outside] {
                if let Some(map) = unified(&record, averaged_over, direction) {
                    prop_assert!((map.sum() - steps).abs() < 1e-5 * steps, "{}", map.sum());
                }
            }
        }
    }

    #[test]
    fn all_is_the_weighted_mean_of_inside_and_outside((_, record) in records()) {
        for direction in Direction::ALL {
            let counts = counts(&record, direction);
            let all = unified(&record, Averaging::All, direction).unwrap();
            let sides = [Averaging::Inside, Averaging::Outside]
                .map(|side| unified(&record, side, direction));
            for (side, count) in sides.iter().zip(counts) {
                prop_assert_eq!(side.is_some(), count > 0);
            }
            for (index, value) in all.data().iter().enumerate() {
                let sum: f64 = sides
                    .iter()
                    .zip(counts)
                    .filter_map(|(side, count)| Some((side.as_ref()?, count)))
                    .map(|(side, count)| f64::from(side.data()[index]) * count as f64)
                    .sum();
                let mean = sum / (counts[0] + counts[1]) as f64;
                prop_assert!((f64::from(*value) - mean).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_file_gives_back_the_record((_, record) in records()) {
        let bytes = record.to_bytes().unwrap();
        let read = AttentionRecord::from_bytes(&bytes, "x".as_ref()).unwrap();
        prop_assert_eq!(read, record);
    }

    #[test]
    fn every_level_offered_gives_attribution_in_range(
        (_, record) in records(),
        size in [1..12_usize, 1..12_usize],
        preset in prop::sample::select(&ConventionName::ALL[..]),
    ) {
        let convention = Convention { time_groups: record.groups(), ..Convention::preset(preset) };
        for direction in Direction::ALL {
            let inside = counts(&record, direction)[0] > 0;
            for level in levels(&record, &convention, direction) {
                let map = match attribution_map(&record, &convention, direction, &level) {
                    Ok(map) => map,
                    // A mask may leave nothing inside.
                    Err(reason) => {
                        prop_assert!(!inside, "{}", reason);
                        continue;
                    }
                };
                let mask = Plane::from_fn(7, 5, |row, column| ((row + column) % 2) as f32);
                let [height, width] = size;
                let attribution = normalise(&map.plane, &convention, direction, height, width, Some(&mask));
                prop_assert_eq!(attribution.size(), size);
                for &value in attribution.data() {
                    prop_assert!((0.0..=1.0).contains(&value), "{}", value);
                    // The released code keeps values above its floor and zeroes the others.
                    let floor = convention.floor.unwrap_or(0.0) as f32;
                    prop_assert!(value == 0.0 || value > floor, "{}", value);
                }
            }
        }
    }
}
