//! Small records for unit tests.

use half::f16;

use crate::{AttentionRecord, Grid, KeyRole, LayerRecord, OtherKeys, Source};

/// A one-token layer of `heads` heads and one group whose map is `r2g`, `[heads, height, width]`.
pub(crate) fn one_token(name: &str, size: [usize; 2], heads: usize, r2g: &[f32]) -> LayerRecord {
    let mut both_sides = r2g.to_vec();
    both_sides.resize(2 * r2g.len(), 0.0);
    let [height, width] = size;
    LayerRecord {
        r2g: both_sides,
        ..LayerRecord::new(
            name,
            Source::Tokens { count: 1 },
            heads,
            Grid { height, width },
        )
    }
}

/// A layer of one group whose reference, of the same size, has the share `share` everywhere, even over its positions.
pub(crate) fn joint(name: &str, size: [usize; 2], heads: usize, share: f32) -> LayerRecord {
    let [height, width] = size;
    let count = height * width;
    let inside_only = |value: f32| {
        let mut sums = vec![value; heads * count];
        sums.resize(2 * heads * count, 0.0);
        sums
    };
    LayerRecord {
        r2g: inside_only(1.0),
        g2r: Some(inside_only(share)),
        relative: Some(inside_only(1.0)),
        share: Some(inside_only(share)),
        others: vec![OtherKeys {
            role: KeyRole::Generated,
            share: vec![1.0 - share; heads],
        }],
        ..LayerRecord::new(
            name,
            Source::Spatial { height, width },
            heads,
            Grid { height, width },
        )
    }
}

/// A spatial layer of one group whose sums count up from 0, half of the tokens and positions (rounded down) inside.
pub(crate) fn spatial(
    name: &str,
    size: [usize; 2],
    reference: [usize; 2],
    heads: usize,
) -> LayerRecord {
    let (positions, tokens) = (size[0] * size[1], reference[0] * reference[1]);
    let count_up = |n: usize| (0..n).map(|i| i as f32).collect::<Vec<_>>();
    let halves = |n: usize| [(n / 2) as u64, (n - n / 2) as u64];
    let [height, width] = reference;
    let source = Source::Spatial { height, width };
    let [height, width] = size;
    LayerRecord {
        r2g: count_up(2 * heads * positions),
        g2r: Some(count_up(2 * heads * tokens)),
        r2g_counts: halves(tokens),
        g2r_counts: halves(positions),
        specific: Some(
            count_up(positions * tokens)
                .into_iter()
                .map(f16::from_f32)
                .collect(),
        ),
        ..LayerRecord::new(name, source, heads, Grid { height, width })
    }
}

/// `layers` of one step each in one group, with a latent of 4x3.
pub(crate) fn record(layers: Vec<LayerRecord>) -> AttentionRecord {
    AttentionRecord {
        layers,
        steps: vec![1],
        latent_height: 4,
        latent_width: 3,
    }
}
