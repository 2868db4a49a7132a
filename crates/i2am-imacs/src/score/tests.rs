use i2am_attribution::{ConventionName, Grid, LayerRecord, Source};

use super::*;

const R2G: Direction = Direction::ReferenceToGenerated;
const G2R: Direction = Direction::GeneratedToReference;

/// One spatial layer whose attention lies in the left column of both pictures.
fn record() -> AttentionRecord {
    let left = [1.0, 0.0, 1.0, 0.0];
    let sums = [left, left].concat();
    AttentionRecord {
        layers: vec![LayerRecord {
            r2g: sums.clone(),
            g2r: Some(sums),
            r2g_counts: [2, 2],
            g2r_counts: [2, 2],
            ..LayerRecord::new(
                "warp_flow_blks.0",
                Source::Spatial {
                    height: 2,
                    width: 2,
                },
                1,
                Grid {
                    height: 2,
                    width: 2,
                },
            )
        }],
        steps: vec![1],
        latent_height: 2,
        latent_width: 2,
    }
}

fn left() -> Plane {
    Plane::from_fn(2, 2, |_, column| f32::from(column == 0))
}

fn score_of(
    record: &AttentionRecord,
    direction: Direction,
    mask: &Plane,
) -> Result<Score, NoScore> {
    let config = ImacsConfig::default();
    score(
        record,
        &Convention::default(),
        direction,
        &Level::Unified,
        mask,
        &config,
    )
}

#[test]
fn attention_inside_the_mask_scores_1_and_outside_minus_3() {
    let right = left().map(|value| 1.0 - value);
    for direction in Direction::ALL {
        for (mask, expected) in [(left(), 1.0), (right.clone(), -3.0)] {
            let score = score_of(&record(), direction, &mask).unwrap();
            assert!((score.imacs.value - expected).abs() < 1e-6, "{score:?}");
            assert!(score.notes.is_empty());
        }
    }
}

#[test]
fn the_map_is_brought_to_the_size_of_the_mask() {
    let mask = Plane::from_fn(16, 12, |_, column| f32::from(column < 6));
    let score = score_of(&record(), G2R, &mask).unwrap().imacs;
    assert!(score.inside > 0.8 && score.outside < 0.1, "{score:?}");
}

#[test]
fn the_released_code_multiplies_the_mask_onto_the_map_first() {
    let right = left().map(|value| 1.0 - value);
    let convention = Convention {
        g2r: Convention::default().g2r,
        ..Convention::preset(ConventionName::ReleasedCode)
    };
    let level = Level::Unified;
    let score = score(
        &record(),
        &convention,
        G2R,
        &level,
        &right,
        &ImacsConfig::default(),
    )
    .unwrap();
    assert_eq!((score.imacs.inside, score.imacs.outside), (0.0, 0.0));
}

#[test]
fn one_token_is_passed_on_and_has_no_score_over_the_reference() {
    let mut record = record();
    record.layers[0].source = Source::Tokens { count: 1 };
    record.layers[0].g2r = None;
    record.layers[0].r2g_counts = [1, 0];
    assert!(
        score_of(&record, R2G, &left())
            .unwrap()
            .notes
            .is_one_token()
    );
    let reason = score_of(&record, G2R, &left()).unwrap_err().to_string();
    assert_eq!(reason, "one reference token: no map over the reference");
}

#[test]
fn an_empty_mask_is_a_reason() {
    let reason = score_of(&record(), R2G, &Plane::zeros(2, 2)).unwrap_err();
    assert_eq!(reason, NoScore::Imacs(ImacsError::EmptyMask));
}
