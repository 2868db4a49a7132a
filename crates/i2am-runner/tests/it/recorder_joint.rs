//! Records of softmaxes in which keys of a reference compete with others, against both softmaxes in full.

use i2am_attribution::{
    AttentionRecord, Direction, KeyRole, LayerRecord, LocalityConfig, Source, localities,
};
use i2am_nets::layers::{BlockShape, CrossAttention, SpatialTransformer};
use i2am_nets::{
    AttentionProbe, Context, FormulaSource, Joint, NoProbe, Observation, Places, Precision, Role,
    Scope, Segment,
};
use i2am_runner::capture::{
    CaptureConfig, CaptureMasks, ConditionalHalf, ForbidRule, InterveneConfig, Positions, Recorder,
    Region, WeakenRule,
};
use i2am_testkit::assert_close;
use tch::{Device, Kind, Tensor};

use crate::common::values;
use crate::recorder::{call, wave};

const LAYER: &str = "down_blocks.0.attentions.0.transformer_blocks.0.attn1";
const GRID: (i64, i64) = (4, 3);
const HEADS: i64 = 2;
const STEPS: usize = 3;

fn left_half((height, width): (i64, i64)) -> Tensor {
    let mask = Tensor::zeros([1, 1, height, width], (Kind::Float, Device::Cpu));
    let _ = mask.narrow(3, 0, width / 2).fill_(1.0);
    mask
}

fn masks() -> CaptureMasks {
    CaptureMasks {
        inpainting: Some(left_half((8, 6))),
        reference: Some(left_half((10, 8))),
    }
}

/// 1 in the left half of a grid and 1 outside of it, `[2, n]`.
fn sides(grid: (i64, i64), mask: Option<Tensor>) -> Tensor {
    let inside = match mask {
        Some(mask) => mask.adaptive_avg_pool2d([grid.0, grid.1]).ge(0.5),
        None => Tensor::ones([grid.0 * grid.1], (Kind::Bool, Device::Cpu)),
    };
    let inside = inside.to_kind(Kind::Float).view(-1);
    Tensor::stack(&[&inside, &(-&inside + 1.0)], 0)
}

/// Queries and keys of a step: two rows of a batch, of which the second is recorded.
fn pass(step: usize, queries: i64, keys: i64) -> [Tensor; 2] {
    let shift = step as f64 * 0.37;
    [queries, keys].map(|n| wave(&[2, HEADS, n, 5], 0.613 + shift + n as f64 * 1e-3) * 3.0)
}

fn config(chunk_mib: usize) -> CaptureConfig {
    CaptureConfig {
        time_groups: 1,
        specific: vec![LAYER.to_owned()],
        chunk_mib,
        carried_sums: true,
        locality: Some(LocalityConfig::default()),
        ..CaptureConfig::default()
    }
}

/// What tokens carry, `[2, heads, keys]`.
fn carried(keys: i64) -> Tensor {
    wave(&[2, HEADS, keys], 0.41).abs() + 0.1
}

fn record(
    config: &CaptureConfig,
    queries: &[Segment],
    keys: &[Segment],
    sizes: [i64; 2],
) -> AttentionRecord {
    let half = ConditionalHalf::Second;
    let mut recorder = Recorder::new(config, half, |_| true, masks(), STEPS).unwrap();
    for step in 0..STEPS {
        recorder.begin(call(step)).unwrap();
        let [query, key] = pass(step, sizes[0], sizes[1]);
        let seen = Observation {
            layer: LAYER,
            query: &query,
            key: &key,
            scale: 0.5,
            queries,
            keys,
            carried: &|| carried(sizes[1]),
            log_sums: &|| None,
        };
        recorder.observe(&seen);
        let _ = recorder.intervene(&seen);
    }
    let record = recorder.finish((8, 6)).unwrap();
    record.validate().unwrap();
    record
}

/// Sums over the steps of `of` the scores `[heads, positions, keys]` of the recorded rows, queries `first..`.
fn summed(sizes: [i64; 2], first: i64, of: impl Fn(&Tensor) -> Tensor) -> Vec<f32> {
    let one = |step: usize| {
        let [query, key] = pass(step, sizes[0], sizes[1]).map(|x| x.select(0, 1));
        let asking = query.narrow(1, first, GRID.0 * GRID.1);
        of(&(asking.matmul(&key.transpose(1, 2)) * 0.5))
    };
    let all: Vec<Tensor> = (0..STEPS).map(one).collect();
    let sum = Tensor::stack(&all, 0).sum_dim_intlist([0_i64].as_slice(), false, Kind::Float);
    values(&sum)
}

/// Compares the record of a reference with everything in full. `own` are its keys.
fn compare(
    layer: &LayerRecord,
    sizes: [i64; 2],
    first: i64,
    (start, grid): (i64, (i64, i64)),
    has_mask: bool,
) {
    let tokens = grid.0 * grid.1;
    let own = |x: &Tensor| x.narrow(2, start, tokens);
    let positions = sides(GRID, Some(left_half((8, 6)))).unsqueeze(1);
    let reference = sides(grid, has_mask.then(|| left_half((10, 8))));
    let by_token = reference.transpose(0, 1);
    // [2, heads, positions] of sums over tokens, and [2, heads, tokens] of sums over positions.
    let over_tokens = |x: &Tensor| x.matmul(&by_token).permute([2, 0, 1]);
    let over_positions = |x: &Tensor| {
        positions
            .unsqueeze(1)
            .matmul(&x.unsqueeze(0))
            .squeeze_dim(2)
    };
    let lengths = carried(sizes[1])
        .select(0, 1)
        .narrow(1, start, tokens)
        .unsqueeze(1);
    let softmax = |scores: &Tensor| own(&scores.softmax(-1, Kind::Float));
    let columns = |scores: &Tensor| own(&scores.softmax(-2, Kind::Float));
    let all = |of: &dyn Fn(&Tensor) -> Tensor| summed(sizes, first, of);
    let check = |what: &str, found: &[f32], expected: &[f32]| {
        assert_close(&format!("{}: {what}", layer.name), found, expected, 1e-5);
    };
    check("r2g", &layer.r2g, &all(&|s| over_tokens(&columns(s))));
    let g2r = layer.g2r.as_ref().unwrap();
    check("g2r", g2r, &all(&|s| over_positions(&softmax(s))));
    let relative = layer.relative.as_ref().unwrap();
    let slice = |s: &Tensor| own(s).softmax(-1, Kind::Float);
    check("relative", relative, &all(&|s| over_positions(&slice(s))));
    let share = layer.share.as_ref().unwrap();
    check("share", share, &all(&|s| over_tokens(&softmax(s))));
    let found = layer.carried.as_ref().unwrap();
    let expected = all(&|s| over_tokens(&(columns(s) * &lengths)));
    check("carried r2g", &found.r2g, &expected);
    let expected = all(&|s| over_positions(&(softmax(s) * &lengths)));
    check("carried g2r", found.g2r.as_ref().unwrap(), &expected);
    let expected = all(&|s| over_tokens(&(softmax(s) * &lengths)));
    check("carried share", &found.share, &expected);
    let mean = all(&|s| softmax(s).mean_dim([0_i64].as_slice(), false, Kind::Float) / STEPS as f64);
    let specific: Vec<f32> = layer
        .specific
        .as_ref()
        .unwrap()
        .iter()
        .map(|value| value.to_f32())
        .collect();
    assert_close("specific", &specific, &mean, 1e-3);
    // Shares of all keys add up to the steps.
    let positions = (GRID.0 * GRID.1) as usize;
    for head in 0..HEADS as usize {
        let of_head = |side: usize| {
            let start = (side * HEADS as usize + head) * positions;
            share[start..start + positions].iter().sum::<f32>()
        };
        let reference = (of_head(0) + of_head(1)) / positions as f32;
        let others: f32 = layer.others.iter().map(|other| other.share[head]).sum();
        let sum = reference + others;
        assert!((sum - STEPS as f32).abs() < 1e-4, "{sum}");
    }
}

#[test]
fn a_reference_below_its_image_as_queries_and_keys() {
    let positions = GRID.0 * GRID.1;
    let segments = [
        Segment::grid(Role::Generated, 0, GRID),
        Segment::grid(Role::Reference(0), positions, GRID),
    ];
    let sizes = [2 * positions; 2];
    for chunk in [1, 64] {
        let record = record(&config(chunk), &segments, &segments, sizes);
        let [layer] = &record.layers[..] else {
            panic!("one reference has one record");
        };
        assert_eq!(layer.name, LAYER);
        compare(layer, sizes, 0, (positions, GRID), true);
        let roles: Vec<KeyRole> = layer.others.iter().map(|other| other.role).collect();
        assert_eq!(roles, [KeyRole::Generated]);
        // Locality is measured against what the reference has, not against 1.
        let found = &localities(&record, Direction::GeneratedToReference)[0];
        let share: f32 = layer.share.as_ref().unwrap().iter().sum();
        let mean = f64::from(share) / (STEPS as f64 * HEADS as f64 * positions as f64);
        assert!((found.share - mean).abs() < 1e-5, "{found:?}, {mean}");
        assert!(found.near < found.share && found.uniform < found.share);
        let found = &localities(&record, Direction::ReferenceToGenerated)[0];
        assert!((found.share - 1.0).abs() < 1e-9);
    }
}

#[test]
fn text_and_two_references_compete() {
    let positions = GRID.0 * GRID.1;
    let other = (3, 2);
    let keys = [
        Segment::pooled(Role::Text, 0..4),
        Segment::grid(Role::Generated, 4, GRID),
        Segment::grid(Role::Reference(0), 4 + positions, GRID),
        Segment::grid(Role::Reference(1), 4 + 2 * positions, other),
    ];
    let queries = [
        Segment::pooled(Role::Text, 0..4),
        Segment::grid(Role::Generated, 4, GRID),
    ];
    let sizes = [4 + positions, 10 + 2 * positions];
    let record = record(&config(1), &queries, &keys, sizes);
    let [first, second] = &record.layers[..] else {
        panic!("every reference has a record");
    };
    assert_eq!(first.name, format!("{LAYER}#1"));
    assert_eq!((second.reference, &second.name), (1, &format!("{LAYER}#2")));
    compare(first, sizes, 4, (4 + positions, GRID), true);
    compare(second, sizes, 4, (4 + 2 * positions, other), false);
    let roles: Vec<KeyRole> = second.others.iter().map(|other| other.role).collect();
    let expected = [KeyRole::Text, KeyRole::Generated, KeyRole::OtherReference];
    assert_eq!(roles, expected);
}

#[test]
fn a_class_token_competes_with_the_positions() {
    let positions = GRID.0 * GRID.1;
    let keys = [
        Segment::pooled(Role::Reference(0), 0..1),
        Segment::grid(Role::Reference(0), 1, (3, 3)),
    ];
    let queries = [Segment::grid(Role::Generated, 0, GRID)];
    let sizes = [positions, 10];
    let record = record(&config(64), &queries, &keys, sizes);
    compare(&record.layers[0], sizes, 0, (1, (3, 3)), true);
    assert_eq!(record.layers[0].others[0].role, KeyRole::Pooled);
}

#[test]
fn pooled_tokens_have_a_map_of_the_image_only() {
    let positions = GRID.0 * GRID.1;
    let keys = [Segment::pooled(Role::Reference(0), 0..4)];
    let queries = [Segment::grid(Role::Generated, 0, GRID)];
    let plain = CaptureConfig {
        carried_sums: false,
        specific: Vec::new(),
        ..config(64)
    };
    let record = record(&plain, &queries, &keys, [positions, 4]);
    let layer = &record.layers[0];
    assert_eq!(layer.source, Source::Tokens { count: 4 });
    assert!(layer.g2r.is_none() && layer.share.is_none() && layer.others.is_empty());
    let expected = summed([positions, 4], 0, |scores| {
        let sum =
            scores
                .softmax(-2, Kind::Float)
                .sum_dim_intlist([2_i64].as_slice(), false, Kind::Float);
        Tensor::stack(&[&sum, &sum.zeros_like()], 0)
    });
    assert_close("r2g", &layer.r2g, &expected, 1e-5);
    assert!(!layer.is_one_token());
}

#[test]
fn maps_over_mixed_tokens_are_composed() {
    let positions = GRID.0 * GRID.1;
    let weights = wave(&[2, 4, 6], 0.7).abs().softmax(-1, Kind::Float) * 0.8;
    let keys = [Segment {
        role: Role::Reference(0),
        tokens: 0..4,
        places: Places::Mixed {
            grid: (2, 3),
            weights: weights.shallow_clone(),
        },
    }];
    let queries = [Segment::grid(Role::Generated, 0, GRID)];
    let plain = CaptureConfig {
        carried_sums: false,
        ..config(64)
    };
    let record = record(&plain, &queries, &keys, [positions, 4]);
    let layer = &record.layers[0];
    let positions_of = sides(GRID, Some(left_half((8, 6))))
        .unsqueeze(1)
        .unsqueeze(1);
    let expected = summed([positions, 4], 0, |scores| {
        let tokens = scores.softmax(-1, Kind::Float);
        let sums = positions_of.matmul(&tokens.unsqueeze(0)).squeeze_dim(2);
        sums.matmul(&weights.select(0, 1))
    });
    assert_close("g2r", layer.g2r.as_ref().unwrap(), &expected, 1e-5);
    assert!(layer.near.is_none() && layer.relative.is_none());
}

/// A transformer without cross-attention over an image above its reference.
fn transformer() -> SpatialTransformer {
    let source = FormulaSource::new(Precision::F32, Device::Cpu);
    let shape = BlockShape {
        width: 8,
        context: 6,
        heads: HEADS,
        groups: 4,
        depth: 1,
        cross: CrossAttention::Absent,
    };
    let scope = Scope::root(&source, "unet");
    SpatialTransformer::new(&scope.sub("down_blocks.0.attentions.0"), &shape)
}

fn tall() -> Tensor {
    wave(&[1, 8, 2 * GRID.0, GRID.1], 0.83) * 2.0
}

/// Output and record of one pass.
fn run(intervene: InterveneConfig) -> (Tensor, AttentionRecord) {
    let _guard = tch::no_grad_guard();
    let config = CaptureConfig {
        intervene,
        ..config(64)
    };
    let half = ConditionalHalf::Whole;
    let mut recorder = Recorder::new(&config, half, |_| true, masks(), 1).unwrap();
    recorder.begin(call(0)).unwrap();
    let context = Context::joint(Joint::LowerHalf);
    let out = transformer().forward(&tall(), &context, &mut recorder);
    (out, recorder.finish((8, 6)).unwrap())
}

fn rule(from: Positions, region: Region) -> ForbidRule {
    ForbidRule {
        models: None,
        layers: vec!["*.attn1".to_owned()],
        heads: None,
        time_groups: None,
        from,
        region,
    }
}

fn upper(x: &Tensor) -> Tensor {
    x.narrow(2, 0, GRID.0)
}

fn lower(x: &Tensor) -> Tensor {
    x.narrow(2, GRID.0, GRID.0)
}

fn moved(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

#[test]
fn capture_changes_nothing_and_interventions_change_what_they_name() {
    let _guard = tch::no_grad_guard();
    let context = Context::joint(Joint::LowerHalf);
    let alone = transformer().forward(&tall(), &context, &mut NoProbe);
    let (plain, _) = run(InterveneConfig::default());
    assert_eq!(values(&alone), values(&plain));

    // What the image reads of the reference; the reference itself is left alone.
    let forbid = |from, region| InterveneConfig {
        forbid: vec![rule(from, region)],
        ..InterveneConfig::default()
    };
    let (out, record) = run(forbid(Positions::All, Region::Reference));
    assert!(moved(&upper(&out), &upper(&plain)) > 1e-3);
    assert!(moved(&lower(&out), &lower(&plain)) < 1e-6);
    let layer = &record.layers[0];
    assert!(
        layer
            .share
            .as_ref()
            .unwrap()
            .iter()
            .all(|share| *share == 0.0)
    );
    assert!(
        layer.others[0]
            .share
            .iter()
            .all(|share| (share - 1.0).abs() < 1e-5)
    );
    // The other way round.
    let (out, record) = run(forbid(Positions::Reference, Region::Generated));
    assert!(moved(&upper(&out), &upper(&plain)) < 1e-6);
    assert!(moved(&lower(&out), &lower(&plain)) > 1e-3);
    let share = record.layers[0].share.as_ref().unwrap();
    assert!(share.iter().sum::<f32>() > 0.1);
}

#[test]
fn weakened_keys_are_read_less_and_nothing_in_their_place() {
    let _guard = tch::no_grad_guard();
    let weaken = |factor: f64| InterveneConfig {
        weaken: vec![WeakenRule {
            models: None,
            layers: vec!["*.attn1".to_owned()],
            heads: None,
            time_groups: None,
            from: Positions::All,
            region: Region::Reference,
            factor,
        }],
        ..InterveneConfig::default()
    };
    let (plain, record) = run(InterveneConfig::default());
    let share = |record: &AttentionRecord| record.layers[0].share.clone().unwrap();
    let (out, _) = run(weaken(1.0));
    assert!(moved(&out, &plain) < 1e-5);
    let (out, half) = run(weaken(0.5));
    let halved: Vec<f32> = share(&record).iter().map(|share| share * 0.5).collect();
    assert_close("share", &share(&half), &halved, 1e-5);
    let others = |record: &AttentionRecord| record.layers[0].others[0].share.clone();
    assert_close("others", &others(&half), &others(&record), 1e-5);
    assert!(moved(&upper(&out), &upper(&plain)) > 1e-4);
    assert!(moved(&lower(&out), &lower(&plain)) < 1e-6);
}
