use super::*;
use crate::Level;
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
    assert!(map.notes.is_empty());
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

#[test]
fn places_are_fractions_of_the_picture() {
    let point = |row, column| Positions::at_point(GENERATED, [row, column]);
    assert_eq!(point(0.0, 0.0).indices(), [0]);
    assert_eq!(point(0.5, 0.34).indices(), [4]);
    assert_eq!(point(0.49, 0.99).indices(), [2]);
    assert_eq!(point(1.0, 0.5).indices(), [0; 0]);
    assert_eq!(point(f64::NAN, 0.5).indices(), [0; 0]);
    // Centers of columns lie at 1/6, 1/2 and 5/6.
    let area = |left, right| Positions::in_area(GENERATED, [0.0, left, 0.5, right]);
    assert_eq!(area(0.0, 1.0).indices(), [0, 1, 2]);
    assert_eq!(area(0.2, 0.8).indices(), [1]);
    assert_eq!(area(0.6, 0.8).indices(), [0; 0]);
}

#[test]
fn what_is_asked_for_is_listed_by_layer_and_side() {
    let mut record = two_layers();
    record
        .layers
        .push(spatial("warp_flow_blks.1", [2, 3], [2, 2], 1));
    let config = SpecificConfig {
        layers: vec!["*.0".to_owned(), "up_blocks.*".to_owned()],
        generated: PlacesConfig {
            points: vec![[0.5, 0.25], [0.5, 0.25]],
            boxes: vec![[0.0, 0.0, 1.0, 0.5]],
            mask: MaskedPositions::Each,
        },
        reference: PlacesConfig {
            mask: MaskedPositions::Together,
            ..PlacesConfig::default()
        },
    };
    let mut hole = Plane::zeros(2, 3);
    hole.data_mut()[5] = 1.0;
    hole.data_mut()[1] = 1.0;
    let object = Plane::filled(2, 2, 1.0);
    let asked = config.maps(&record, Some(&hole), Some(&object));
    let seen: Vec<_> = asked
        .iter()
        .map(|map| (map.direction, map.level(), map.positions.indices().to_vec()))
        .collect();
    let level = |place: &str| Level::Specific {
        layer: "warp_flow_blks.0".to_owned(),
        place: place.to_owned(),
    };
    assert_eq!(
        seen,
        [
            (G2R, level("point:0.5,0.25"), vec![3]),
            (G2R, level("box:0,0,1,0.5"), vec![0, 3]),
            (G2R, level("position:0,1"), vec![1]),
            (G2R, level("position:1,2"), vec![5]),
            (R2G, level("mask"), vec![0, 1, 2, 3]),
        ]
    );
    for map in asked {
        specific_map(&record, &map.layer, &map.positions, map.direction).unwrap();
    }

    // Without a name every layer that kept its attention; without a mask nothing inside one.
    let all = SpecificConfig {
        layers: Vec::new(),
        ..config
    };
    let layers: Vec<_> = all
        .maps(&record, None, None)
        .into_iter()
        .map(|map| map.layer)
        .collect();
    let (first, second) = ("warp_flow_blks.0", "warp_flow_blks.1");
    assert_eq!(layers, [first, first, second, second]);
    assert!(SpecificConfig::default().is_empty());
    assert_eq!(
        SpecificConfig::default().maps(&record, Some(&hole), None),
        []
    );
}

#[test]
fn places_outside_the_picture_are_refused() {
    for (text, reason) in [
        (
            "generated.points = [[0.5, 1.0]]",
            "convention setting `specific.generated.points`: expected [row, column], each at least 0 and below 1, found [0.5, 1.0]",
        ),
        (
            "reference.boxes = [[0.5, 0.0, 0.5, 1.0]]",
            "convention setting `specific.reference.boxes`: expected [top, left, bottom, right], each from 0 to 1, top above bottom and left of right, found [0.5, 0.0, 0.5, 1.0]",
        ),
    ] {
        let config: SpecificConfig = toml::from_str(text).unwrap();
        assert_eq!(config.check().unwrap_err().to_string(), reason);
    }
    let fine = "generated.points = [[0.0, 0.99]]\nreference.boxes = [[0.0, 0.0, 1.0, 1.0]]";
    toml::from_str::<SpecificConfig>(fine)
        .unwrap()
        .check()
        .unwrap();
}
