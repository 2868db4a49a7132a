//! Small records for unit tests.

use half::f16;

use crate::{AttentionRecord, LayerRecord, Source};

/// A one-token layer of `heads` heads and one group whose map is `r2g`, `[heads, height, width]`.
pub(crate) fn one_token(name: &str, size: [usize; 2], heads: usize, r2g: &[f32]) -> LayerRecord {
    let mut both_sides = r2g.to_vec();
    both_sides.resize(2 * r2g.len(), 0.0);
    LayerRecord {
        name: name.to_owned(),
        source: Source::ImageToken,
        heads,
        height: size[0],
        width: size[1],
        r2g: both_sides,
        g2r: None,
        r2g_counts: [1, 0],
        g2r_counts: [0, 0],
        specific: None,
        near: None,
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
    LayerRecord {
        name: name.to_owned(),
        source: Source::Spatial {
            height: reference[0],
            width: reference[1],
        },
        heads,
        height: size[0],
        width: size[1],
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
        near: None,
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
