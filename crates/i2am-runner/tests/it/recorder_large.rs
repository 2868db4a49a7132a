//! Large layers, whose record is made from the sums of exponentials that the layer's own kernel returns.

use std::cell::Cell;

use i2am_attribution::{LayerRecord, LocalityConfig};
use i2am_nets::{AttentionProbe, NoProbe, Observation, Role, Segment};
use i2am_runner::capture::{CaptureConfig, ConditionalHalf, Recorder};
use i2am_testkit::{assert_close, deviation};
use tch::{Device, Kind, Tensor};

use crate::recorder::{LAYER, call, inputs, masks, transformer, wave};

/// 2,200 positions and 2,000 tokens, more scores than a small layer has.
const GRID: (i64, i64) = (50, 44);
const KEY_GRID: (i64, i64) = (50, 40);
const HEADS: i64 = 2;
const SCALE: f64 = 0.5;

/// `[2, heads, count, 4]`; the second head of the second row is `sharp` times as large.
fn drawn(count: i64, frequency: f64, sharp: f64) -> Tensor {
    let x = wave(&[2, HEADS, count, 4], frequency);
    let _ = x.select(0, 1).select(0, 1).g_mul_scalar_(sharp);
    x
}

/// What is recorded of the second row, with or without the sums of the kernel, and how often they were asked for.
fn recorded(query: &Tensor, key: &Tensor, with_sums: bool) -> (LayerRecord, usize) {
    let keys = [Segment::grid(Role::Reference(0), 0, KEY_GRID)];
    let config = CaptureConfig {
        time_groups: 1,
        locality: Some(LocalityConfig::default()),
        ..CaptureConfig::default()
    };
    recorded_of([query, key], &keys, &config, with_sums)
}

/// The same of other keys.
fn recorded_of(
    [query, key]: [&Tensor; 2],
    keys: &[Segment],
    config: &CaptureConfig,
    with_sums: bool,
) -> (LayerRecord, usize) {
    let half = ConditionalHalf::Second;
    let mut recorder = Recorder::new(config, half, |_| true, masks(), 1).unwrap();
    recorder.begin(call(0)).unwrap();
    let asked = Cell::new(0);
    let sums = || {
        asked.set(asked.get() + 1);
        let scores = (query * SCALE).matmul(&key.transpose(2, 3));
        with_sums.then(|| scores.logsumexp([-1_i64].as_slice(), false))
    };
    recorder.observe(&Observation {
        layer: LAYER,
        query,
        key,
        scale: SCALE,
        queries: &[Segment::grid(Role::Generated, 0, GRID)],
        keys,
        carried: &|| wave(&[2, HEADS, key.size()[2]], 0.41).abs() + 0.1,
        log_sums: &sums,
    });
    let mut record = recorder.finish(GRID).unwrap();
    record.validate().unwrap();
    (record.layers.remove(0), asked.get())
}

#[test]
fn the_record_is_that_of_both_softmaxes() {
    let _guard = tch::no_grad_guard();
    let (query, key) = (drawn(2200, 0.731, 3.0), drawn(2000, 1.177, 1.0));
    let (found, asked) = recorded(&query, &key, true);
    let (expected, _) = recorded(&query, &key, false);
    assert_eq!(asked, 1);
    let (g2r, expected_g2r) = (found.g2r.unwrap(), expected.g2r.unwrap());
    assert_close("r2g", &found.r2g, &expected.r2g, 1e-5);
    assert_close("g2r", &g2r, &expected_g2r, 1e-5);
    // Made another way, so rounded otherwise.
    assert!(deviation("g2r", &g2r, &expected_g2r).relative > 0.0);
    let (near, expected_near) = (found.near.unwrap(), expected.near.unwrap());
    for (what, found, expected) in [
        ("near, r2g", near.r2g, expected_near.r2g),
        ("near, g2r", near.g2r, expected_near.g2r),
    ] {
        let single = |sums: &[f64]| sums.iter().map(|&sum| sum as f32).collect::<Vec<_>>();
        assert_close(what, &single(&found), &single(&expected), 1e-5);
    }
}

/// With the sums, no score of the image's own keys is formed; what is recorded of them follows from the rest.
#[test]
fn keys_that_compete_are_recorded_as_without_the_sums() {
    let _guard = tch::no_grad_guard();
    let positions = GRID.0 * GRID.1;
    let tokens = KEY_GRID.0 * KEY_GRID.1;
    let keys = [
        Segment::pooled(Role::Text, 0..5),
        Segment::grid(Role::Generated, 5, GRID),
        Segment::grid(Role::Reference(0), 5 + positions, KEY_GRID),
    ];
    let (query, key) = (
        drawn(positions, 0.731, 3.0),
        drawn(5 + positions + tokens, 1.177, 1.0),
    );
    let config = CaptureConfig {
        time_groups: 1,
        carried_sums: true,
        locality: Some(LocalityConfig::default()),
        ..CaptureConfig::default()
    };
    let [(found, asked), (expected, _)] =
        [true, false].map(|sums| recorded_of([&query, &key], &keys, &config, sums));
    assert_eq!(asked, 1);
    let optional = |x: Option<Vec<f32>>| x.unwrap();
    let (carried, expected_carried) = (found.carried.unwrap(), expected.carried.unwrap());
    for (what, found, expected) in [
        ("r2g", found.r2g, expected.r2g),
        ("g2r", optional(found.g2r), optional(expected.g2r)),
        (
            "relative",
            optional(found.relative),
            optional(expected.relative),
        ),
        ("share", optional(found.share), optional(expected.share)),
        ("carried r2g", carried.r2g, expected_carried.r2g),
        (
            "carried g2r",
            optional(carried.g2r),
            optional(expected_carried.g2r),
        ),
        ("carried share", carried.share, expected_carried.share),
    ] {
        assert_close(what, &found, &expected, 1e-5);
    }
    assert_eq!(found.others.len(), 2);
    for (found, expected) in found.others.iter().zip(&expected.others) {
        assert_eq!(found.role, expected.role);
        assert_close("others", &found.share, &expected.share, 1e-5);
    }
}

#[test]
fn a_head_beyond_f32_is_recorded_as_without() {
    let _guard = tch::no_grad_guard();
    let (query, key) = (drawn(2200, 0.731, 100.0), drawn(2000, 1.177, 1.0));
    let [found, expected] = [true, false].map(|sums| recorded(&query, &key, sums).0);
    let head = |sums: &[f32], head: usize| {
        let cells = sums.len() / 4;
        let of_mask = |mask: usize| sums[(2 * mask + head) * cells..][..cells].to_vec();
        [of_mask(0), of_mask(1)].concat()
    };
    assert_eq!(head(&found.r2g, 1), head(&expected.r2g, 1));
    assert_close(
        "head 0",
        &head(&found.r2g, 0),
        &head(&expected.r2g, 0),
        1e-5,
    );
}

/// Asks for the sums of every layer.
#[derive(Default)]
struct Asks {
    sums: Vec<Tensor>,
    expected: Vec<Tensor>,
}

impl AttentionProbe for Asks {
    fn observe(&mut self, seen: &Observation<'_>) {
        let sums = (seen.log_sums)().expect("a plain layer on the CPU in f32");
        // Asked again, it is the same.
        assert_eq!((seen.log_sums)().as_ref(), Some(&sums));
        let scores = seen.query.matmul(&seen.key.transpose(2, 3)) * seen.scale;
        self.expected
            .push(scores.logsumexp([-1_i64].as_slice(), false));
        self.sums.push(sums);
    }
}

#[test]
fn a_layer_says_its_sums_and_computes_the_same() {
    let _guard = tch::no_grad_guard();
    let (network, (x, context)) = (transformer(), inputs(0, 2));
    let mut asks = Asks::default();
    let found = network.forward(&x, &context, &mut asks);
    assert_eq!(found, network.forward(&x, &context, &mut NoProbe));
    assert_eq!(asks.sums.len(), 1);
    assert_eq!(asks.sums[0].size(), asks.expected[0].size());
    let largest = (&asks.sums[0] - &asks.expected[0]).abs().max();
    assert!(largest.double_value(&[]) < 1e-5, "{largest:?}");
    assert_eq!(asks.sums[0].kind(), Kind::Float);
    assert_eq!(asks.sums[0].device(), Device::Cpu);
}
