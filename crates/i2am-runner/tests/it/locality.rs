//! Attention near the matching place as it is recorded, against the whole matrix.

use i2am_attribution::{Direction, Level, LocalityConfig, Near, localities};
use i2am_nets::{AttentionProbe, NoProbe, Observation, Role, Segment};
use i2am_runner::capture::{
    CaptureConfig, CaptureMasks, ConditionalHalf, ForbidRule, InterveneConfig, Positions, Recorder,
    Region,
};
use i2am_testkit::assert_close;
use tch::{Device, Kind, Tensor};

use crate::common::values;
use crate::recorder::{KEY_GRID, LAYER, call, inputs, masks, scores, transformer};

/// Of the largest magnitude.
const TOLERANCE: f64 = 2e-6;
/// A gap between radii, so that a ring has several distances.
const RADII: [usize; 3] = [0, 1, 3];
const HEADS: i64 = 3;
const WIDTH: i64 = 8;
/// A row at a time; blocks, computed twice, of a head that does not fit; a head kept in two blocks.
const CHUNKS_MIB: [usize; 3] = [0, 1, 64];

fn config(chunk_mib: usize, time_groups: usize) -> CaptureConfig {
    CaptureConfig {
        time_groups,
        chunk_mib,
        locality: Some(LocalityConfig {
            radii: RADII.to_vec(),
        }),
        ..CaptureConfig::default()
    }
}

/// Repeatable values with the spread of a normal distribution, `[1, heads, n, 8]`.
fn drawn(n: i64, frequency: f64) -> Tensor {
    let phase = Tensor::arange(HEADS * n * WIDTH, (Kind::Double, Device::Cpu)) * frequency;
    let wave = phase.square().sin() * std::f64::consts::SQRT_2;
    wave.to_kind(Kind::Float).reshape([1, HEADS, n, WIDTH])
}

/// `[radii, heads]` sums of `shares`, `[heads, from, onto]`, over pairs within each radius; by the definition, cell by cell.
fn dense(shares: &Tensor, from: (i64, i64), onto: (i64, i64)) -> Vec<Vec<f64>> {
    let heads = shares.size()[0] as usize;
    let cells = (onto.0 * onto.1) as usize;
    let all = values(&shares.contiguous());
    let matching = |index: i64, of: i64, count: i64| {
        ((index as f64 + 0.5) / of as f64 * count as f64).floor() as i64
    };
    let mut sums = vec![vec![0.0; heads]; RADII.len()];
    for head in 0..heads {
        for i in 0..from.0 * from.1 {
            let row = matching(i / from.1, from.0, onto.0);
            let column = matching(i % from.1, from.1, onto.1);
            for j in 0..onto.0 * onto.1 {
                let distance = (j / onto.1 - row).abs().max((j % onto.1 - column).abs());
                let share =
                    all[(head * (from.0 * from.1) as usize + i as usize) * cells + j as usize];
                for (sum, radius) in sums.iter_mut().zip(RADII) {
                    if distance <= radius as i64 {
                        sum[head] += f64::from(share);
                    }
                }
            }
        }
    }
    sums
}

/// The record's sums of one group, `[radii, heads]` flat.
fn of_group(sums: &[f64], groups: usize, group: usize) -> Vec<f32> {
    let heads = sums.len() / RADII.len() / groups;
    (0..RADII.len())
        .flat_map(|radius| &sums[(radius * groups + group) * heads..][..heads])
        .map(|&sum| sum as f32)
        .collect()
}

fn flat(sums: &[Vec<f64>]) -> Vec<f32> {
    sums.iter().flatten().map(|&sum| sum as f32).collect()
}

/// Records one group for each pair of queries and keys, and compares.
fn check(case: &str, grid: (i64, i64), key_grid: (i64, i64), passes: &[(Tensor, Tensor)]) {
    let _guard = tch::no_grad_guard();
    for chunk in CHUNKS_MIB {
        let config = config(chunk, passes.len());
        let masks = CaptureMasks::default();
        let half = ConditionalHalf::Whole;
        let mut recorder = Recorder::new(&config, half, |_| true, masks, passes.len()).unwrap();
        for (step, (query, key)) in passes.iter().enumerate() {
            recorder.begin(call(step)).unwrap();
            recorder.observe(&Observation {
                layer: LAYER,
                query,
                key,
                scale: 0.5,
                queries: &[Segment::grid(Role::Generated, 0, grid)],
                keys: &[Segment::grid(Role::Reference(0), 0, key_grid)],
                carried: &Tensor::new,
                log_sums: &|| None,
            });
        }
        let record = recorder.finish(grid).unwrap();
        record.validate().unwrap();
        let Near { radii, r2g, g2r } = record.layers[0].near.as_ref().unwrap();
        assert_eq!(*radii, RADII);
        for (step, (query, key)) in passes.iter().enumerate() {
            let scores = (query * 0.5).matmul(&key.transpose(2, 3)).squeeze_dim(0);
            let over_tokens = scores.softmax(-1, Kind::Float);
            let over_positions = scores.softmax(1, Kind::Float).transpose(1, 2);
            for (name, found, expected) in [
                ("g2r", g2r, dense(&over_tokens, grid, key_grid)),
                ("r2g", r2g, dense(&over_positions, key_grid, grid)),
            ] {
                let found = of_group(found, passes.len(), step);
                let what = format!("{case}, chunks of {chunk} MiB, step {step}, {name}");
                assert_close(&what, &found, &flat(&expected), TOLERANCE);
            }
        }
    }
}

#[test]
fn sums_are_those_of_the_whole_matrix() {
    let pass = |grid: (i64, i64), key_grid: (i64, i64), shift: f64| {
        let query = drawn(grid.0 * grid.1, 0.731 + shift);
        (query, drawn(key_grid.0 * key_grid.1, 1.177 + shift))
    };
    let (grid, other) = ((32, 20), (21, 24));
    let passes = [pass(grid, other, 0.0), pass(grid, other, 0.3)];
    check("other grids", grid, other, &passes);
    check("equal grids", grid, grid, &[pass(grid, grid, 0.1)]);
}

#[test]
fn heads_beyond_f32_have_the_same_sums() {
    let grid = (12, 10);
    let query = drawn(120, 0.731);
    let _ = query.select(1, 1).g_mul_scalar_(24.0);
    let scores = (&query * 0.5).matmul(&drawn(120, 1.177).transpose(2, 3));
    assert!(
        scores.max().double_value(&[]) > 100.0,
        "the exponentials overflow"
    );
    check("sharp head", grid, grid, &[(query, drawn(120, 1.177))]);
}

#[test]
fn forbidden_pairs_do_not_count() {
    let _guard = tch::no_grad_guard();
    let rule = ForbidRule {
        layers: vec![LAYER.to_owned()],
        heads: Some(vec![1]),
        time_groups: None,
        models: None,
        region: Region::Box([0.0, 0.0, 0.5, 0.5]),
        from: Positions::All,
    };
    let config = CaptureConfig {
        intervene: InterveneConfig {
            forbid: vec![rule],
            ..InterveneConfig::default()
        },
        ..config(1, 1)
    };
    let half = ConditionalHalf::Whole;
    let mut recorder = Recorder::new(&config, half, |_| true, masks(), 1).unwrap();
    recorder.begin(call(0)).unwrap();
    let (x, context) = inputs(0, 1);
    let _ = transformer().forward(&x, &context, &mut recorder);
    let record = recorder.finish((12, 8)).unwrap();
    let near = record.layers[0].near.as_ref().unwrap();

    // Of 3 x 5 tokens row 0 (its center at 1/6) and columns 0 and 1 (at 1/10 and 3/10): centers at 1/2 are on the edge of the box.
    let forbidden: Vec<bool> = (0..15)
        .map(|token| token / 5 < 1 && token % 5 < 2)
        .collect();
    let forbidden = Tensor::from_slice(&forbidden);
    let scores = scores(0, 1, 0);
    let of_head = |head| scores.narrow(0, head, 1);
    let cut = of_head(1).masked_fill(&forbidden, f64::NEG_INFINITY);
    let scores = Tensor::cat(&[of_head(0), cut], 0);
    let over_tokens = scores.softmax(-1, Kind::Float);
    let over_positions = scores.softmax(1, Kind::Float).nan_to_num(0.0, None, None);
    let grid = crate::recorder::GRID;
    let expected = dense(&over_tokens, grid, KEY_GRID);
    assert_close(
        "g2r",
        &of_group(&near.g2r, 1, 0),
        &flat(&expected),
        TOLERANCE,
    );
    let expected = dense(&over_positions.transpose(1, 2), KEY_GRID, grid);
    assert_close(
        "r2g",
        &of_group(&near.r2g, 1, 0),
        &flat(&expected),
        TOLERANCE,
    );
}

#[test]
fn recording_it_changes_neither_picture_nor_the_other_sums() {
    let _guard = tch::no_grad_guard();
    let (x, context) = inputs(0, 1);
    let off = transformer().forward(&x, &context, &mut NoProbe);
    let record = |config: &CaptureConfig| {
        let half = ConditionalHalf::Whole;
        let mut recorder = Recorder::new(config, half, |_| true, masks(), 1).unwrap();
        recorder.begin(call(0)).unwrap();
        let on = transformer().forward(&x, &context, &mut recorder);
        assert_eq!(values(&on), values(&off));
        recorder.finish((12, 8)).unwrap()
    };
    let mut with = record(&config(1, 1));
    let without = record(&CaptureConfig {
        locality: None,
        ..config(1, 1)
    });
    assert!(with.layers[0].near.take().is_some());
    assert_eq!(with, without);
}

/// Keys of sharp bumps at every place, and queries that look for the bump at their own: attention falls near by itself.
#[test]
fn local_attention_scores_well_above_its_controls() {
    let _guard = tch::no_grad_guard();
    let side = 8_i64;
    let place = |index: i64| [(index / side) as f32, (index % side) as f32];
    // -|a - b|² = 2 ab - |a|² - |b|², as a product of [a, |a|², 1] and [2 b, -1, -|b|²].
    let rows = |of: &dyn Fn([f32; 2]) -> [f32; 4]| {
        let flat: Vec<f32> = (0..side * side).flat_map(|i| of(place(i))).collect();
        Tensor::from_slice(&flat).reshape([1, 1, side * side, 4])
    };
    let square = |[a, b]: [f32; 2]| a * a + b * b;
    let query = rows(&|at| [at[0], at[1], square(at), 1.0]);
    let key = rows(&|at| [2.0 * at[0], 2.0 * at[1], -1.0, -square(at)]);
    let masks = CaptureMasks::default();
    let half = ConditionalHalf::Whole;
    let mut recorder = Recorder::new(&config(64, 1), half, |_| true, masks, 1).unwrap();
    recorder.begin(call(0)).unwrap();
    recorder.observe(&Observation {
        layer: LAYER,
        query: &query,
        key: &key,
        scale: 1.0,
        queries: &[Segment::grid(Role::Generated, 0, (side, side))],
        keys: &[Segment::grid(Role::Reference(0), 0, (side, side))],
        carried: &Tensor::new,
        log_sums: &|| None,
    });
    let record = recorder.finish((side, side)).unwrap();
    for direction in Direction::ALL {
        let found = localities(&record, direction);
        let at_1 = found
            .iter()
            .find(|f| f.radius == 1 && f.level == Level::Unified);
        let found = at_1.unwrap();
        // exp(-d²): of a line 1 + 2/e of 1 + 2/e + 2/e⁴ + …, squared; more at the border.
        assert!(found.near > 0.95, "{found:?}");
        assert!(found.shuffled < 0.15, "{found:?}");
        assert!((found.uniform - (22.0_f64 / 64.0).powi(2)).abs() < 1e-12);
        assert!(found.gain().unwrap() > 0.94, "{found:?}");
    }
}
