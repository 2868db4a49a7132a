//! The chunked reductions against the whole attention matrix, computed plainly.

use i2am_runner::capture::{Weights, generated_to_reference, reference_to_generated};
use i2am_testkit::assert_close;
use tch::{Device, Kind, Tensor};

use crate::common::values;

/// Of the largest magnitude: f32 sums in another order.
const TOLERANCE: f64 = 1e-5;
const HEADS: i64 = 3;
const GRID: (i64, i64) = (6, 5);
const KEY_GRID: (i64, i64) = (4, 7);
const WIDTH: i64 = 8;
/// One row at a time, a few rows with a rest, everything at once.
const CHUNKS: [usize; 4] = [1, 4 * 3 * 30 * 4, 4 * 3 * 28 * 7, 64 << 20];

/// Repeatable values without a generator, spread so that the softmaxes have peaks.
fn wave(size: &[i64], frequency: f64) -> Tensor {
    let count: i64 = size.iter().product();
    let phase = Tensor::arange(count, (Kind::Double, Device::Cpu)) * frequency;
    (phase.square().sin() * 2.0)
        .to_kind(Kind::Float)
        .reshape(size)
}

fn query() -> Tensor {
    wave(&[HEADS, GRID.0 * GRID.1, WIDTH], 0.731)
}

fn key() -> Tensor {
    wave(&[HEADS, KEY_GRID.0 * KEY_GRID.1, WIDTH], 1.177)
}

/// `[heads, positions, tokens]` scores, f64, without any softmax.
fn scores() -> Vec<Vec<Vec<f64>>> {
    let (query, key) = (values(&query()), values(&key()));
    let rows = |x: &[f32], count: i64| -> Vec<Vec<Vec<f64>>> {
        let row = |row: &[f32]| row.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let head = |head: &[f32]| head.chunks(WIDTH as usize).map(row).collect();
        x.chunks((count * WIDTH) as usize).map(head).collect()
    };
    let (query, key) = (
        rows(&query, GRID.0 * GRID.1),
        rows(&key, KEY_GRID.0 * KEY_GRID.1),
    );
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    query
        .iter()
        .zip(&key)
        .map(|(q, k)| {
            q.iter()
                .map(|q| k.iter().map(|k| dot(q, k)).collect())
                .collect()
        })
        .collect()
}

fn softmax(values: &[f64]) -> Vec<f64> {
    let exponentials: Vec<f64> = values.iter().map(|v| v.exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|v| v / sum).collect()
}

/// A mask at twice the grid's size, 1 where `inside(row, column)` of the grid.
fn mask(grid: (i64, i64), inside: fn(i64, i64) -> bool) -> Tensor {
    let cell = |i: i64| inside(i / (2 * grid.1) / 2, i % (2 * grid.1) / 2);
    let cells: Vec<f32> = (0..4 * grid.0 * grid.1)
        .map(|i| f32::from(u8::from(cell(i))))
        .collect();
    Tensor::from_slice(&cells).reshape([1, 1, 2 * grid.0, 2 * grid.1])
}

fn left(_row: i64, column: i64) -> bool {
    column < 2
}

fn flat(grid: (i64, i64), inside: fn(i64, i64) -> bool) -> Vec<bool> {
    (0..grid.0 * grid.1)
        .map(|i| inside(i / grid.1, i % grid.1))
        .collect()
}

#[test]
fn reference_to_generated_is_the_softmax_over_positions() {
    let is_inside = flat(KEY_GRID, left);
    let weights = Weights::of(Some(&mask(KEY_GRID, left)), KEY_GRID, Device::Cpu);
    assert_eq!(weights.counts(), [8, 20]);

    let positions = (GRID.0 * GRID.1) as usize;
    let mut expected = vec![0.0_f64; 2 * HEADS as usize * positions];
    for (head, scores) in scores().iter().enumerate() {
        for (token, &inside) in is_inside.iter().enumerate() {
            let column: Vec<f64> = scores.iter().map(|row| row[token]).collect();
            let side = usize::from(!inside);
            for (position, share) in softmax(&column).into_iter().enumerate() {
                expected[(side * HEADS as usize + head) * positions + position] += share;
            }
        }
    }
    let expected: Vec<f32> = expected.iter().map(|&v| v as f32).collect();
    for chunk in CHUNKS {
        let got = reference_to_generated(&query(), &key(), &weights, chunk);
        assert_eq!(got.size(), [2, HEADS, GRID.0 * GRID.1]);
        assert_close(
            &format!("chunks of {chunk} bytes"),
            &values(&got),
            &expected,
            TOLERANCE,
        );
        let sums = values(&got.sum_dim_intlist([2_i64].as_slice(), false, None));
        assert_close(
            "a token's shares sum to 1",
            &sums,
            &[8.0, 8.0, 8.0, 20.0, 20.0, 20.0],
            TOLERANCE,
        );
    }
}

#[test]
fn generated_to_reference_is_the_softmax_over_tokens() {
    let is_inside = flat(GRID, left);
    let weights = Weights::of(Some(&mask(GRID, left)), GRID, Device::Cpu);
    assert_eq!(weights.counts(), [12, 18]);

    let (positions, tokens) = (
        (GRID.0 * GRID.1) as usize,
        (KEY_GRID.0 * KEY_GRID.1) as usize,
    );
    let mut expected = vec![0.0_f64; 2 * HEADS as usize * tokens];
    let mut specific = vec![0.0_f64; positions * tokens];
    for (head, scores) in scores().iter().enumerate() {
        for (position, row) in scores.iter().enumerate() {
            let side = usize::from(!is_inside[position]);
            for (token, share) in softmax(row).into_iter().enumerate() {
                expected[(side * HEADS as usize + head) * tokens + token] += share;
                specific[position * tokens + token] += share / HEADS as f64;
            }
        }
    }
    let f32s = |values: &[f64]| -> Vec<f32> { values.iter().map(|&v| v as f32).collect() };
    for chunk in CHUNKS {
        let mut kept = Tensor::zeros(
            [positions as i64, tokens as i64],
            (Kind::Float, Device::Cpu),
        );
        let got = generated_to_reference(&query(), &key(), &weights, chunk, Some(&mut kept));
        assert_close(
            &format!("chunks of {chunk} bytes"),
            &values(&got),
            &f32s(&expected),
            TOLERANCE,
        );
        assert_close(
            &format!("specific, {chunk} bytes"),
            &values(&kept),
            &f32s(&specific),
            TOLERANCE,
        );
        let rows = values(&kept.sum_dim_intlist([1_i64].as_slice(), false, None));
        assert_close(
            "a position's shares sum to 1",
            &rows,
            &vec![1.0; positions],
            TOLERANCE,
        );
        let without = generated_to_reference(&query(), &key(), &weights, chunk, None);
        assert_eq!(
            values(&without),
            values(&got),
            "keeping the matrix changes nothing"
        );
    }
}

#[test]
fn cells_are_inside_from_half_cover_on() {
    let columns = |covered: [f32; 4]| Tensor::from_slice(&covered).reshape([1, 1, 2, 2]);
    let counts = |covered| Weights::of(Some(&columns(covered)), (1, 1), Device::Cpu).counts();
    assert_eq!(counts([1.0, 1.0, 0.0, 0.0]), [1, 0]);
    assert_eq!(counts([1.0, 0.0, 0.0, 0.0]), [0, 1]);
    assert_eq!(
        Weights::of(None, (3, 2), Device::Cpu).counts(),
        [6, 0],
        "no mask: all inside"
    );
}
