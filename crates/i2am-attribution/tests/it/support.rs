//! Records made from the sums that the published code accumulated.

use std::path::Path;

use i2am_attribution::{
    AttentionRecord, Convention, ConventionName, Direction, Grid, LayerRecord, Level, Source,
    attribution_map,
};
use i2am_imaging::Plane;
use i2am_testkit::{FixtureDir, Tensors, assert_close, fixtures};
use serde_json::Value;

/// Relative to the largest value: the same sums in another order, in `f32` there and mostly `f64` here.
pub(crate) const MAPS: f64 = 2e-6;

/// The `UNet` blocks that the published code reads, in its order.
const UNET_BLOCKS: [&str; 15] = [
    "down_blocks.0.attentions.0",
    "down_blocks.0.attentions.1",
    "down_blocks.1.attentions.0",
    "down_blocks.1.attentions.1",
    "down_blocks.2.attentions.0",
    "down_blocks.2.attentions.1",
    "up_blocks.1.attentions.0",
    "up_blocks.1.attentions.1",
    "up_blocks.1.attentions.2",
    "up_blocks.2.attentions.0",
    "up_blocks.2.attentions.1",
    "up_blocks.2.attentions.2",
    "up_blocks.3.attentions.0",
    "up_blocks.3.attentions.1",
    "up_blocks.3.attentions.2",
];

pub(crate) fn family(name: &str) -> Vec<FixtureDir> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures(&committed, name)
}

/// The inputs of the runs in `dir`: the family `stable-viton` beside it. A missing one was reported by [`fixtures`].
pub(crate) fn inputs_of(dir: &FixtureDir) -> Option<Tensors> {
    let beside = dir.path().join("../stable-viton").canonicalize().ok()?;
    let mut found = family("stable-viton").into_iter();
    found
        .find(|found| found.path().canonicalize().is_ok_and(|path| path == beside))
        .map(|found| found.tensors("inputs"))
}

pub(crate) fn released() -> Convention {
    Convention::preset(ConventionName::ReleasedCode)
}

/// A number of the sidecar's `config`.
pub(crate) fn config(sidecar: &Value, key: &str) -> usize {
    let value = sidecar["config"][key].as_u64();
    value.unwrap_or_else(|| panic!("no number `config.{key}`")) as usize
}

pub(crate) fn record(
    sidecar: &Value,
    steps: Vec<u32>,
    layers: Vec<LayerRecord>,
) -> AttentionRecord {
    let record = AttentionRecord {
        layers,
        steps,
        latent_height: config(sidecar, "latent_height"),
        latent_width: config(sidecar, "latent_width"),
    };
    record
        .validate()
        .expect("fixtures have the shapes they say");
    record
}

/// The record behind the one-token maps: `layer.NN.sum`, `[heads, 1, H, W]`.
pub(crate) fn one_token_record(tensors: &Tensors, sidecar: &Value) -> AttentionRecord {
    let layers = UNET_BLOCKS.iter().enumerate().map(|(slot, block)| {
        let tensor = format!("layer.{slot:02}.sum");
        let &[heads, 1, height, width] = tensors.shape(&tensor) else {
            panic!("{tensor}: not one token");
        };
        let mut r2g = tensors.f32(&tensor);
        r2g.resize(2 * r2g.len(), 0.0);
        let name = format!("{block}.transformer_blocks.0.attn2");
        let one = Source::Tokens { count: 1 };
        LayerRecord {
            r2g,
            ..LayerRecord::new(name, one, heads, Grid { height, width })
        }
    });
    let steps = vec![config(sidecar, "steps") as u32];
    record(sidecar, steps, layers.collect())
}

/// A warp block of which only one direction is known. `g2r` is `[2, groups, heads, h, w]`; queries and keys have one size.
pub(crate) fn warp_block(
    slot: usize,
    shape: [usize; 4],
    g2r: Vec<f32>,
    counts: [u64; 2],
) -> LayerRecord {
    let [groups, heads, height, width] = shape;
    let name = format!("warp_flow_blks.{slot}.transformer_blocks.0.attn2");
    let source = Source::Spatial { height, width };
    LayerRecord {
        r2g: vec![0.0; 2 * groups * heads * height * width],
        g2r: Some(g2r),
        g2r_counts: counts,
        ..LayerRecord::new(name, source, heads, Grid { height, width })
    }
}

/// A warp block from a mean over queries, `[groups, heads, h, w]` or `[heads, h, w]`, with every query counted as inside.
pub(crate) fn warp_block_of_mean(tensors: &Tensors, tensor: &str, slot: usize) -> LayerRecord {
    let shape = match *tensors.shape(tensor) {
        [heads, height, width] => [1, heads, height, width],
        [groups, heads, height, width] => [groups, heads, height, width],
        ref shape => panic!("{tensor}: unexpected shape {shape:?}"),
    };
    let queries = shape[2] * shape[3];
    let mean = tensors.f32(tensor);
    let mut g2r: Vec<f32> = mean.iter().map(|value| value * queries as f32).collect();
    g2r.resize(2 * mean.len(), 0.0);
    warp_block(slot, shape, g2r, [queries as u64, 0])
}

/// A mask of bytes as the published code reads it: level / 255.
pub(crate) fn mask(tensors: &Tensors, name: &str) -> Plane {
    let &[height, width] = tensors.shape(name) else {
        panic!("{name}: not a mask");
    };
    let levels = tensors.u8(name);
    let values = levels.iter().map(|&level| f32::from(level) / 255.0);
    Plane::new(height, width, values.collect()).expect("the shape is the tensor's own")
}

/// `[height, width]`
pub(crate) fn plane(tensors: &Tensors, name: &str) -> Plane {
    let &[height, width] = tensors.shape(name) else {
        panic!("{name}: not a map");
    };
    Plane::new(height, width, tensors.f32(name)).expect("the shape is the tensor's own")
}

/// The maps of `[n, height, width]`.
pub(crate) fn planes(tensors: &Tensors, name: &str) -> Vec<Plane> {
    let &[_, height, width] = tensors.shape(name) else {
        panic!("{name}: not a list of maps");
    };
    let values = tensors.f32(name);
    let maps = values.chunks_exact(height * width);
    maps.map(|map| Plane::new(height, width, map.to_vec()).expect("chunks have the size"))
        .collect()
}

/// Compares the map of `level` with `want`, size included.
#[track_caller]
pub(crate) fn assert_map(
    record: &AttentionRecord,
    direction: Direction,
    level: &Level,
    want: &Plane,
) {
    let map = attribution_map(record, &released(), direction, level)
        .unwrap_or_else(|reason| panic!("{direction} {level}: {reason}"));
    assert_eq!(map.plane.size(), want.size(), "{direction} {level}");
    assert_planes(&format!("{direction} {level}"), &map.plane, want, MAPS);
}

#[track_caller]
pub(crate) fn assert_planes(what: &str, got: &Plane, want: &Plane, tolerance: f64) {
    assert_eq!(got.size(), want.size(), "{what}");
    assert_close(what, got.data(), want.data(), tolerance);
}
