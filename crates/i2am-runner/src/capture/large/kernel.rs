//! Exponentials of scores, made and summed a few tokens at a time, so that none leaves a processor's cache.
//!
//! libtorch would write the scores of a block, their softmax and its products one after the other, each a walk through memory.

#![expect(
    clippy::inline_always,
    reason = "what is not inlined into the function that is compiled for the processor at hand does not use its vectors"
)]

use std::f32::consts::LN_2;

use pulp::{Arch, Simd, WithSimd};

/// Tokens whose scores are made together: with two vectors of positions their sums fill the registers of a processor with 16.
pub(super) const TOKENS: usize = 6;

/// Vectors of positions whose scores are made together.
const VECTORS: usize = 2;

/// Panels whose scores are made before their exponentials: few enough to be still in the innermost cache.
const RUN: usize = 8;

/// 1.5 * 2^23: added to a small number, it leaves the nearest whole number in the last bits.
const ROUNDING: f32 = 12_582_912.0;

/// `2^x = 1 + x (POLYNOMIAL[4] + x (POLYNOMIAL[3] + ...))` for |x| of at most 1/2, to 1.1e-7 of its value: behind the exact ln 2 the factors
/// of the least relative error, found by weighted least squares.
const POLYNOMIAL: [f32; 5] = [
    0.001_330_060_5,
    0.009_669_691,
    0.055_505_585,
    0.240_222_83,
    LN_2,
];

/// The queries of a head in the order in which the kernel reads them.
pub(super) struct Queries {
    arch: Arch,
    /// Panels of [`VECTORS`] vectors of positions; of each panel these vectors for channel after channel.
    panels: Vec<f32>,
    channels: usize,
    /// What is added to the score of each position; -200 behind the last, whose exponential is 0.
    bias: Vec<f32>,
    /// Weights of the positions, 0 behind the last.
    weights: [Vec<f32>; 2],
}

impl Queries {
    /// Of `query` `[positions, channels]`; the exponential is `2^(q k + bias)`.
    pub(super) fn new(query: &[f32], channels: usize, bias: f32, weights: [&[f32]; 2]) -> Self {
        Self::on(Arch::new(), query, channels, bias, weights)
    }

    fn on(arch: Arch, query: &[f32], channels: usize, bias: f32, weights: [&[f32]; 2]) -> Self {
        let width = VECTORS * arch.dispatch(Lanes);
        let positions = query.len() / channels;
        let padded = positions.next_multiple_of(width);
        let mut panels = vec![0.0; padded * channels];
        for (position, query) in query.chunks_exact(channels).enumerate() {
            let panel = &mut panels[position / width * width * channels..];
            for (channel, &value) in query.iter().enumerate() {
                panel[channel * width + position % width] = value;
            }
        }
        let to_end = |values: &[f32], rest: f32| {
            let mut values = values.to_vec();
            values.resize(padded, rest);
            values
        };
        Self {
            arch,
            panels,
            channels,
            bias: to_end(&vec![bias; positions], -200.0),
            weights: weights.map(|weights| to_end(weights, 0.0)),
        }
    }

    /// Sums the exponentials of `keys`, groups of [`TOKENS`] tokens, each with these tokens for channel after channel.
    ///
    /// `weights` has those of the tokens; `visit` is given each token's number, its sum over the positions and its exponentials.
    pub(super) fn sum(
        &self,
        keys: &[[f32; TOKENS]],
        weights: [&[f32]; 2],
        visit: impl FnMut(usize, f32, &[f32]),
    ) -> Sums {
        self.arch.dispatch(Walk {
            queries: self,
            keys,
            weights,
            visit,
        })
    }
}

/// `key` `[tokens, channels]` as [`Queries::sum`] reads it; behind the last token are zeros.
pub(super) fn grouped(key: &[f32], channels: usize) -> Vec<[f32; TOKENS]> {
    let tokens = key.len() / channels;
    let mut groups = vec![[0.0; TOKENS]; tokens.div_ceil(TOKENS) * channels];
    for (token, key) in key.chunks_exact(channels).enumerate() {
        let group = &mut groups[token / TOKENS * channels..][..channels];
        for (slot, &value) in group.iter_mut().zip(key) {
            slot[token % TOKENS] = value;
        }
    }
    groups
}

/// What becomes of a run of tokens. Vectors over positions go on behind the last.
pub(super) struct Sums {
    /// Sum over tokens of weight times exponential by the token's sum, for either weights.
    pub(super) r2g: [Vec<f32>; 2],
    /// Sum over positions of weight times exponential, for either weights.
    pub(super) g2r: [Vec<f32>; 2],
    /// Sum over positions of the exponentials.
    pub(super) totals: Vec<f32>,
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

struct Walk<'a, F> {
    queries: &'a Queries,
    keys: &'a [[f32; TOKENS]],
    weights: [&'a [f32]; 2],
    visit: F,
}

impl<F: FnMut(usize, f32, &[f32])> WithSimd for Walk<'_, F> {
    type Output = Sums;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Sums {
        let Self {
            queries,
            keys,
            weights,
            mut visit,
        } = self;
        let positions = queries.bias.len();
        let tokens = weights[0].len();
        let mut sums = Sums {
            r2g: [(); 2].map(|()| vec![0.0; positions]),
            g2r: [(); 2].map(|()| vec![0.0; tokens]),
            totals: vec![0.0; tokens],
        };
        let mut rows = vec![0.0; TOKENS * positions];
        for (group, keys) in keys.chunks_exact(queries.channels).enumerate() {
            let found = exponentials(simd, queries, keys, &mut rows);
            let mut shares = [[0.0; TOKENS]; 2];
            let first = group * TOKENS;
            for (slot, [total, inside, outside]) in found.into_iter().enumerate() {
                let token = first + slot;
                if token == tokens {
                    break;
                }
                sums.totals[token] = total;
                sums.g2r[0][token] = inside;
                sums.g2r[1][token] = outside;
                for (shares, weights) in shares.iter_mut().zip(weights) {
                    shares[slot] = weights[token] / total;
                }
                visit(token, total, &rows[slot * positions..][..positions]);
            }
            add_rows(simd, &rows, shares, &mut sums.r2g);
        }
        sums
    }
}

/// Exponentials of a group, row after row into `rows`; their sums, plain and by either weights.
#[inline(always)]
fn exponentials<S: Simd>(
    simd: S,
    queries: &Queries,
    keys: &[[f32; TOKENS]],
    rows: &mut [f32],
) -> [[f32; 3]; TOKENS] {
    let panels = vectors::<S>(&queries.panels);
    let bias = vectors::<S>(&queries.bias);
    let [inside, outside] = queries.weights.each_ref().map(|all| vectors::<S>(all));
    let rows = S::as_mut_simd_f32s(rows).0.as_chunks_mut::<VECTORS>().0;
    let count = bias.len();
    let mut sums = [[[simd.splat_f32s(0.0); VECTORS]; 3]; TOKENS];
    for start in (0..count).step_by(RUN) {
        let run = start..(start + RUN).min(count);
        for panel in run.clone() {
            let query = &panels[panel * keys.len()..][..keys.len()];
            for (slot, scores) in product(simd, keys, query, bias[panel])
                .into_iter()
                .enumerate()
            {
                rows[slot * count + panel] = scores;
            }
        }
        let weights = || inside[run.clone()].iter().zip(&outside[run.clone()]);
        for (row, [total, of_inside, of_outside]) in rows.chunks_exact_mut(count).zip(&mut sums) {
            for (cells, (inside, outside)) in row[run.clone()].iter_mut().zip(weights()) {
                for vector in 0..VECTORS {
                    let x = exp2(simd, cells[vector]);
                    cells[vector] = x;
                    total[vector] = simd.add_f32s(x, total[vector]);
                    of_inside[vector] = simd.mul_add_e_f32s(x, inside[vector], of_inside[vector]);
                    of_outside[vector] =
                        simd.mul_add_e_f32s(x, outside[vector], of_outside[vector]);
                }
            }
        }
    }
    sums.map(|sums| sums.map(|[a, b]| simd.reduce_sum_f32s(simd.add_f32s(a, b))))
}

/// Scores of a group of tokens at a panel of positions.
#[inline(always)]
fn product<S: Simd>(
    simd: S,
    keys: &[[f32; TOKENS]],
    query: &[[S::f32s; VECTORS]],
    bias: [S::f32s; VECTORS],
) -> [[S::f32s; VECTORS]; TOKENS] {
    let mut scores = [bias; TOKENS];
    for (keys, query) in keys.iter().zip(query) {
        for (scores, &key) in scores.iter_mut().zip(keys) {
            let key = simd.splat_f32s(key);
            for (score, &query) in scores.iter_mut().zip(query) {
                *score = simd.mul_add_e_f32s(key, query, *score);
            }
        }
    }
    scores
}

/// Adds the rows of a group, each times its share, to both sums.
#[inline(always)]
fn add_rows<S: Simd>(simd: S, rows: &[f32], shares: [[f32; TOKENS]; 2], sums: &mut [Vec<f32>; 2]) {
    let rows = S::as_simd_f32s(rows).0;
    let [inside, outside] = sums.each_mut().map(|sums| S::as_mut_simd_f32s(sums).0);
    let [of_inside, of_outside] = shares.map(|shares| shares.map(|share| simd.splat_f32s(share)));
    let count = inside.len();
    for (position, (inside, outside)) in inside.iter_mut().zip(outside).enumerate() {
        let (mut a, mut b) = (*inside, *outside);
        for slot in 0..TOKENS {
            let x = rows[slot * count + position];
            a = simd.mul_add_e_f32s(x, of_inside[slot], a);
            b = simd.mul_add_e_f32s(x, of_outside[slot], b);
        }
        (*inside, *outside) = (a, b);
    }
}

/// `2^x`, with a relative error of 2e-7, of `x` up to 127; below -126 it is that of -126.
#[inline(always)]
fn exp2<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = simd.max_f32s(x, simd.splat_f32s(-126.0));
    let rounding = simd.splat_f32s(ROUNDING);
    let shifted = simd.add_f32s(x, rounding);
    let rest = simd.sub_f32s(x, simd.sub_f32s(shifted, rounding));
    let [first, others @ ..] = POLYNOMIAL;
    let mut power = simd.splat_f32s(first);
    for factor in others {
        power = simd.mul_add_e_f32s(power, rest, simd.splat_f32s(factor));
    }
    let power = simd.mul_add_e_f32s(power, rest, simd.splat_f32s(1.0));
    // The whole part is added to the exponent's bits.
    let bits = simd.transmute_u32s_f32s(shifted);
    let exponent = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(exponent, simd.transmute_u32s_f32s(power)))
}

/// Whole panels of `values`.
#[inline(always)]
fn vectors<S: Simd>(values: &[f32]) -> &[[S::f32s; VECTORS]] {
    S::as_simd_f32s(values).0.as_chunks().0
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Powers(Vec<f32>);

    impl WithSimd for Powers {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(mut self, simd: S) -> Vec<f32> {
            for x in S::as_mut_simd_f32s(&mut self.0).0 {
                *x = exp2(simd, *x);
            }
            self.0
        }
    }

    /// The processor at hand, and one without vectors.
    fn processors() -> Vec<Arch> {
        #[cfg(target_arch = "x86_64")]
        let all = vec![Arch::new(), Arch::Scalar];
        #[cfg(not(target_arch = "x86_64"))]
        let all = vec![Arch::new()];
        all
    }

    #[test]
    fn powers_of_two_are_right_to_the_last_digits() {
        let exponents: Vec<f32> = (0..253 * 64).map(|x| x as f32 / 64.0 - 126.0).collect();
        for arch in processors() {
            let found = arch.dispatch(Powers(exponents.clone()));
            for (&x, found) in exponents.iter().zip(found) {
                let expected = f64::from(x).exp2();
                let off = (f64::from(found) / expected - 1.0).abs();
                assert!(off < 2e-7, "2^{x}: {found}, expected {expected}");
            }
            let below = arch.dispatch(Powers(vec![-1e30; 64]));
            assert!(below.iter().all(|&x| x > 0.0 && x < 2e-38), "{below:?}");
        }
    }

    /// Numbers of positions and tokens that fill neither a panel nor a group, against sums in f64.
    #[test]
    fn sums_are_those_of_the_exponentials() {
        for arch in processors() {
            compare_sums(arch);
        }
    }

    fn compare_sums(arch: Arch) {
        let (positions, tokens, channels) = (77, 20, 5);
        let wave = |count: usize, frequency: f32| -> Vec<f32> {
            (0..count).map(|x| (x as f32 * frequency).sin()).collect()
        };
        let (query, key) = (
            wave(positions * channels, 0.731),
            wave(tokens * channels, 1.177),
        );
        let inside: Vec<f32> = (0..positions).map(|x| f32::from(x % 3 == 0)).collect();
        let outside: Vec<f32> = inside.iter().map(|x| 1.0 - x).collect();
        let weights = wave(tokens, 0.2);
        let ones = vec![1.0; tokens];
        let queries = Queries::on(arch, &query, channels, -0.5, [&inside, &outside]);
        let mut visited = Vec::new();
        let sums = queries.sum(
            &grouped(&key, channels),
            [&weights, &ones],
            |token, total, row| visited.push((token, total, row[positions - 1])),
        );

        let score = |token: usize, position: usize| -> f64 {
            let query = &query[position * channels..][..channels];
            let key = &key[token * channels..][..channels];
            let pairs = query.iter().zip(key);
            pairs.map(|(q, k)| f64::from(q * k)).sum::<f64>() - 0.5
        };
        let row = |token: usize| -> Vec<f64> {
            (0..positions).map(|at| score(token, at).exp2()).collect()
        };
        let near = |found: f32, expected: f64| {
            let off = (f64::from(found) - expected).abs();
            assert!(off < 1e-5 * expected.abs().max(1.0), "{found}, {expected}");
        };
        let mut r2g = vec![[0.0; 2]; positions];
        for token in 0..tokens {
            let row = row(token);
            let total: f64 = row.iter().sum();
            near(sums.totals[token], total);
            for (found, weights) in sums.g2r.iter().zip([&inside, &outside]) {
                let pairs = row.iter().zip(weights);
                near(found[token], pairs.map(|(x, &w)| x * f64::from(w)).sum());
            }
            assert_eq!(visited[token].0, token);
            near(visited[token].1, total);
            near(visited[token].2, row[positions - 1]);
            for (sums, x) in r2g.iter_mut().zip(row) {
                sums[0] += f64::from(weights[token]) * x / total;
                sums[1] += x / total;
            }
        }
        assert_eq!(visited.len(), tokens);
        for (position, expected) in r2g.iter().enumerate() {
            near(sums.r2g[0][position], expected[0]);
            near(sums.r2g[1][position], expected[1]);
        }
    }
}
