//! A model whose answer is known: a layer that copies every position of the image from one known place of the reference.

use i2am_faithfulness::{
    Correlation, Curve, Effects, FLOOR, Order, SHARE, between, groups, pointing, relevance_mass,
    relevance_rank, removals, saco, transposed, weighted_agreement,
};
use i2am_imaging::Plane;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const CELLS: [usize; 2] = [6, 4];
const POSITIONS: usize = 276;

/// From which cell each position is copied: `c` positions from cell `c`, so that all cells differ in what they matter.
fn sources() -> Vec<usize> {
    let cells = CELLS[0] * CELLS[1];
    let many = (0..cells).flat_map(|cell| std::iter::repeat_n(cell, cell));
    let all: Vec<usize> = many.collect();
    // Spread over the image by a step that has no common factor with their number.
    (0..POSITIONS)
        .map(|position| all[position * 143 % all.len()])
        .collect()
}

/// What the layer makes of a reference of ones with the cells `gone` at 0.
fn copied(sources: &[usize], gone: &[usize]) -> Vec<f32> {
    let value = |source: &usize| f32::from(u8::from(!gone.contains(source)));
    sources.iter().map(value).collect()
}

struct Known {
    /// How many positions are copied from each cell.
    map: Plane,
    effects: Vec<f64>,
    /// By cell, where the image changes without it; the attention of the layer is the same.
    changed: Vec<Plane>,
    sources: Vec<usize>,
}

impl Known {
    /// What is left of the image without the cells `gone`.
    fn kept(&self, gone: &[usize]) -> f64 {
        let own = copied(&self.sources, &[]);
        let all: Vec<usize> = (0..CELLS[0] * CELLS[1]).collect();
        let without = copied(&self.sources, &all);
        let weights = [1.0; POSITIONS];
        let effects = Effects::new(&own, &without, &weights, FLOOR);
        let effects = effects.expect("the reference is all that the image has");
        let kept = effects.kept(&copied(&self.sources, gone));
        kept.expect("zeros and ones")
    }
}

fn known() -> Known {
    let sources = sources();
    let count = |cell: usize| sources.iter().filter(|source| **source == cell).count();
    let changed = |cell: usize| {
        Plane::from_fn(1, POSITIONS, |_, position| {
            f32::from(u8::from(sources[position] == cell))
        })
    };
    let cells = CELLS[0] * CELLS[1];
    let mut known = Known {
        map: Plane::from_fn(CELLS[0], CELLS[1], |row, column| {
            count(row * CELLS[1] + column) as f32
        }),
        effects: Vec::new(),
        changed: (0..cells).map(changed).collect(),
        sources: sources.clone(),
    };
    known.effects = (0..cells).map(|cell| 1.0 - known.kept(&[cell])).collect();
    known
}

fn claims(map: &Plane) -> Vec<f64> {
    map.data().iter().map(|&value| f64::from(value)).collect()
}

/// The area between the curves of deletion in the order of `map`.
fn area(known: &Known, map: &Plane, seed: u64) -> f64 {
    let groups = groups(map, 8, seed);
    let curve = |order| {
        let values = removals(&groups, order);
        let curve = Curve::new(values.iter().map(|gone| known.kept(gone)).collect());
        curve.expect("as many values as sets")
    };
    between(&curve(Order::LeastFirst), &curve(Order::MostFirst))
}

/// `map` with its values in a random order, draw `seed`.
fn shuffled(map: &Plane, seed: usize) -> Plane {
    let count = map.data().len();
    let mut order: Vec<usize> = (0..count).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
    for last in (1..count).rev() {
        order.swap(last, rng.next_u32() as usize % (last + 1));
    }
    let [height, width] = map.size();
    let values = order.iter().map(|&index| map.data()[index]).collect();
    Plane::new(height, width, values).expect("as many values as before")
}

/// What a map, and the number of its draw, is scored by.
type Score<'a> = &'a dyn Fn(&Plane, usize) -> f64;

#[test]
fn the_map_of_a_layer_that_copies_known_places_is_perfect() {
    let known = known();
    let claims = claims(&known.map);
    assert_eq!(saco(&claims, &known.effects), Some(1.0));
    let correlation = Correlation::of(&claims, &known.effects).unwrap();
    assert!((correlation.spearman - 1.0).abs() < 1e-12);
    assert!((correlation.pearson - 1.0).abs() < 1e-12);
    let truth = known.effects.iter().map(|&effect| effect as f32).collect();
    let truth = Plane::new(CELLS[0], CELLS[1], truth).unwrap();
    let located = [pointing, relevance_rank].map(|score| score(&known.map, &truth, SHARE));
    for found in located {
        assert!((found.unwrap().value - 1.0).abs() < 1e-12, "{found:?}");
    }
    let mass = relevance_mass(&known.map, &truth, SHARE).unwrap();
    assert!(mass.value > mass.expected, "{mass:?}");
    assert!(area(&known, &known.map, 0) > 0.3);

    // Of single cells and of single positions.
    let positions = transposed(&known.changed, CELLS);
    let one = weighted_agreement(&known.changed, &known.changed).unwrap();
    assert!((one - 1.0).abs() < 1e-12, "{one}");
    let both = weighted_agreement(&positions, &positions).unwrap();
    assert!((both - 1.0).abs() < 1e-12, "{both}");
}

#[test]
fn a_shuffled_map_has_nothing() {
    const DRAWS: usize = 400;
    let known = known();
    let mean = |score: Score<'_>| {
        let values: Vec<f64> = (0..DRAWS)
            .map(|draw| score(&shuffled(&known.map, draw), draw))
            .collect();
        let mean = values.iter().sum::<f64>() / DRAWS as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (mean, (squares / (DRAWS * (DRAWS - 1)) as f64).sqrt())
    };
    let scores: [(&str, Score<'_>); 3] = [
        ("saco", &|map, _| {
            saco(&claims(map), &known.effects).unwrap()
        }),
        ("rank correlation", &|map, _| {
            Correlation::of(&claims(map), &known.effects)
                .unwrap()
                .spearman
        }),
        ("area", &|map, draw| area(&known, map, draw as u64)),
    ];
    for (name, score) in scores {
        let (mean, error) = mean(score);
        assert!(
            mean.abs() < 4.0 * error,
            "{name}: {mean} with an error of {error}"
        );
        assert!(error < 0.02, "{name}: {error}");
    }
}
