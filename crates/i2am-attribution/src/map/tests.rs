use super::*;
use crate::testing::{joint, one_token, record, spatial};
use crate::{Averaging, Cell, ConventionName};

const R2G: Direction = Direction::ReferenceToGenerated;
const G2R: Direction = Direction::GeneratedToReference;

fn preset(name: ConventionName) -> Convention {
    Convention::preset(name)
}

fn averaging(averaged_over: Averaging) -> Convention {
    let mut convention = preset(ConventionName::Paper);
    convention.r2g.averaged_over = averaged_over;
    convention.g2r.averaged_over = averaged_over;
    convention
}

fn map(
    record: &AttentionRecord,
    convention: &Convention,
    direction: Direction,
    level: &Level,
) -> AttributionMap {
    attribution_map(record, convention, direction, level).unwrap()
}

#[track_caller]
fn assert_reason(
    record: &AttentionRecord,
    convention: &Convention,
    direction: Direction,
    level: &Level,
    expected: &str,
) {
    let reason = attribution_map(record, convention, direction, level).unwrap_err();
    assert_eq!(reason.to_string(), expected);
}

/// A one-token layer of one head at latent size in which every value is `value`.
fn flat(name: &str, value: f32) -> LayerRecord {
    one_token(name, [4, 3], 1, &[value; 12])
}

/// Blocks of a transformer over all tokens have no resolutions, and no convention that was written for UNets.
#[test]
fn blocks_have_layers_and_one_convention() {
    let block = joint("transformer_blocks.0.attn", [1, 2], 2, 0.5);
    let record = record(vec![block]);
    for direction in [R2G, G2R] {
        let levels = levels(&record, &preset(ConventionName::Spatial), direction);
        assert!(levels.contains(&Level::Layer("transformer_blocks.0.attn".into())));
        let is_resolution = |level: &Level| matches!(level, Level::Resolution { .. });
        assert!(!levels.iter().any(is_resolution));
        for name in [ConventionName::Paper, ConventionName::ReleasedCode] {
            assert!(super::levels(&record, &preset(name), direction).is_empty());
            let refused = attribution_map(&record, &preset(name), direction, &Level::Unified);
            let expected = format!("the convention `{name}` is not defined for joint attention");
            assert!(refused.unwrap_err().to_string().starts_with(&expected));
        }
    }
}

#[test]
fn one_token_has_no_map_over_the_reference() {
    let record = record(vec![flat("up_blocks.1", 0.5)]);
    let reason = "one reference token: no map over the reference";
    for convention in ConventionName::ALL.map(Convention::preset) {
        assert_reason(&record, &convention, G2R, &Level::Unified, reason);
        let layer = Level::Layer("up_blocks.1".to_owned());
        assert_reason(&record, &convention, G2R, &layer, reason);
        assert_eq!(levels(&record, &convention, G2R), []);
        assert!(
            map(&record, &convention, R2G, &Level::Unified)
                .notes
                .is_one_token()
        );
    }
}

#[test]
fn a_direction_not_recorded_is_told_apart() {
    let mut layer = spatial("warp_flow_blks.0", [4, 3], [2, 2], 1);
    layer.g2r = None;
    let record = record(vec![layer]);
    let reason = "no layer was recorded from generated to reference positions";
    let convention = Convention::default();
    assert_reason(&record, &convention, G2R, &Level::Unified, reason);
    assert!(
        !map(&record, &convention, R2G, &Level::Unified)
            .notes
            .is_one_token()
    );
}

#[test]
fn levels_list_exactly_what_can_be_made() {
    let mut record = record(vec![
        one_token("down_blocks.0", [4, 3], 2, &[0.5; 24]),
        spatial("warp_flow_blks.0", [2, 3], [2, 2], 2),
        spatial("warp_flow_blks.1", [4, 3], [3, 2], 2),
    ]);
    let convention = Convention {
        time_groups: 1,
        ..Convention::default()
    };
    let names = |record: &AttentionRecord, direction| {
        let levels = levels(record, &convention, direction);
        for level in &levels {
            map(record, &convention, direction, level);
        }
        levels.iter().map(Level::to_string).collect::<Vec<_>>()
    };
    let expected = [
        "unified",
        "time:0",
        "head:0",
        "head:1",
        "layer:down_blocks.0",
        "layer:warp_flow_blks.0",
        "layer:warp_flow_blks.1",
        "resolution:2x3",
        "resolution:4x3",
    ];
    assert_eq!(names(&record, R2G), expected);
    let expected = [
        "unified",
        "time:0",
        "head:0",
        "head:1",
        "layer:warp_flow_blks.0",
        "layer:warp_flow_blks.1",
        "resolution:2x2",
        "resolution:3x2",
    ];
    assert_eq!(names(&record, G2R), expected);

    record.layers[2] = spatial("warp_flow_blks.1", [4, 3], [3, 2], 1);
    assert!(!names(&record, G2R).contains(&"head:0".to_owned()));
    let reason = "the chosen layers have different numbers of heads (1 to 2)";
    assert_reason(&record, &convention, G2R, &Level::Head(0), reason);
}

#[test]
fn levels_beyond_the_record_are_refused_with_a_reason() {
    let record = record(vec![flat("up_blocks.1", 0.5)]);
    let convention = Convention::default();
    for (level, reason) in [
        (
            Level::Head(1),
            "head 1 does not exist: there are 1, counted from 0",
        ),
        (
            Level::Time(5),
            "time group 5 does not exist: there are 5, counted from 0",
        ),
        (
            Level::Time(0),
            "steps were recorded in 1 groups, too few for 5 time groups",
        ),
        (
            Level::Layer("mid_block".to_owned()),
            "no recorded layer is called `mid_block`",
        ),
        (
            Level::Resolution {
                height: 8,
                width: 6,
            },
            "no chosen layer has the resolution 8x6",
        ),
    ] {
        assert_reason(&record, &convention, R2G, &level, reason);
    }
    let mut named = convention;
    named.r2g.layers = LayerChoice::Named(vec!["mid_block.*".to_owned(), "x".to_owned()]);
    let reason = "no recorded layer is among the chosen ones (mid_block.*, x)";
    assert_reason(&record, &named, R2G, &Level::Unified, reason);
}

#[test]
fn the_middle_block_is_no_layer_of_the_released_code() {
    let record = record(vec![
        flat("down_blocks.0.attentions.0", 1.0),
        flat("mid_block.attentions.0", 8.0),
        flat("up_blocks.3.attentions.2", 3.0),
        spatial("warp_flow_blks.0", [4, 3], [2, 2], 1),
    ]);
    let unified = map(
        &record,
        &preset(ConventionName::ReleasedCode),
        R2G,
        &Level::Unified,
    );
    assert_eq!(
        unified.layers,
        ["down_blocks.0.attentions.0", "up_blocks.3.attentions.2"]
    );
    assert_eq!(unified.plane.data(), [2.0; 12]);
    assert!(unified.notes.is_one_token());

    let paper = map(
        &record,
        &preset(ConventionName::Paper),
        R2G,
        &Level::Unified,
    );
    assert_eq!(paper.layers.len(), 4);
    let ours = map(&record, &Convention::default(), R2G, &Level::Unified);
    assert_eq!(
        (ours.layers, ours.notes.is_one_token()),
        (vec!["warp_flow_blks.0".to_owned()], false)
    );
}

#[test]
fn a_layer_outside_the_choice_can_be_looked_at_by_name() {
    let record = record(vec![
        flat("up_blocks.1", 1.0),
        flat("mid_block.attentions.0", 8.0),
    ]);
    let level = Level::Layer("mid_block.attentions.0".to_owned());
    let mid = map(&record, &preset(ConventionName::ReleasedCode), R2G, &level);
    assert_eq!(mid.plane.data(), [8.0; 12]);
}

#[test]
fn unit_mean_puts_layers_on_an_equal_footing() {
    let ramp: Vec<f32> = (0..12).map(|i| i as f32).collect();
    let record = record(vec![
        flat("up_blocks.1", 1000.0),
        one_token("up_blocks.2", [4, 3], 1, &ramp),
        flat("up_blocks.3", 0.0),
    ]);
    let convention = Convention {
        layer_weighting: LayerWeighting::UnitMean,
        ..preset(ConventionName::Paper)
    };
    let unified = map(&record, &convention, R2G, &Level::Unified);
    for (index, value) in unified.plane.data().iter().enumerate() {
        let expected = (1.0 + index as f32 / 5.5 + 0.0) / 3.0;
        assert!((value - expected).abs() < 1e-6, "{index}: {value}");
    }
}

#[test]
fn all_is_divided_by_all_positions() {
    // One head: inside sums 0, 1, 2, 3 over 2 of 5 positions, outside sums 4, 5, 6, 7 over the other 3.
    let mut layer = spatial("warp_flow_blks.0", [5, 1], [2, 2], 1);
    layer.r2g = vec![0.0; 10];
    let record = record(vec![layer]);
    for (averaged_over, expected) in [
        (Averaging::Inside, [0.0, 0.5, 1.0, 1.5]),
        (Averaging::Outside, [4.0 / 3.0, 5.0 / 3.0, 2.0, 7.0 / 3.0]),
        (Averaging::All, [0.8, 1.2, 1.6, 2.0]),
    ] {
        let unified = map(&record, &averaging(averaged_over), G2R, &Level::Unified);
        assert_eq!(unified.plane.data(), expected);
    }
}

#[test]
fn layers_with_nothing_inside_do_not_enter() {
    let mut coarse = spatial("warp_flow_blks.0", [1, 2], [2, 2], 1);
    coarse.g2r_counts = [0, 2];
    let fine = spatial("warp_flow_blks.1", [4, 3], [2, 2], 1);
    let mut record = record(vec![coarse, fine]);
    let convention = averaging(Averaging::Inside);
    let unified = map(&record, &convention, G2R, &Level::Unified);
    assert_eq!(unified.layers, ["warp_flow_blks.1"]);

    record.layers.truncate(1);
    let reason =
        "no generated position inside the inpainting mask at the resolution of the chosen layers";
    assert_reason(&record, &convention, G2R, &Level::Unified, reason);
}

#[test]
fn one_pooled_token_has_no_inside() {
    let mut layer = flat("up_blocks.1", 1.0);
    layer.r2g_counts = [0, 1];
    let record = record(vec![layer]);
    for averaged_over in [Averaging::Inside, Averaging::All, Averaging::Outside] {
        let unified = map(&record, &averaging(averaged_over), R2G, &Level::Unified);
        assert_eq!(unified.plane.data(), [1.0; 12]);
    }
}

/// A one-token record of one head at latent size whose group `g` is `values[g]` everywhere.
fn in_groups(values: &[f32]) -> AttentionRecord {
    let mut layer = flat("up_blocks.1", 0.0);
    layer.r2g = values.iter().flat_map(|&value| [value; 12]).collect();
    layer.r2g.resize(2 * 12 * values.len(), 0.0);
    AttentionRecord {
        steps: vec![2; values.len()],
        ..record(vec![layer])
    }
}

#[test]
fn time_groups_share_out_the_recorded_groups() {
    let record = in_groups(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]);
    for (shown, expected) in [
        (7, vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]),
        (3, vec![1.5, 6.0, 112.0 / 3.0]),
        (1, vec![127.0 / 7.0]),
    ] {
        let convention = Convention {
            time_groups: shown,
            ..preset(ConventionName::Paper)
        };
        let found: Vec<f32> = (0..shown)
            .map(|group| {
                map(&record, &convention, R2G, &Level::Time(group))
                    .plane
                    .get(0, 0)
            })
            .collect();
        assert_eq!(found, expected);
        let unified = map(&record, &convention, R2G, &Level::Unified);
        assert_eq!(unified.plane.data(), [127.0; 12]);
    }
}

#[test]
fn values_are_clamped_per_recorded_group_at_the_time_level_only() {
    // Bicubic undershoots beside a peak. The second group fills the dip of the first, so only maps of their sum lose nothing.
    let mut layer = one_token("up_blocks.1", [1, 4], 1, &[0.0; 4]);
    layer.r2g = vec![0.0, 0.0, 9.0, 0.0, 9.0, 9.0, 0.0, 9.0];
    layer.r2g.resize(16, 0.0);
    let mut record = record(vec![layer]);
    record.steps = vec![1, 1];
    (record.latent_height, record.latent_width) = (1, 8);
    let convention = Convention {
        time_groups: 1,
        ..preset(ConventionName::Paper)
    };
    let unified = map(&record, &convention, R2G, &Level::Unified).plane;
    assert!(
        unified
            .data()
            .iter()
            .all(|value| (value - 9.0).abs() < 1e-5)
    );
    let time = map(&record, &convention, R2G, &Level::Time(0)).plane;
    assert!(time.max() - time.min() > 0.1, "{time:?}");
}

#[test]
fn maps_over_the_reference_take_the_largest_grid() {
    let record = record(vec![
        spatial("warp_flow_blks.0", [4, 3], [2, 2], 1),
        spatial("warp_flow_blks.1", [4, 3], [6, 5], 1),
    ]);
    let convention = Convention::default();
    let size = |level| map(&record, &convention, G2R, &level).plane.size();
    assert_eq!(size(Level::Unified), [6, 5]);
    assert_eq!(size(Level::Layer("warp_flow_blks.0".to_owned())), [2, 2]);
    assert_eq!(
        map(&record, &convention, R2G, &Level::Unified).plane.size(),
        [4, 3]
    );
}

#[test]
fn cells_list_each_head_of_each_layer_in_each_time_group() {
    let mut record = record(vec![
        one_token("down_blocks.0", [4, 3], 2, &[0.5; 24]),
        spatial("warp_flow_blks.0", [2, 3], [2, 2], 1),
    ]);
    let convention = Convention {
        time_groups: 1,
        ..preset(ConventionName::Paper)
    };
    let names = |direction| -> Vec<String> {
        let cells = cells(&record, &convention, direction).into_iter();
        cells.map(|cell| Level::Cell(cell).to_string()).collect()
    };
    assert_eq!(
        names(R2G),
        [
            "layer:down_blocks.0/head:0/time:0",
            "layer:down_blocks.0/head:1/time:0",
            "layer:warp_flow_blks.0/head:0/time:0",
        ]
    );
    assert_eq!(names(G2R), ["layer:warp_flow_blks.0/head:0/time:0"]);
    assert_eq!(cells(&record, &Convention::default(), R2G), []);

    let beyond = Cell {
        layer: "warp_flow_blks.0".to_owned(),
        head: 1,
        time: 0,
    };
    let reason = "head 1 does not exist: there are 1, counted from 0";
    assert_reason(&record, &convention, G2R, &Level::Cell(beyond), reason);
    record.layers[1].g2r_counts = [0, 6];
    let cell = cells(&record, &averaging(Averaging::Inside), G2R);
    assert_eq!(cell, [], "five groups are not there");
    let inside = Convention {
        time_groups: 1,
        ..averaging(Averaging::Inside)
    };
    let cell = cells(&record, &inside, G2R).remove(0);
    let nothing = cell_attention(&record, &inside, G2R, &cell).unwrap_err();
    let reason =
        "no generated position inside the inpainting mask at the resolution of the chosen layers";
    assert_eq!(nothing.to_string(), reason);
}

#[test]
fn cells_make_up_the_layer_and_keep_its_size() {
    // Two groups, two heads; the value of a map is 10 * group + head everywhere.
    let mut layer = one_token("up_blocks.1", [2, 2], 2, &[0.0; 8]);
    layer.r2g = [0.0, 1.0, 10.0, 11.0]
        .iter()
        .flat_map(|&value| [value; 4])
        .collect();
    layer.r2g.resize(32, 0.0);
    let record = AttentionRecord {
        steps: vec![1, 1],
        ..record(vec![layer])
    };
    let convention = Convention {
        time_groups: 2,
        ..preset(ConventionName::Paper)
    };
    let mut total = 0.0;
    for cell in cells(&record, &convention, R2G) {
        let expected = (10 * cell.time + cell.head) as f32;
        let own = cell_attention(&record, &convention, R2G, &cell).unwrap();
        assert_eq!((own.size(), own.data()), ([2, 2], [expected; 4].as_slice()));
        let map = map(&record, &convention, R2G, &Level::Cell(cell));
        assert_flat(&map.plane, expected);
        assert!(map.notes.is_one_token());
        total += expected;
    }
    let layer = map(
        &record,
        &convention,
        R2G,
        &Level::Layer("up_blocks.1".to_owned()),
    );
    // A sum over groups, a mean over heads.
    assert_flat(&layer.plane, total / 2.0);
}

/// Interpolating equal values rounds.
#[track_caller]
fn assert_flat(plane: &Plane, expected: f32) {
    assert_eq!(plane.size(), [4, 3]);
    for value in plane.data() {
        assert!((value - expected).abs() < 1e-5, "{value}, not {expected}");
    }
}
