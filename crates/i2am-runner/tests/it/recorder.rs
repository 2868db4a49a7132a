//! The recorder beside a transformer whose reference is a feature map.

use i2am_attribution::Source;
use i2am_nets::layers::{BlockShape, SpatialTransformer};
use i2am_nets::{AttentionProbe, Context, FormulaSource, Observation, Precision, Scope};
use i2am_runner::RunnerError;
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use i2am_runner::samplers::Call;
use i2am_testkit::assert_close;
use tch::{Device, Kind, Tensor};

use crate::common::values;

pub(crate) const LAYER: &str = "warp.0.transformer_blocks.0.attn2";
pub(crate) const GRID: (i64, i64) = (6, 4);
pub(crate) const KEY_GRID: (i64, i64) = (3, 5);
const TOLERANCE: f64 = 1e-5;

pub(crate) fn wave(size: &[i64], frequency: f64) -> Tensor {
    let count: i64 = size.iter().product();
    let phase = Tensor::arange(count, (Kind::Double, Device::Cpu)) * frequency;
    (phase.square().sin() * 2.0)
        .to_kind(Kind::Float)
        .reshape(size)
}

pub(crate) fn transformer() -> SpatialTransformer {
    let source = FormulaSource::new(Precision::F32, Device::Cpu);
    let shape = BlockShape {
        width: 8,
        context: 6,
        heads: 2,
        groups: 4,
        depth: 1,
        cross: i2am_nets::layers::CrossAttention::Single,
    };
    SpatialTransformer::new(&Scope::root(&source, "unet").sub("warp.0"), &shape)
}

/// Features `[batch, 8, 6, 4]` and reference `[batch, 6, 3, 5]`; every row and step has its own values.
pub(crate) fn inputs(step: usize, batch: i64) -> (Tensor, Context) {
    let shift = 0.01 * step as f64;
    let features = wave(&[batch, 8, GRID.0, GRID.1], 0.531 + shift);
    (
        features,
        Context::spatial(&wave(&[batch, 6, KEY_GRID.0, KEY_GRID.1], 0.917 + shift)),
    )
}

/// One forward pass under `probe`.
fn show(
    network: &SpatialTransformer,
    step: usize,
    batch: i64,
    probe: &mut dyn AttentionProbe,
) -> Tensor {
    let (x, context) = inputs(step, batch);
    network.forward(&x, &context, probe)
}

/// The left half, `[1, 1, H, W]`.
fn left_half(height: i64, width: i64) -> Tensor {
    let mask = Tensor::zeros([1, 1, height, width], (Kind::Float, Device::Cpu));
    let _ = mask.narrow(3, 0, width / 2).fill_(1.0);
    mask
}

pub(crate) fn masks() -> CaptureMasks {
    CaptureMasks {
        inpainting: Some(left_half(12, 8)),
        reference: Some(left_half(9, 20)),
    }
}

fn config(time_groups: usize) -> CaptureConfig {
    CaptureConfig {
        time_groups,
        specific: vec![LAYER.to_owned()],
        chunk_mib: 1,
        ..CaptureConfig::default()
    }
}

fn new(
    config: &CaptureConfig,
    half: ConditionalHalf,
    steps: usize,
) -> Result<Recorder, RunnerError> {
    Recorder::new(config, half, |_| true, masks(), steps)
}

pub(crate) fn call(step: usize) -> Call {
    Call {
        step,
        timestep: 1,
        primary: true,
    }
}

/// Keeps what a pass showed.
#[derive(Default)]
struct Seen {
    scores: Vec<Tensor>,
}

impl AttentionProbe for Seen {
    fn observe(&mut self, seen: &Observation<'_>) {
        assert_eq!(
            (seen.layer, seen.grid(), seen.key_grid()),
            (LAYER, Some(GRID), Some(KEY_GRID))
        );
        self.scores
            .push(seen.query.matmul(&seen.key.transpose(2, 3)) * seen.scale);
    }
}

/// `[heads, positions, tokens]` scores of one row of the batch at one step.
pub(crate) fn scores(step: usize, batch: i64, row: i64) -> Tensor {
    let _guard = tch::no_grad_guard();
    let mut seen = Seen::default();
    let _ = show(&transformer(), step, batch, &mut seen);
    seen.scores[0].select(0, row)
}

#[test]
fn sums_counts_and_mean_of_a_run() {
    let _guard = tch::no_grad_guard();
    let steps = 3;
    let mut recorder = new(&config(2), ConditionalHalf::Whole, steps).unwrap();
    let network = transformer();
    for step in 0..steps {
        recorder.begin(call(step)).unwrap();
        let _ = show(&network, step, 1, &mut recorder);
    }
    // An evaluation that is no step of its own leaves no trace.
    let extra = Call {
        primary: false,
        ..call(0)
    };
    recorder.begin(extra).unwrap();
    let _ = show(&network, 7, 1, &mut recorder);

    let record = recorder.finish((12, 8)).unwrap();
    record.validate().unwrap();
    assert_eq!(record.steps, [2, 1]);
    assert_eq!((record.latent_height, record.latent_width), (12, 8));
    let layer = &record.layers[0];
    assert_eq!(layer.name, LAYER);
    assert_eq!(
        layer.source,
        Source::Spatial {
            height: 3,
            width: 5
        }
    );
    assert_eq!((layer.heads, layer.height, layer.width), (2, 6, 4));
    // The left half of 4 columns is 2; of 5 reference columns, 2 and a half, where half a cell counts.
    assert_eq!((layer.g2r_counts, layer.r2g_counts), ([12, 12], [9, 6]));

    let inside_positions = flat_mask(GRID, 2);
    let inside_tokens = flat_mask(KEY_GRID, 3);
    let per_step: Vec<Tensor> = (0..steps).map(|step| scores(step, 1, 0)).collect();
    let grouped = |of: &dyn Fn(&Tensor) -> Tensor| {
        let groups = [of(&per_step[0]) + of(&per_step[1]), of(&per_step[2])];
        Tensor::stack(&groups, 1)
    };
    // Both as [2, groups, heads, cells].
    let r2g = grouped(&|scores| {
        let shares = scores.softmax(1, Kind::Float);
        Tensor::stack(
            &[
                shares.matmul(&inside_tokens),
                shares.matmul(&(-&inside_tokens + 1.0)),
            ],
            0,
        )
    });
    assert_close("r2g", &layer.r2g, &values(&r2g), TOLERANCE);
    let g2r = grouped(&|scores| {
        let shares = scores.softmax(2, Kind::Float).transpose(1, 2);
        Tensor::stack(
            &[
                shares.matmul(&inside_positions),
                shares.matmul(&(-&inside_positions + 1.0)),
            ],
            0,
        )
    });
    assert_close("g2r", layer.g2r.as_ref().unwrap(), &values(&g2r), TOLERANCE);

    let all: Vec<Tensor> = per_step
        .iter()
        .map(|scores| scores.softmax(2, Kind::Float))
        .collect();
    let mean = Tensor::cat(&all, 0).mean_dim([0_i64].as_slice(), false, Kind::Float);
    let kept: Vec<f32> = layer
        .specific
        .as_ref()
        .unwrap()
        .iter()
        .map(|value| value.to_f32())
        .collect();
    // Stored as f16, whose rounding is up to 2^-11 of a value.
    assert_close("specific", &kept, &values(&mean), 4.9e-4);
}

/// 1 in the first `columns` columns of a grid, row-major.
fn flat_mask(grid: (i64, i64), columns: i64) -> Tensor {
    let cells: Vec<f32> = (0..grid.0 * grid.1)
        .map(|i| f32::from(u8::from(i % grid.1 < columns)))
        .collect();
    Tensor::from_slice(&cells)
}

#[test]
fn only_the_declared_half_is_recorded() {
    let _guard = tch::no_grad_guard();
    let of = |half| {
        let mut recorder = new(&config(1), half, 1).unwrap();
        recorder.begin(call(0)).unwrap();
        let _ = show(&transformer(), 0, 2, &mut recorder);
        recorder.finish((12, 8)).unwrap().layers.remove(0)
    };
    let expected = |row| {
        let shares = scores(0, 2, row).softmax(1, Kind::Float);
        values(&shares.matmul(&flat_mask(KEY_GRID, 3)))
    };
    let (first, second) = (of(ConditionalHalf::First), of(ConditionalHalf::Second));
    let inside = |layer: &i2am_attribution::LayerRecord| layer.r2g[..layer.r2g.len() / 2].to_vec();
    assert_close("first", &inside(&first), &expected(0), TOLERANCE);
    assert_close("second", &inside(&second), &expected(1), TOLERANCE);
    assert_ne!(
        first.r2g, second.r2g,
        "the halves differ, so the choice is seen"
    );
}

#[test]
fn the_probe_changes_nothing() {
    let _guard = tch::no_grad_guard();
    let (x, context) = inputs(0, 2);
    let off = transformer().forward(&x, &context, &mut i2am_nets::NoProbe);
    let mut recorder = new(&config(1), ConditionalHalf::Second, 1).unwrap();
    recorder.begin(call(0)).unwrap();
    let on = transformer().forward(&x, &context, &mut recorder);
    assert_eq!(values(&on), values(&off));
}

#[test]
fn unwanted_layers_are_left_out() {
    let mut recorder = Recorder::new(
        &CaptureConfig {
            time_groups: 1,
            ..CaptureConfig::default()
        },
        ConditionalHalf::Whole,
        |_| false,
        masks(),
        1,
    )
    .unwrap();
    recorder.begin(call(0)).unwrap();
    let _ = show(&transformer(), 0, 1, &mut recorder);
    assert!(recorder.finish((12, 8)).unwrap().layers.is_empty());
}

#[test]
fn a_layer_that_does_not_exist_is_refused_with_those_that_do() {
    let config = CaptureConfig {
        specific: vec!["warp.9".to_owned()],
        ..config(1)
    };
    let mut recorder = new(&config, ConditionalHalf::Whole, 1).unwrap();
    recorder.begin(call(0)).unwrap();
    let _ = show(&transformer(), 0, 1, &mut recorder);
    let message = recorder.finish((12, 8)).unwrap_err().to_string();
    assert_eq!(
        message,
        format!("attribution.specific: layer `warp.9`: no such layer; the model has {LAYER}")
    );
}

#[test]
fn time_groups_cover_the_steps_or_are_refused() {
    for (groups, steps, found) in [(0, 4, "0"), (5, 4, "5"), (1, 0, "1")] {
        let message = new(&config(groups), ConditionalHalf::Whole, steps)
            .err()
            .unwrap()
            .to_string();
        let expected = format!(
            "attribution.time_groups: expected 1 to the number of steps, {steps}, found {found}"
        );
        assert_eq!(message, expected);
    }
    let split = |groups, steps| {
        let plain = CaptureConfig {
            time_groups: groups,
            ..CaptureConfig::default()
        };
        new(&plain, ConditionalHalf::Whole, steps)
            .unwrap()
            .finish((1, 1))
            .unwrap()
            .steps
    };
    assert_eq!(split(5, 50), [10; 5]);
    assert_eq!(split(3, 8), [3, 3, 2]);
    assert_eq!(split(4, 4), [1; 4]);
}
