//! Both directions at once against each by itself.

use i2am_runner::capture::{
    Both, Weights, both_directions, generated_to_reference, reference_to_generated,
};
use i2am_testkit::assert_close;
use tch::{Device, Kind, Tensor};

use crate::common::values;

/// Of the largest magnitude.
const TOLERANCE: f64 = 2e-6;
const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);
const GRID: (i64, i64) = (20, 15);
/// Another number than of the positions, and odd.
const KEY_GRID: (i64, i64) = (17, 13);
const POSITIONS: i64 = GRID.0 * GRID.1;
const TOKENS: i64 = KEY_GRID.0 * KEY_GRID.1;
const WIDTH: i64 = 8;
/// One row at a time; blocks of 7 rows with a rest; too little for a head; a head kept in two blocks; in one.
const CHUNKS: [usize; 5] = [
    1,
    (2 * 7 * 4 * TOKENS) as usize,
    (4 * POSITIONS * TOKENS) as usize,
    (2 * 4 * POSITIONS * TOKENS - 1) as usize,
    64 << 20,
];

/// Repeatable values with the spread of a normal distribution, `[heads, n, 8]`.
fn drawn(heads: i64, n: i64, frequency: f64) -> Tensor {
    let phase = Tensor::arange(heads * n * WIDTH, (Kind::Double, Device::Cpu)) * frequency;
    let wave = phase.square().sin() * std::f64::consts::SQRT_2;
    wave.to_kind(Kind::Float).reshape([heads, n, WIDTH])
}

/// 1 in the left third of a picture of 90 x 60.
fn mask() -> Tensor {
    let mask = Tensor::zeros([1, 1, 60, 90], CPU);
    let _ = mask.narrow(3, 0, 30).fill_(1.0);
    mask
}

/// The two directions by themselves, and the mean over heads added to ones.
fn apart(query: &Tensor, key: &Tensor, [tokens, positions]: &[Weights; 2]) -> (Both, Tensor) {
    let chunk = 64 << 20;
    let mut specific = Tensor::ones([query.size()[1], key.size()[1]], CPU);
    let both = Both {
        r2g: reference_to_generated(query, key, tokens, chunk),
        g2r: generated_to_reference(query, key, positions, chunk, Some(&mut specific)),
    };
    (both, specific)
}

fn weights(mask: Option<&Tensor>) -> [Weights; 2] {
    [
        Weights::of(mask, KEY_GRID, Device::Cpu),
        Weights::of(mask, GRID, Device::Cpu),
    ]
}

/// Checks every chunk size, with the matrix of shares and without.
fn check(case: &str, query: &Tensor, key: &Tensor, weights: &[Weights; 2]) {
    let [tokens, positions] = weights;
    let (expected, expected_specific) = apart(query, key, weights);
    for chunk in CHUNKS {
        let mut specific = expected_specific.ones_like();
        for kept in [Some(&mut specific), None] {
            let found = both_directions(query, key, tokens, positions, chunk, kept);
            for (name, found, expected) in [
                ("r2g", found.r2g, &expected.r2g),
                ("g2r", found.g2r, &expected.g2r),
            ] {
                assert_eq!(found.size(), expected.size());
                let what = format!("{case}, chunks of {chunk} bytes, {name}");
                assert_close(&what, &values(&found), &values(expected), TOLERANCE);
            }
        }
        assert_close(
            &format!("{case}, chunks of {chunk} bytes, specific"),
            &values(&specific),
            &values(&expected_specific),
            TOLERANCE,
        );
    }
}

#[test]
fn both_directions_are_those_of_each_by_itself() {
    for heads in [1, 3] {
        let query = drawn(heads, POSITIONS, 0.731) / (WIDTH as f64).sqrt();
        let key = drawn(heads, TOKENS, 1.177);
        check("no mask", &query, &key, &weights(None));
        check("masks", &query, &key, &weights(Some(&mask())));
        check("sharp", &(query * 4.0), &key, &weights(Some(&mask())));
    }
}

/// Scores above 100, of which f32 has no exponentials, in one head of three. (Not far above: at 600 the digits that f32 scores have
/// are too few for the tolerance, in whatever order they are computed.)
#[test]
fn a_head_with_scores_beyond_f32_is_reduced_by_softmaxes() {
    let query = drawn(3, POSITIONS, 0.731);
    let key = drawn(3, TOKENS, 1.177);
    let _ = query.select(0, 1).g_mul_scalar_(12.0);
    assert!(
        query.matmul(&key.transpose(1, 2)).max().double_value(&[]) > 100.0,
        "the exponentials overflow"
    );
    let weights = weights(Some(&mask()));
    check("one head", &query, &key, &weights);

    let head = |of: &Tensor| of.narrow(0, 1, 1);
    let (expected, _) = apart(&head(&query), &head(&key), &weights);
    let found = both_directions(&query, &key, &weights[0], &weights[1], 64 << 20, None);
    for (found, expected) in [(found.r2g, expected.r2g), (found.g2r, expected.g2r)] {
        let found = values(&found.narrow(1, 1, 1).contiguous());
        assert_eq!(found, values(&expected), "to the last bit");
    }
}

/// Scores far below 0, and scores that f32 has exponentials of while the shares are too small for it: position 0 attends so much to
/// the other tokens that nothing is left for token 5, which nevertheless has most of its own attention from there.
#[test]
fn shares_too_small_for_f32_are_not_lost() {
    let column = |count: i64, at: i64, there: [f32; 2], elsewhere: [f32; 2]| {
        let pair = |i: i64| if i == at { there } else { elsewhere };
        let flat: Vec<f32> = (0..count).flat_map(pair).collect();
        Tensor::from_slice(&flat).reshape([1, count, 2])
    };
    let query = column(POSITIONS, 0, [50.0, 0.0], [0.0, 1.0]);
    let key = column(TOKENS, 5, [-0.9, -54.0], [1.0, 0.0]);
    let weights = weights(None);
    check("lost in the row", &query, &key, &weights);
    let r2g = both_directions(&query, &key, &weights[0], &weights[1], 64 << 20, None).r2g;
    let of_position_0 = r2g.double_value(&[0, 0, 0]);
    assert!(
        of_position_0 > TOKENS as f64 - 1.0 + 0.9,
        "{of_position_0}: token 5 is at position 0"
    );

    let low = column(TOKENS, 5, [-2.0, -60.0], [-1.9, -61.0]);
    check("all far below 0", &query, &(low * 2.0), &weights);
}
