//! The published code's scores from the published code's maps.

use std::path::Path;

use i2am_attribution::{
    AttentionRecord, Convention, ConventionName, Direction, Grid, LayerRecord, Level, Source,
    normalise,
};
use i2am_imacs::{ImacsConfig, imacs, score};
use i2am_imaging::Plane;
use i2am_testkit::{FixtureDir, Tensors, fixtures, skipped};

const R2G: Direction = Direction::ReferenceToGenerated;
const G2R: Direction = Direction::GeneratedToReference;

/// Absolute, of equal maps: sums in `f32` there, in `f64` here.
const EQUAL_MAPS: f64 = 1e-6;
/// Absolute, of maps made here from their sums or raw maps: these differ by rounding, and no pixel crosses the floor.
const OWN_MAPS: f64 = 1e-5;

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

fn family(name: &str) -> Vec<FixtureDir> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures(&committed, name)
}

/// The inputs of the runs in `dir`: the family `stable-viton` beside it. A missing one was reported by [`fixtures`].
fn inputs_of(dir: &FixtureDir) -> Option<Tensors> {
    let beside = dir.path().join("../stable-viton").canonicalize().ok()?;
    let mut found = family("stable-viton").into_iter();
    found
        .find(|found| found.path().canonicalize().is_ok_and(|path| path == beside))
        .map(|found| found.tensors("inputs"))
}

/// The hole for maps over the generated picture, the garment for maps over the reference.
fn region(inputs: &Tensors, direction: Direction) -> Plane {
    match direction {
        Direction::ReferenceToGenerated => mask(inputs, "agn_mask").map(|keep| 1.0 - keep),
        Direction::GeneratedToReference => mask(inputs, "cloth_mask"),
    }
}

fn mask(tensors: &Tensors, name: &str) -> Plane {
    let levels = tensors.u8(name);
    let values = levels.iter().map(|&level| f32::from(level) / 255.0);
    plane(name, tensors.shape(name), values.collect())
}

fn map(tensors: &Tensors, name: &str) -> Plane {
    plane(name, tensors.shape(name), tensors.f32(name))
}

fn head(tensors: &Tensors, head: usize) -> Plane {
    let shape = &tensors.shape("head")[1..];
    let size: usize = shape.iter().product();
    let values = tensors.f32("head")[head * size..][..size].to_vec();
    plane("head", shape, values)
}

fn plane(name: &str, shape: &[usize], values: Vec<f32>) -> Plane {
    let &[height, width] = shape else {
        panic!("{name}: not a map");
    };
    Plane::new(height, width, values).expect("the shape is the tensor's own")
}

fn attribution(raw: &Plane, direction: Direction, region: &Plane) -> Plane {
    let convention = Convention::preset(ConventionName::ReleasedCode);
    let [height, width] = region.size();
    normalise(raw, &convention, direction, height, width, Some(region))
}

#[track_caller]
fn assert_score(what: &str, attribution: &Plane, region: &Plane, want: &[f32], tolerance: f64) {
    let score = imacs(attribution, region, &ImacsConfig::default())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_value(what, score.value, want, tolerance);
}

#[track_caller]
fn assert_value(what: &str, value: f64, want: &[f32], tolerance: f64) {
    let want = f64::from(want[0]);
    assert!(
        (value - want).abs() <= tolerance,
        "{what}: {value}, expected {want}"
    );
}

/// A record of `layers` at the size of the fixture in `sidecar`.
fn record(sidecar: &serde_json::Value, layers: Vec<LayerRecord>) -> AttentionRecord {
    let number = |key: &str| {
        let value = sidecar["config"][key].as_u64();
        value.unwrap_or_else(|| panic!("no number `config.{key}`")) as usize
    };
    let record = AttentionRecord {
        layers,
        steps: vec![number("steps") as u32],
        latent_height: number("latent_height"),
        latent_width: number("latent_width"),
    };
    record
        .validate()
        .expect("fixtures have the shapes they say");
    record
}

/// The 15 one-token layers, from `layer.NN.sum` `[heads, 1, H, W]`.
fn unet_layers(tensors: &Tensors) -> Vec<LayerRecord> {
    let layer = |(slot, block): (usize, &&str)| {
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
    };
    UNET_BLOCKS.iter().enumerate().map(layer).collect()
}

/// Warp block 4 from its mean over queries, `[heads, h, w]`, with every query counted as inside.
fn warp_block(tensors: &Tensors, tensor: &str) -> LayerRecord {
    let &[heads, height, width] = tensors.shape(tensor) else {
        panic!("{tensor}: not one map per head");
    };
    let queries = height * width;
    let mean = tensors.f32(tensor);
    let mut g2r: Vec<f32> = mean.iter().map(|value| value * queries as f32).collect();
    g2r.resize(2 * mean.len(), 0.0);
    LayerRecord {
        r2g: vec![0.0; g2r.len()],
        g2r: Some(g2r),
        ..LayerRecord::new(
            "warp_flow_blks.4.transformer_blocks.0.attn2",
            Source::Spatial { height, width },
            heads,
            Grid { height, width },
        )
    }
}

#[track_caller]
fn assert_score_of_record(
    record: &AttentionRecord,
    direction: Direction,
    level: &Level,
    region: &Plane,
    want: &[f32],
) {
    let convention = Convention::preset(ConventionName::ReleasedCode);
    let config = ImacsConfig::default();
    let score = score(record, &convention, direction, level, region, &config)
        .unwrap_or_else(|reason| panic!("{direction} {level}: {reason}"));
    let one_token = direction == R2G;
    assert_eq!(score.notes.is_one_token(), one_token, "{direction} {level}");
    let what = format!("{direction} {level}");
    assert_value(&what, score.imacs.value, want, OWN_MAPS);
}

#[test]
fn parity_scores_of_floored_maps() {
    for dir in family("i2am") {
        let Some(inputs) = inputs_of(&dir) else {
            continue;
        };
        let chain = dir.tensors("chain");
        for (direction, name) in [(R2G, "r2g.IMACS_g"), (G2R, "g2r.IMACS_r")] {
            let absence = map(&chain, &format!("{direction}.floored"));
            let attribution = absence.map(|value| 1.0 - value);
            let region = region(&inputs, direction);
            assert_score(name, &attribution, &region, &chain.f32(name), EQUAL_MAPS);
        }
    }
}

#[test]
fn parity_scores_of_raw_maps() {
    for dir in family("i2am") {
        let Some(inputs) = inputs_of(&dir) else {
            continue;
        };
        let chain = dir.tensors("chain");
        for (direction, score) in [(R2G, "IMACS_g"), (G2R, "IMACS_r")] {
            let maps = dir.tensors(&direction.to_string());
            let region = region(&inputs, direction);
            for (raw, name) in [
                (map(&maps, "unified"), format!("{direction}.{score}")),
                (head(&maps, 2), format!("{direction}_head2.{score}")),
            ] {
                let attribution = attribution(&raw, direction, &region);
                assert_score(&name, &attribution, &region, &chain.f32(&name), OWN_MAPS);
            }
        }
    }
}

#[test]
fn parity_scores_at_512x384() {
    for dir in family("i2am") {
        if !dir.has("geometry_512x384") {
            skipped(format!("no geometry_512x384 in {}", dir.name()));
            continue;
        }
        let tensors = dir.tensors("geometry_512x384");
        for (direction, score) in [(R2G, "IMACS_g"), (G2R, "IMACS_r")] {
            // Every pixel of the stored masks stands for 8x8 equal ones.
            let small = region(&tensors, direction);
            let [rows, columns] = small.size();
            let region = Plane::from_fn(8 * rows, 8 * columns, |row, column| {
                small.get(row / 8, column / 8)
            });
            let raw = map(&tensors, &format!("{direction}.unified"));
            let attribution = attribution(&raw, direction, &region);
            let name = format!("chain.{direction}.{score}");
            assert_score(&name, &attribution, &region, &tensors.f32(&name), OWN_MAPS);
        }
    }
}

/// The whole chain: choice of layers, clamp, product with the mask of the garment, normalisation, polarity, floor and penalty.
#[test]
fn parity_scores_of_sums() {
    for dir in family("i2am") {
        let Some(inputs) = inputs_of(&dir) else {
            continue;
        };
        let chain = dir.tensors("chain");
        let tensors = dir.tensors("r2g");
        let one_token = record(&dir.json("r2g"), unet_layers(&tensors));
        let tensors = dir.tensors("g2r");
        let spatial = record(
            &dir.json("g2r"),
            vec![warp_block(&tensors, "slot.4.mean_query")],
        );
        for (record, direction, metric) in
            [(&one_token, R2G, "IMACS_g"), (&spatial, G2R, "IMACS_r")]
        {
            let region = region(&inputs, direction);
            for (level, name) in [
                (Level::Unified, direction.to_string()),
                (Level::Head(2), format!("{direction}_head2")),
            ] {
                let want = chain.f32(&format!("{name}.{metric}"));
                assert_score_of_record(record, direction, &level, &region, &want);
            }
        }
        // One model has both kinds of layers: neither disturbs the other's score.
        let mut both = one_token.clone();
        both.layers.extend(spatial.layers.clone());
        for (direction, name) in [(R2G, "r2g.IMACS_g"), (G2R, "g2r.IMACS_r")] {
            let region = region(&inputs, direction);
            assert_score_of_record(&both, direction, &Level::Unified, &region, &chain.f32(name));
        }
    }
}

#[test]
fn parity_scores_of_sums_at_512x384() {
    for dir in family("i2am") {
        if !dir.has("geometry_512x384") {
            skipped(format!("no geometry_512x384 in {}", dir.name()));
            continue;
        }
        let tensors = dir.tensors("geometry_512x384");
        let block = warp_block(&tensors, "g2r.slot.4.mean_query");
        let record = record(&dir.json("geometry_512x384"), vec![block]);
        let small = region(&tensors, G2R);
        let [rows, columns] = small.size();
        let region = Plane::from_fn(8 * rows, 8 * columns, |row, column| {
            small.get(row / 8, column / 8)
        });
        let want = tensors.f32("chain.g2r.IMACS_r");
        assert_score_of_record(&record, G2R, &Level::Unified, &region, &want);
    }
}
