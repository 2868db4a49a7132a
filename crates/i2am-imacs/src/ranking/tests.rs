use i2am_attribution::{ConventionName, Grid, LayerRecord, Source};

use super::*;

const R2G: Direction = Direction::ReferenceToGenerated;

/// One layer of two heads on 2x2 positions: the first looks at the left column, the second at the right one.
fn record() -> AttentionRecord {
    let mut r2g = vec![0.5, 0.0, 0.5, 0.0, 0.0, 0.5, 0.0, 0.5];
    r2g.resize(16, 0.0);
    AttentionRecord {
        layers: vec![LayerRecord {
            r2g,
            ..LayerRecord::new(
                "up_blocks.1.attn2",
                Source::Tokens { count: 1 },
                2,
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

fn convention() -> Convention {
    Convention {
        time_groups: 1,
        ..Convention::preset(ConventionName::Spatial)
    }
}

fn left(share: f32) -> Plane {
    Plane::from_fn(2, 2, |_, column| if column == 0 { share } else { 0.0 })
}

fn scores(mask: &Plane) -> Vec<CellScore> {
    score_cells(&record(), &convention(), R2G, mask, &ImacsConfig::default())
}

#[test]
fn cells_are_scored_and_shared_out() {
    let found = scores(&left(1.0));
    let values: Vec<_> = found.iter().map(|score| score.imacs.unwrap()).collect();
    assert!((values[0] - 1.0).abs() < 1e-6 && (values[1] + 3.0).abs() < 1e-6);
    let shares: Vec<_> = found.iter().map(|score| score.outside.unwrap()).collect();
    let (inside, outside) = (shares[0], shares[1]);
    assert!(inside.attention.abs() < 1e-12 && (inside.area - 0.5).abs() < 1e-12);
    assert!((outside.attention - 1.0).abs() < 1e-12 && (outside.area - 0.5).abs() < 1e-12);
    assert_eq!(found[0].marks.text(), "*");
    assert_eq!(found[0].grid.to_string(), "2x2");
}

#[test]
fn the_worst_come_first_and_what_has_no_score_last() {
    let mut ranking = Ranking::default();
    ranking.add(scores(&left(1.0)));
    // Nothing to attend to: no score, yet all attention is outside.
    ranking.add(scores(&left(0.0)));
    let ranked = ranking.ranked();
    let order: Vec<_> = ranked
        .iter()
        .map(|line| (line.rank, line.cell.head))
        .collect();
    assert_eq!(order, [(Some(1), 1), (Some(2), 0)]);
    assert_eq!((ranked[0].n, ranked[0].missing), (1, 1));
    assert!((ranked[0].imacs.unwrap() + 3.0).abs() < 1e-6);
    assert_eq!(ranked[0].sd, None);
    assert_eq!(ranked[1].attention_outside, Some(0.5));
    assert_eq!(ranked[1].area_outside, Some(0.75));

    let mut unscored = Ranking::default();
    unscored.add(scores(&left(0.0)));
    let ranks: Vec<_> = unscored.ranked().iter().map(|line| line.rank).collect();
    assert_eq!(ranks, [None, None]);
    assert_eq!(unscored.ranked()[0].cell.head, 0);
}

#[test]
fn mean_and_scatter_are_those_of_the_samples() {
    let mut ranking = Ranking::default();
    for value in [1.0, 2.0, 4.5] {
        let mut sample = scores(&left(1.0));
        sample.truncate(1);
        sample[0].imacs = Some(value);
        ranking.add(sample);
    }
    let line = ranking.ranked().remove(0);
    assert!((line.imacs.unwrap() - 2.5).abs() < 1e-12);
    assert!((line.sd.unwrap() - 3.25_f64.sqrt()).abs() < 1e-12);
    assert_eq!((line.n, line.missing), (3, 0));
}
