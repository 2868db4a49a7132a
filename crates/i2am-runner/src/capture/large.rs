//! Both softmaxes of a head of a large layer from one walk through its scores, which are held a few tokens at a time.
//!
//! The layer's own kernel has summed the exponentials of every position already; it returns the logarithm `l` of each sum. With it, the
//! exponentials `E = exp(q k - m)`, where `m` is the mean of `l`, are enough:
//!
//! ```text
//! C[token]            = sum over positions of  E[token, position]
//! r2g[mask, position] = sum over tokens of     w[mask, token] E[token, position] / C[token]
//! g2r[mask, token]    = sum over positions of  w[mask, position] exp(m - l[position]) E[token, position]
//! ```
//!
//! A head whose factors f32 cannot hold is left to [`super::both`].

mod kernel;

use std::f32::consts::LOG2_E;

use rayon::prelude::*;
use tch::{Kind, Tensor};

use super::both::{Head, safe};
use super::maps::Weights;
use super::near::Pairs;
use kernel::{Queries, Sums, TOKENS, grouped};

/// Layers with fewer scores in a head are reduced by [`super::both`], whose second walk through them costs little there.
const LARGE: i64 = 1 << 22;

/// Tokens summed by one thread at a time. Their sums are added in order, so that results do not depend on the number of threads.
const RUN: usize = 64 * TOKENS;

/// Whether a head has enough scores.
pub(super) fn is_large(positions: i64, tokens: i64) -> bool {
    positions * tokens >= LARGE
}

/// Reduces `head`, the logarithms of whose sums are `log_sums`, `[positions]`; all on the CPU. False, with nothing written to its results,
/// if it needs more than f32.
pub(super) fn reduce(
    head: &mut Head<'_>,
    [tokens, positions]: [&Weights; 2],
    log_sums: &Tensor,
) -> bool {
    let middle = log_sums.mean(Kind::Float);
    // What turns exponentials into shares over tokens.
    let inverse = (&middle - log_sums).exp().unsqueeze(0);
    // No score is larger than the logarithm of its position's sum, so that no exponential is beyond f32.
    if !safe(&[&inverse]) {
        return false;
    }
    let channels = head.query.size()[2] as usize;
    let base = f64::from(LOG2_E);
    let queries = Queries::new(
        &floats(&(&head.query * base)),
        channels,
        -(middle.double_value(&[]) * base) as f32,
        both_sides(&(&positions.rows * &inverse))
            .each_ref()
            .map(|side| &side[..]),
    );
    let keys = grouped(&floats(&head.key), channels);
    let weights = both_sides(&tokens.rows);
    let pairs = head.near.as_ref().map(|near| near.pairs);
    let shares = floats(&inverse);
    let picks = pairs.map(|pairs| [pairs.r2g.cells(), pairs.g2r_by_token.cells()]);
    let run = |(index, keys): (usize, &[[f32; TOKENS]])| {
        let first = index * RUN;
        let last = (first + RUN).min(weights[0].len());
        let mut picked = [const { Vec::new() }; 2];
        let weights = weights.each_ref().map(|side| &side[first..last]);
        let sums = queries.sum(keys, weights, |token, total, row| {
            let Some([r2g, g2r]) = &picks else { return };
            let cells = r2g.row(first + token);
            picked[0].extend(cells.iter().map(|&cell| row[cell] / total));
            let cells = g2r.row(first + token);
            picked[1].extend(cells.iter().map(|&cell| row[cell] * shares[cell]));
        });
        (sums, picked)
    };
    let runs = keys.par_chunks(RUN / TOKENS * channels).enumerate();
    let runs: Vec<(Sums, [Vec<f32>; 2])> = runs.map(run).collect();

    let rows = shares.len();
    let mut r2g = [(); 2].map(|()| vec![0.0; rows]);
    for (sums, _) in &runs {
        for (all, own) in r2g.iter_mut().zip(&sums.r2g) {
            for (all, own) in all.iter_mut().zip(own) {
                *all += own;
            }
        }
    }
    let joined = |part: &dyn Fn(&Sums) -> &[f32]| {
        let parts: Vec<&[f32]> = runs.iter().map(|(sums, _)| part(sums)).collect();
        Tensor::from_slice(&parts.concat())
    };
    let g2r = [0, 1].map(|side| joined(&|sums| &sums.g2r[side]));
    let g2r = Tensor::stack(&g2r, 0);
    let totals = joined(&|sums| &sums.totals).unsqueeze(0);
    let all = g2r.sum_dim_intlist([0_i64].as_slice(), true, Kind::Float);
    // What a token has of a position may be small compared with a position whose share was lost.
    let far_off = &all / inverse.max();
    if !safe(&[&totals, &far_off]) {
        return false;
    }
    if let (Some(near), Some(pairs)) = (&mut head.near, pairs) {
        let picked = |which: usize, pairs: &Pairs| {
            let parts: Vec<&[f32]> = runs.iter().map(|(_, picked)| &picked[which][..]).collect();
            pairs.sums(&Tensor::from_slice(&parts.concat()).unsqueeze(0))
        };
        near.add(&picked(0, &pairs.r2g), &picked(1, &pairs.g2r_by_token));
    }
    let r2g = r2g.map(|side| Tensor::from_slice(&side));
    head.r2g.squeeze_dim(1).copy_(&Tensor::stack(&r2g, 0));
    head.g2r.squeeze_dim(1).copy_(&g2r);
    true
}

/// The values of an f32 tensor.
fn floats(x: &Tensor) -> Vec<f32> {
    let flat = x.contiguous().view(-1);
    Vec::try_from(flat).expect("a flat f32 tensor is an f32 vector")
}

/// The rows of `[2, n]`.
fn both_sides(weights: &Tensor) -> [Vec<f32>; 2] {
    [0, 1].map(|side| floats(&weights.select(0, side)))
}
