//! Attention of a tiny `StableVITON`, captured while sampling, against the published hook.

use i2am_attribution::{
    AttentionRecord, Convention, ConventionName, Direction, LayerRecord, Level, Positions, Source,
    attribution_map, specific_map,
};
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::StableVitonConfig;
use i2am_runner::samplers::SamplerKind;
use i2am_testkit::{FixtureDir, Tensors, assert_close};
use tch::Tensor;

use crate::common::{close, number};
use crate::stable_viton::{
    config, enlarged, generate, main_run, maps_of, noise_of, run, sample_of, whole_models,
};

const TOLERANCE: f64 = 1e-4;
const SLOT_4: &str = "warp_flow_blks.4.transformer_blocks.0.attn2";
const R2G: Direction = Direction::ReferenceToGenerated;
const G2R: Direction = Direction::GeneratedToReference;

fn record(folder: &FixtureDir, time_groups: usize) -> AttentionRecord {
    let capture = CaptureConfig {
        time_groups,
        specific: vec![SLOT_4.to_owned()],
        ..CaptureConfig::default()
    };
    generate(folder, &main_run(folder), Some(&capture))
        .record
        .unwrap()
}

/// `[2, groups, heads, H, W]` summed over masks: `[groups, heads, H, W]`.
fn both_sides(sums: &[f32], layer: &LayerRecord, groups: usize, grid: (usize, usize)) -> Tensor {
    let shape = [2, groups, layer.heads, grid.0, grid.1].map(|n| n as i64);
    let sums = Tensor::from_slice(sums).reshape(shape);
    sums.sum_dim_intlist([0_i64].as_slice(), false, None)
}

/// The mean over all generated positions of the shares of reference positions, `[groups, heads, h, w]`.
fn mean_over_queries(layer: &LayerRecord, groups: usize) -> Tensor {
    let Source::Spatial { height, width } = layer.source else {
        panic!("{}: one token", layer.name);
    };
    let sums = layer.g2r.as_ref().unwrap();
    let positions = layer.g2r_counts.iter().sum::<u64>();
    both_sides(sums, layer, groups, (height, width)) / positions as f64
}

fn over_time(x: &Tensor) -> Tensor {
    x.sum_dim_intlist([0_i64].as_slice(), false, None)
}

#[test]
fn parity_sums_of_every_layer() {
    for folder in whole_models() {
        let Some(maps) = maps_of(&folder) else {
            continue;
        };
        let (r2g, g2r) = (maps.tensors("r2g"), maps.tensors("g2r"));
        let groups = r2g.shape("time")[0];
        let record = record(&folder, groups);
        record.validate().unwrap();
        let (tokens, warps): (Vec<_>, Vec<_>) =
            record.layers.iter().partition(|layer| layer.is_one_token());
        assert_eq!((tokens.len(), warps.len()), (15, 9));
        for (slot, layer) in tokens.iter().enumerate() {
            let sums = both_sides(&layer.r2g, layer, groups, (layer.height, layer.width));
            let got = over_time(&sums).unsqueeze(1);
            close(
                &layer.name,
                &got,
                &r2g,
                &format!("layer.{slot:02}.sum"),
                TOLERANCE,
            );
        }
        for (slot, layer) in warps.iter().enumerate() {
            assert_eq!(
                layer.name,
                format!("warp_flow_blks.{slot}.transformer_blocks.0.attn2")
            );
            let mean = mean_over_queries(layer, groups);
            let name = format!("slot.{slot}.mean_query");
            close(&layer.name, &over_time(&mean), &g2r, &name, TOLERANCE);
            let name = format!("slot.{slot}.time_mean_query");
            if g2r.contains(&name) {
                close(&layer.name, &mean, &g2r, &name, TOLERANCE);
            }
        }
    }
}

fn compare_maps(
    record: &AttentionRecord,
    golden: &Tensors,
    direction: Direction,
    prefix: &str,
    with_time: bool,
) {
    let convention = Convention {
        time_groups: record.groups(),
        ..Convention::preset(ConventionName::ReleasedCode)
    };
    let map = |level: Level| attribution_map(record, &convention, direction, &level).unwrap();
    let stacked = |levels: Vec<Level>| -> Vec<f32> {
        levels
            .into_iter()
            .flat_map(|level| map(level).plane.data().to_vec())
            .collect()
    };
    let name = |level: &str| format!("{prefix}{level}");
    let compare = |level: &str, got: &[f32]| {
        assert_close(&name(level), got, &golden.f32(&name(level)), TOLERANCE);
    };
    compare("unified", map(Level::Unified).plane.data());
    let heads = golden.shape(&name("head"))[0];
    compare("head", &stacked((0..heads).map(Level::Head).collect()));
    if with_time {
        compare(
            "time",
            &stacked((0..record.groups()).map(Level::Time).collect()),
        );
    }
}

#[test]
fn parity_maps_of_both_directions() {
    for folder in whole_models() {
        let Some(maps) = maps_of(&folder) else {
            continue;
        };
        let (r2g, g2r) = (maps.tensors("r2g"), maps.tensors("g2r"));
        let record = record(&folder, r2g.shape("time")[0]);
        compare_maps(&record, &r2g, R2G, "", true);
        compare_maps(&record, &g2r, G2R, "", true);
    }
}

/// A position's own map; the record holds it as a mean over steps in f16, half a unit in the last place of which is 4.9e-4.
fn compare_positions(record: &AttentionRecord, golden: &Tensors, steps: u32) {
    let layer = record.layer(SLOT_4).unwrap();
    let picked = golden.i64("sram.picked");
    let size = layer.height * layer.width;
    let maps = golden.f32("sram.maps");
    assert_eq!(maps.len(), picked.len() * size);
    for (index, want) in picked.into_iter().zip(maps.chunks_exact(size)) {
        let (row, column) = (index as usize / layer.width, index as usize % layer.width);
        let position = Positions::at(layer.generated_grid(), row, column);
        let map = specific_map(record, SLOT_4, &position, G2R).unwrap();
        let got = map.plane.scale(steps as f32);
        assert_close(&format!("sram {index}"), got.data(), want, 6e-4);
    }
}

#[test]
fn parity_specific_positions() {
    for folder in whole_models() {
        let Some(maps) = maps_of(&folder) else {
            continue;
        };
        let record = record(&folder, 5);
        compare_positions(&record, &maps.tensors("g2r"), record.steps.iter().sum());
    }
}

/// The published hook unchanged, at the published size: 512 x 384, four steps.
#[test]
fn parity_geometry_512x384() {
    for folder in whole_models() {
        let Some(maps) = maps_of(&folder).filter(|maps| maps.has("geometry_512x384")) else {
            continue;
        };
        let golden = maps.tensors("geometry_512x384");
        let sidecar = maps.json("geometry_512x384");
        let size = ["image_height", "image_width"].map(|key| number(&sidecar, key));
        let steps = number(&sidecar, "steps") as u32;
        let config = StableVitonConfig {
            size,
            ..config(&folder, SamplerKind::Ddim, steps)
        };
        let small = sample_of(&golden);
        let sample = enlarged(&small, size[0] as u32 / small.image.height());
        let capture = CaptureConfig {
            time_groups: 1,
            specific: vec![SLOT_4.to_owned()],
            ..CaptureConfig::default()
        };
        let done = run(&config, &sample, &noise_of(&golden), Some(&capture));
        close(&folder.name(), &done.latent, &golden, "final", TOLERANCE);
        let record = done.record.unwrap();
        let warps = record.layers.iter().filter(|layer| !layer.is_one_token());
        for (slot, layer) in warps.enumerate() {
            let mean = over_time(&mean_over_queries(layer, 1));
            let name = format!("g2r.slot.{slot}.mean_query");
            close(&layer.name, &mean, &golden, &name, TOLERANCE);
        }
        let tokens: Vec<_> = record
            .layers
            .iter()
            .filter(|layer| layer.is_one_token())
            .collect();
        for slot in [4, 9, 14] {
            let layer = tokens[slot];
            let sums = both_sides(&layer.r2g, layer, 1, (layer.height, layer.width));
            let got = over_time(&sums).unsqueeze(1);
            close(
                &layer.name,
                &got,
                &golden,
                &format!("r2g.layer.{slot:02}.sum"),
                TOLERANCE,
            );
        }
        compare_maps(&record, &golden, R2G, "r2g.", false);
        compare_maps(&record, &golden, G2R, "g2r.", false);
        compare_positions(&record, &golden, steps);
    }
}
