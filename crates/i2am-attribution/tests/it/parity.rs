//! The published code's maps from the published code's sums.

use i2am_attribution::{
    AttentionRecord, Direction, Grid, Level, Positions, normalise, specific_map, to_attribution,
};
use i2am_imaging::Plane;
use i2am_testkit::{Tensors, skipped};

use crate::support::{
    MAPS, assert_map, assert_planes, config, family, inputs_of, mask, one_token_record, plane,
    planes, record, released, warp_block, warp_block_of_mean,
};

const R2G: Direction = Direction::ReferenceToGenerated;
const G2R: Direction = Direction::GeneratedToReference;

#[track_caller]
fn assert_unified_and_heads(
    record: &AttentionRecord,
    direction: Direction,
    tensors: &Tensors,
    prefix: &str,
) {
    let unified = plane(tensors, &format!("{prefix}unified"));
    assert_map(record, direction, &Level::Unified, &unified);
    let heads = planes(tensors, &format!("{prefix}head"));
    for (head, want) in heads.iter().enumerate() {
        assert_map(record, direction, &Level::Head(head), want);
    }
}

/// The low-resolution picture: min-max, polarity and floor without a resize.
#[track_caller]
fn assert_picture(tensors: &Tensors, raw: &Plane, direction: Direction, prefix: &str) {
    let epsilon = released().epsilon as f32;
    let small = raw.minmax(epsilon);
    let want = plane(tensors, &format!("{prefix}minmax_lowres"));
    assert_planes(&format!("{prefix}minmax_lowres"), &small, &want, MAPS);
    let picture = to_attribution(&small, &released(), direction);
    let want = plane(tensors, &format!("{prefix}picture"));
    assert_planes(&format!("{prefix}picture"), &picture, &want, MAPS);
}

#[test]
fn parity_paint_by_example_maps() {
    for dir in family("paint-by-example") {
        let tensors = dir.tensors("i2am");
        let record = one_token_record(&tensors, &dir.json("i2am"));
        assert_unified_and_heads(&record, R2G, &tensors, "");
        assert_picture(&tensors, &plane(&tensors, "unified"), R2G, "chain.");
    }
}

#[test]
fn parity_reference_to_generated_maps() {
    for dir in family("i2am") {
        let tensors = dir.tensors("r2g");
        let record = one_token_record(&tensors, &dir.json("r2g"));
        assert_unified_and_heads(&record, R2G, &tensors, "");
    }
}

#[test]
fn parity_generated_to_reference_maps() {
    for dir in family("i2am") {
        let (tensors, sidecar) = (dir.tensors("g2r"), dir.json("g2r"));
        let blocks = (0..9)
            .map(|slot| warp_block_of_mean(&tensors, &format!("slot.{slot}.mean_query"), slot));
        let steps = vec![config(&sidecar, "steps") as u32];
        let record = record(&sidecar, steps, blocks.collect());
        assert_unified_and_heads(&record, G2R, &tensors, "");
    }
}

#[test]
fn parity_generated_to_reference_time_groups() {
    for dir in family("i2am") {
        let (tensors, sidecar) = (dir.tensors("g2r"), dir.json("g2r"));
        let blocks = [3, 4, 5].map(|slot| {
            warp_block_of_mean(&tensors, &format!("slot.{slot}.time_mean_query"), slot)
        });
        let want = planes(&tensors, "time");
        let groups = want.len();
        let steps = vec![(config(&sidecar, "steps") / groups) as u32; groups];
        let record = record(&sidecar, steps, blocks.to_vec());
        for (group, want) in want.iter().enumerate() {
            assert_map(&record, G2R, &Level::Time(group), want);
        }
        // Groups kept apart change nothing at the other levels.
        assert_unified_and_heads(&record, G2R, &tensors, "");
    }
}

/// Queries of slot 4 inside and outside the hole, kept apart by the record, make up the mean over all.
#[test]
fn parity_queries_split_by_the_hole() {
    for dir in family("i2am") {
        let Some(inputs) = inputs_of(&dir) else {
            continue;
        };
        let (tensors, sidecar) = (dir.tensors("g2r"), dir.json("g2r"));
        let &[heads, queries, height, width] = tensors.shape("slot.4.sum") else {
            panic!("slot.4.sum: unexpected shape");
        };
        let hole = hole_positions(&inputs, Grid { height, width });
        let positions = height * width;
        let rows = tensors.f32("slot.4.sum");
        let mut g2r = vec![0.0; 2 * heads * positions];
        for (index, row) in rows.chunks_exact(positions).enumerate() {
            let (head, query) = (index / queries, index % queries);
            let side = usize::from(!hole.indices().contains(&query));
            let start = (side * heads + head) * positions;
            for (sum, value) in g2r[start..start + positions].iter_mut().zip(row) {
                *sum += value;
            }
        }
        let inside = hole.indices().len();
        assert!(
            0 < inside && inside < queries,
            "the mask splits the queries"
        );
        let counts = [inside as u64, (queries - inside) as u64];
        let block = warp_block(4, [1, heads, height, width], g2r, counts);
        let steps = vec![config(&sidecar, "steps") as u32];
        let record = record(&sidecar, steps, vec![block]);
        assert_unified_and_heads(&record, G2R, &tensors, "");
    }
}

#[test]
fn parity_specific_maps() {
    for dir in family("i2am") {
        let Some(inputs) = inputs_of(&dir) else {
            continue;
        };
        let (tensors, sidecar) = (dir.tensors("g2r"), dir.json("g2r"));
        let &[heads, queries, height, width] = tensors.shape("slot.4.sum") else {
            panic!("slot.4.sum: unexpected shape");
        };
        let grid = Grid { height, width };
        let hole = hole_positions(&inputs, grid);
        let want: Vec<usize> = indices(&tensors, "sram.indices");
        assert_eq!(hole.indices(), want);

        let steps = config(&sidecar, "steps");
        let sums = tensors.f32("slot.4.sum");
        let cells = queries * height * width;
        let mean = |cell: usize| {
            let sum: f32 = (0..heads).map(|head| sums[head * cells + cell]).sum();
            half::f16::from_f32(sum / (heads * steps) as f32)
        };
        let mut block = warp_block_of_mean(&tensors, "slot.4.mean_query", 4);
        block.specific = Some((0..cells).map(mean).collect());
        let name = block.name.clone();
        let record = record(&sidecar, vec![steps as u32], vec![block]);

        let maps = planes(&tensors, "sram.maps");
        for (index, want) in indices(&tensors, "sram.picked").into_iter().zip(&maps) {
            let position = Positions::at(grid, index / width, index % width);
            let map = specific_map(&record, &name, &position, G2R).unwrap();
            // The record holds the mean over steps, rounded to f16: half a unit in the last place is 4.9e-4 of a value.
            let sum = map.plane.scale(steps as f32);
            assert_planes(&format!("sram {index}"), &sum, want, 5e-4);
        }

        let small = maps[1].minmax(released().epsilon as f32);
        let picture = to_attribution(&small, &released(), G2R);
        let want = plane(&dir.tensors("chain"), "sram.picture");
        assert_planes("sram.picture", &picture, &want, MAPS);
    }
}

#[test]
fn parity_normalise() {
    for dir in family("i2am") {
        let Some(inputs) = inputs_of(&dir) else {
            continue;
        };
        let chain = dir.tensors("chain");
        let cloth = mask(&inputs, "cloth_mask");
        for (direction, mask) in [(R2G, None), (G2R, Some(&cloth))] {
            let maps = dir.tensors(&direction.to_string());
            let unified = plane(&maps, "unified");
            let head = &planes(&maps, "head")[2];
            for (raw, name) in [
                (&unified, direction.to_string()),
                (head, format!("{direction}_head2")),
            ] {
                let absence = plane(&chain, &format!("{name}.floored"));
                let [height, width] = absence.size();
                let got = normalise(raw, &released(), direction, height, width, mask);
                let want = absence.map(|value| 1.0 - value);
                assert_planes(&format!("{name}.floored"), &got, &want, MAPS);
            }
        }
        for name in ["r2g", "r2g_head2"] {
            let raw = match name {
                "r2g" => plane(&dir.tensors("r2g"), "unified"),
                _ => planes(&dir.tensors("r2g"), "head").swap_remove(2),
            };
            assert_picture(&chain, &raw, R2G, &format!("{name}."));
        }
    }
}

#[test]
fn parity_geometry_512x384() {
    for dir in family("i2am") {
        if !dir.has("geometry_512x384") {
            skipped(format!("no geometry_512x384 in {}", dir.name()));
            continue;
        }
        let tensors = dir.tensors("geometry_512x384");
        let sidecar = dir.json("geometry_512x384");
        let [height, width] = ["image_height", "image_width"].map(|key| config(&sidecar, key));

        let block = warp_block_of_mean(&tensors, "g2r.slot.4.mean_query", 4);
        let grid = block.generated_grid();
        let steps = vec![config(&sidecar, "steps") as u32];
        let record = record(&sidecar, steps, vec![block]);
        assert_unified_and_heads(&record, G2R, &tensors, "g2r.");

        let cloth = enlarged(&mask(&tensors, "cloth_mask"), height, width);
        for (direction, mask) in [(R2G, None), (G2R, Some(&cloth))] {
            let raw = plane(&tensors, &format!("{direction}.unified"));
            let got = normalise(&raw, &released(), direction, height, width, mask);
            let name = format!("chain.{direction}.floored.every8");
            let want = plane(&tensors, &name).map(|value| 1.0 - value);
            let got = Plane::from_fn(height / 8, width / 8, |row, column| {
                got.get(8 * row + 3, 8 * column + 3)
            });
            assert_planes(&name, &got, &want, MAPS);
        }
        let raw = plane(&tensors, "r2g.unified");
        assert_picture(&tensors, &raw, R2G, "chain.r2g.");

        let keep = enlarged(&mask(&tensors, "agn_mask"), height, width);
        let hole = Positions::in_mask(grid, &keep.map(|value| 1.0 - value));
        assert_eq!(hole.indices(), indices(&tensors, "sram.indices"));
    }
}

fn hole_positions(inputs: &Tensors, grid: Grid) -> Positions {
    let keep = mask(inputs, "agn_mask");
    Positions::in_mask(grid, &keep.map(|value| 1.0 - value))
}

fn indices(tensors: &Tensors, name: &str) -> Vec<usize> {
    let values = tensors.i64(name).into_iter();
    values
        .map(|index| usize::try_from(index).expect("indices count from 0"))
        .collect()
}

/// Every pixel stands for a block of equal pixels.
fn enlarged(mask: &Plane, height: usize, width: usize) -> Plane {
    let [rows, columns] = mask.size();
    Plane::from_fn(height, width, |row, column| {
        mask.get(row * rows / height, column * columns / width)
    })
}
