//! Heads switched off and regions forbidden: what changes, and that nothing else does.

use i2am_attribution::AttentionRecord;
use i2am_nets::layers::{BlockShape, SpatialTransformer};
use i2am_nets::{FormulaSource, Init, NoProbe, Precision, Scope, TensorSource};
use i2am_runner::capture::{
    CaptureConfig, ConditionalHalf, ForbidRule, InterveneConfig, Positions, Recorder, Region,
    ScaleRule,
};
use i2am_runner::families::{Generated, Model as _};
use i2am_testkit::assert_close;
use tch::{Device, Kind, Tensor};

use crate::common::values;
use crate::recorder::{GRID, KEY_GRID, LAYER, call, inputs, masks, scores, transformer};
use crate::stable_viton;
use crate::tiny::{SIDE, TinyModel, run, sample, seeded};

const DOWN: &str = "down_blocks.0.attentions.0.transformer_blocks.0.attn2";
const UP: [&str; 2] = [
    "up_blocks.1.attentions.0.transformer_blocks.0.attn2",
    "up_blocks.1.attentions.1.transformer_blocks.0.attn2",
];
const TOKENS: i64 = KEY_GRID.0 * KEY_GRID.1;

fn scaled(layer: &str, heads: &[usize], factor: f64) -> ScaleRule {
    ScaleRule {
        models: None,
        layers: vec![layer.to_owned()],
        heads: Some(heads.to_vec()),
        time_groups: None,
        factor,
    }
}

fn forbidden(layer: &str, region: Region) -> ForbidRule {
    ForbidRule {
        models: None,
        layers: vec![layer.to_owned()],
        heads: None,
        time_groups: None,
        from: Positions::Masked,
        region,
    }
}

fn off(rule: ScaleRule) -> InterveneConfig {
    InterveneConfig {
        scale: vec![rule],
        ..InterveneConfig::default()
    }
}

fn without(rule: ForbidRule) -> InterveneConfig {
    InterveneConfig {
        forbid: vec![rule],
        ..InterveneConfig::default()
    }
}

/// The recorder of one step beside the transformer of this suite, with its position-by-position attention.
fn recorder(intervene: InterveneConfig) -> Recorder {
    let config = CaptureConfig {
        time_groups: 1,
        specific: vec!["warp.*".to_owned()],
        intervene,
        ..CaptureConfig::default()
    };
    let mut recorder =
        Recorder::new(&config, ConditionalHalf::Whole, |_| true, masks(), 1).unwrap();
    recorder.begin(call(0)).unwrap();
    recorder
}

/// Output and record of one pass.
fn pass(intervene: InterveneConfig) -> (Tensor, AttentionRecord) {
    let _guard = tch::no_grad_guard();
    let mut recorder = recorder(intervene);
    let (x, context) = inputs(0, 1);
    let out = transformer().forward(&x, &context, &mut recorder);
    (out, recorder.finish((12, 8)).unwrap())
}

/// `[n]`, 1 where the column of a grid is below `below`.
fn left(grid: (i64, i64), below: i64) -> Tensor {
    let column = Tensor::arange(grid.0 * grid.1, (Kind::Int64, Device::Cpu)).remainder(grid.1);
    column.lt(below)
}

/// `[positions, tokens]`: the masked positions, which are the left half, and the tokens outside the mask of the reference.
fn pairs() -> Tensor {
    let tokens = left(KEY_GRID, 3).logical_not();
    left(GRID, 2).unsqueeze(1).logical_and(&tokens.unsqueeze(0))
}

#[test]
fn a_forbidden_region_gets_no_attention_and_the_rest_shares_it() {
    let _guard = tch::no_grad_guard();
    let rule = forbidden(LAYER, Region::OutsideReferenceMask);
    let (out, record) = pass(without(rule));
    let layer = &record.layers[0];
    let scores = scores(0, 1, 0).masked_fill(&pairs(), f64::NEG_INFINITY);

    let to_reference = scores.softmax(-1, Kind::Float);
    let inside = left(GRID, 2).to_kind(Kind::Float);
    let both = |inside: &Tensor| Tensor::stack(&[inside, &(-inside + 1.0)], 0);
    let expected = both(&inside)
        .unsqueeze(1)
        .unsqueeze(1)
        .matmul(&to_reference.unsqueeze(0));
    let g2r = layer.g2r.as_ref().unwrap();
    assert_close("g2r", g2r, &values(&expected), 1e-5);
    let to_generated = scores.softmax(-2, Kind::Float);
    let garment = left(KEY_GRID, 3).to_kind(Kind::Float);
    let expected = to_generated
        .unsqueeze(0)
        .matmul(&both(&garment).unsqueeze(1).unsqueeze(-1));
    assert_close("r2g", &layer.r2g, &values(&expected), 1e-5);

    // Not small: nothing.
    let specific = layer.specific.as_ref().unwrap();
    let forbidden = Vec::<bool>::try_from(pairs().view(-1)).unwrap();
    assert_eq!(forbidden.iter().filter(|pair| **pair).count(), 12 * 6);
    for (value, forbidden) in specific.iter().zip(forbidden) {
        assert_eq!(value.to_f32() == 0.0, forbidden);
    }

    // Only the masked positions look elsewhere.
    let (plain, _) = pass(InterveneConfig::default());
    let moved = (&out - &plain)
        .abs()
        .amax([1], false)
        .view([GRID.0, GRID.1]);
    let [masked, kept] = [moved.narrow(1, 0, 2), moved.narrow(1, 2, 2)];
    assert!(masked.min().double_value(&[]) > 1e-3, "{moved}");
    assert!(kept.max().double_value(&[]) < 1e-5, "{moved}");
}

#[test]
fn a_region_can_be_forbidden_to_one_head_and_in_a_box() {
    let plain = pass(InterveneConfig::default()).1;
    let rule = ForbidRule {
        heads: Some(vec![1]),
        from: Positions::All,
        // The rightmost of five columns, by its center at 0.9.
        ..forbidden("*", Region::Box([0.0, 0.85, 1.0, 1.0]))
    };
    let changed = pass(without(rule)).1;
    let g2r = |record: &AttentionRecord, head: usize| {
        let tokens = TOKENS as usize;
        let sums = record.layers[0].g2r.clone().unwrap();
        let side = |side: usize| sums[(2 * side + head) * tokens..][..tokens].to_vec();
        [side(0), side(1)].concat()
    };
    assert_eq!(g2r(&changed, 0), g2r(&plain, 0));
    for (index, value) in g2r(&changed, 1).into_iter().enumerate() {
        assert_eq!(value == 0.0, index % 5 == 4, "token {index}");
    }
    // Tokens that nobody may attend to have no place in the picture.
    let r2g: f32 = changed.layers[0].r2g.iter().sum();
    assert!((r2g - (TOKENS + TOKENS - 3) as f32).abs() < 1e-4, "{r2g}");
}

/// Formula weights, but for the values of head 0, which are zeros.
struct Silenced(FormulaSource);

impl TensorSource for Silenced {
    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let tensor = self.0.tensor(name, shape, init);
        if name.ends_with("attn2.to_v.weight") {
            let _ = tensor.narrow(0, 0, shape[0] / 2).zero_();
        }
        tensor
    }
}

#[test]
fn a_head_that_is_off_is_a_head_without_values() {
    let _guard = tch::no_grad_guard();
    let source = Silenced(FormulaSource::new(Precision::F32, Device::Cpu));
    let shape = BlockShape {
        width: 8,
        context: 6,
        heads: 2,
        groups: 4,
        depth: 1,
        cross: i2am_nets::layers::CrossAttention::Single,
    };
    let silenced = SpatialTransformer::new(&Scope::root(&source, "unet").sub("warp.0"), &shape);
    let (x, context) = inputs(0, 1);
    let expected = silenced.forward(&x, &context, &mut NoProbe);
    let (out, record) = pass(off(scaled(LAYER, &[0], 0.0)));
    assert_eq!(values(&out), values(&expected));

    // Its own attention is recorded as it is: its output is taken away, not its queries and keys.
    let (plain, unchanged) = pass(InterveneConfig::default());
    assert_ne!(values(&out), values(&plain));
    assert_eq!(record, unchanged);
    let (same, _) = pass(off(scaled(LAYER, &[0, 1], 1.0)));
    assert_eq!(values(&same), values(&plain));
}

/// A run of four steps, each recorded on its own.
fn tiny_run(intervene: InterveneConfig) -> Generated {
    let folder = tempfile::tempdir().unwrap();
    let config = TinyModel::new().write(folder.path());
    let capture = CaptureConfig {
        time_groups: 4,
        intervene,
        ..CaptureConfig::default()
    };
    run(&config, &sample(SIDE), &seeded(), Some(&capture)).unwrap()
}

/// The sums of one layer in one step.
fn step(run: &Generated, layer: &str, step: usize) -> Vec<f32> {
    let layer = run.record.as_ref().unwrap().layer(layer).unwrap();
    let size = layer.heads * layer.height * layer.width;
    layer.r2g[step * size..][..size].to_vec()
}

#[test]
fn a_head_that_is_off_changes_what_follows_it_and_nothing_before() {
    let plain = tiny_run(InterveneConfig::default());
    let changed = tiny_run(off(scaled(UP[0], &[1], 0.0)));
    let same = |layer, at| step(&plain, layer, at) == step(&changed, layer, at);
    assert!(same(DOWN, 0), "a layer before it, in the first step");
    assert!(
        same(UP[0], 0),
        "the layer itself: its output is taken, not its attention"
    );
    assert!(!same(UP[1], 0), "the layer after it");
    for layer in [DOWN, UP[0], UP[1]] {
        assert!(!same(layer, 1), "the next step starts from another latent");
    }
    assert_ne!(values(&plain.decoded), values(&changed.decoded));

    let by_one = tiny_run(off(scaled("*", &[0, 1], 1.0)));
    assert_eq!(values(&by_one.decoded), values(&plain.decoded));
    assert_eq!(by_one.record, plain.record);
}

#[test]
fn a_head_can_be_off_in_one_time_group() {
    let plain = tiny_run(InterveneConfig::default());
    let changed = tiny_run(off(ScaleRule {
        time_groups: Some(vec![2]),
        ..scaled(UP[0], &[0], 0.0)
    }));
    let same = |layer, at| step(&plain, layer, at) == step(&changed, layer, at);
    for at in [0, 1] {
        assert!(
            [DOWN, UP[0], UP[1]]
                .into_iter()
                .all(|layer| same(layer, at))
        );
    }
    assert!(same(DOWN, 2) && same(UP[0], 2) && !same(UP[1], 2));
    assert!(!same(DOWN, 3));
}

#[test]
fn rules_that_cannot_work_are_refused_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let config = TinyModel::new().write(folder.path());
    let complaint = |intervene: InterveneConfig| {
        let capture = CaptureConfig {
            time_groups: 4,
            intervene,
            ..CaptureConfig::default()
        };
        config.check(Some(&capture)).unwrap_err().to_string()
    };
    let message = complaint(off(scaled("up_blocks.7.*", &[0], 0.0)));
    assert!(
        message.starts_with("intervene.scale.0: no layer `up_blocks.7.*`; the model has down"),
        "{message}"
    );
    assert!(message.contains(UP[1]), "{message}");
    let message = complaint(off(scaled(DOWN, &[2], 0.0)));
    let expected =
        format!("intervene.scale.0: head 2 does not exist: layer `{DOWN}` has 2, counted from 0");
    assert_eq!(message, expected);
    let message = complaint(off(scaled(DOWN, &[0], f64::NAN)));
    assert_eq!(
        message,
        "intervene.scale.0: factor: expected a finite number, found NaN"
    );
    let message = complaint(off(ScaleRule {
        time_groups: Some(vec![0, 4]),
        ..scaled(DOWN, &[0], 0.0)
    }));
    assert_eq!(
        message,
        "intervene.scale.0: time group 4 does not exist: 4 are recorded"
    );
    let message = complaint(without(forbidden(DOWN, Region::Box([0.5, 0.0, 0.5, 1.0]))));
    assert!(
        message.starts_with("intervene.forbid.0: box: expected"),
        "{message}"
    );
}

#[test]
fn rules_that_a_sample_cannot_bear_are_refused_after_its_first_pass() {
    let complaint = |rule: ForbidRule| {
        let _guard = tch::no_grad_guard();
        let mut recorder = recorder(without(rule));
        let (x, context) = inputs(0, 1);
        let out = transformer().forward(&x, &context, &mut recorder);
        assert_eq!(out.isfinite().all().int64_value(&[]), 1);
        let message = recorder.begin(call(0)).unwrap_err().to_string();
        let prefix = "intervene.forbid.0: ";
        message.strip_prefix(prefix).unwrap().to_owned()
    };
    let everything = Region::Box([0.0, 0.0, 1.0, 1.0]);
    assert_eq!(
        complaint(forbidden(LAYER, everything)),
        format!("nothing is left to attend to for some positions of layer `{LAYER}`")
    );
    assert_eq!(
        complaint(forbidden("warp.9", everything)),
        format!("no layer `warp.9`; the model has {LAYER}")
    );
    // Paint-by-Example's layers have one token, which cannot be forbidden in part.
    let folder = tempfile::tempdir().unwrap();
    let config = TinyModel::new().write(folder.path());
    let capture = CaptureConfig {
        time_groups: 4,
        intervene: without(forbidden("*", Region::OutsideReferenceMask)),
        ..CaptureConfig::default()
    };
    let error = run(&config, &sample(SIDE), &seeded(), Some(&capture)).unwrap_err();
    let expected = "intervene.forbid.0: its layers see the reference as pooled tokens, which have no place in a region";
    assert_eq!(error.to_string(), expected);
}

/// Nothing but the shared recorder knows of interventions, so every family has them.
#[test]
fn stable_viton_keeps_to_the_garment_when_told_to() {
    for folder in stable_viton::whole_models() {
        let config = stable_viton::main_run(&folder);
        let capture = |intervene| CaptureConfig {
            intervene,
            ..CaptureConfig::default()
        };
        let rule = forbidden("warp_flow_blks.4.*", Region::OutsideReferenceMask);
        let changed = stable_viton::generate(&folder, &config, Some(&capture(without(rule))));
        let plain =
            stable_viton::generate(&folder, &config, Some(&capture(InterveneConfig::default())));
        assert_ne!(values(&plain.decoded), values(&changed.decoded));
        let (plain, changed) = (plain.record.unwrap(), changed.record.unwrap());
        for (before, after) in plain.layers.iter().zip(&changed.layers) {
            if before.name.starts_with("warp_flow_blks.4.") {
                let zeros = |layer: &i2am_attribution::LayerRecord| {
                    let sums = layer.g2r.as_ref().unwrap();
                    let inside = &sums[..sums.len() / 2];
                    inside.iter().filter(|value| **value == 0.0).count()
                };
                assert_eq!(zeros(before), 0);
                let tokens = after.r2g_counts[1] as usize;
                assert!(tokens > 0, "the garment does not fill the reference");
                assert_eq!(zeros(after), changed.groups() * after.heads * tokens);
            }
        }
    }
}
