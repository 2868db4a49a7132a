use super::*;
use crate::testing::{one_token, record, spatial};

const R2G: Direction = Direction::ReferenceToGenerated;
const G2R: Direction = Direction::GeneratedToReference;

/// 2x3 generated positions, 2x2 reference positions, value = 4 * generated + reference.
fn two_layers() -> AttentionRecord {
    record(vec![
        spatial("warp_flow_blks.0", [2, 3], [2, 2], 1),
        one_token("up_blocks.1", [4, 3], 1, &[0.0; 12]),
    ])
}

const GENERATED: Grid = Grid {
    height: 2,
    width: 3,
};
const REFERENCE: Grid = Grid {
    height: 2,
    width: 2,
};

fn map(positions: &Positions, direction: Direction) -> Plane {
    let map = specific_map(&two_layers(), "warp_flow_blks.0", positions, direction).unwrap();
    assert!(!map.one_token);
    map.plane
}

#[test]
fn a_generated_position_is_a_row() {
    let plane = map(&Positions::at(GENERATED, 1, 2), G2R);
    assert_eq!(plane.size(), [2, 2]);
    assert_eq!(plane.data(), [20.0, 21.0, 22.0, 23.0]);
}

#[test]
fn a_reference_position_is_a_column() {
    let plane = map(&Positions::at(REFERENCE, 1, 0), R2G);
    assert_eq!(plane.size(), [2, 3]);
    assert_eq!(plane.data(), [2.0, 6.0, 10.0, 14.0, 18.0, 22.0]);
}

#[test]
fn several_positions_are_averaged() {
    let plane = map(&Positions::in_box(GENERATED, 0..2, 1..3), G2R);
    assert_eq!(plane.data(), [12.0, 13.0, 14.0, 15.0]);
    let all = map(&Positions::in_box(REFERENCE, 0..9, 0..9), R2G);
    assert_eq!(all.data(), [1.5, 5.5, 9.5, 13.5, 17.5, 21.5]);
}

#[test]
fn positions_are_row_major_and_within_the_grid() {
    assert_eq!(
        Positions::in_box(GENERATED, 0..2, 1..7).indices(),
        [1, 2, 4, 5]
    );
    assert_eq!(Positions::at(GENERATED, 2, 0).indices(), [0; 0]);
    assert_eq!(
        Positions::at(GENERATED, usize::MAX, usize::MAX).indices(),
        [0; 0]
    );
}

#[test]
fn a_mask_selects_by_nearest_neighbour() {
    // Of each 2x2 block the top left pixel decides, however faint.
    let mut mask = Plane::zeros(4, 6);
    mask.data_mut()[2] = 0.01;
    mask.data_mut()[2 * 6 + 4] = 1.0;
    mask.data_mut()[6 + 1] = 1.0;
    assert_eq!(Positions::in_mask(GENERATED, &mask).indices(), [1, 5]);
}

#[test]
fn what_cannot_be_answered_has_a_reason() {
    let mut record = two_layers();
    record
        .layers
        .push(spatial("warp_flow_blks.1", [2, 3], [2, 2], 1));
    record.layers[2].specific = None;
    let here = Positions::at(GENERATED, 0, 0);
    let nowhere = Positions::at(GENERATED, 5, 5);
    for (layer, positions, reason) in [
        (
            "mid_block",
            &here,
            "no recorded layer is called `mid_block`",
        ),
        (
            "up_blocks.1",
            &here,
            "one reference token: no map over the reference",
        ),
        (
            "warp_flow_blks.1",
            &here,
            "layer `warp_flow_blks.1` has no position-to-position attention in the record",
        ),
        ("warp_flow_blks.0", &nowhere, "no position selected"),
        (
            "warp_flow_blks.0",
            &Positions::at(REFERENCE, 0, 0),
            "layer `warp_flow_blks.0`: expected positions on a 2x3 grid, found 2x2",
        ),
    ] {
        let error = specific_map(&record, layer, positions, G2R).unwrap_err();
        assert_eq!(error.to_string(), reason);
    }
}
