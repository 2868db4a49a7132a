//! Both softmaxes of a layer from one computation of its scores.
//!
//! A head's softmax over the tokens, `P = exp(q kᵀ) / r` with the row sums `r` of the exponentials, also gives that over the
//! positions, which is `r P / c` with the column sums `c` of `r P`. The latter is never formed, since the wanted sums are thin
//! products with `P`:
//!
//! ```text
//! c[token]            = sum over positions of  r[position] P[position, token]
//! g2r[mask, token]    = sum over positions of  w[mask, position] P[position, token]
//! r2g[mask, position] = r[position] * sum over tokens of  P[position, token] w[mask, token] / c[token]
//! ```
//!
//! `r` follows from one token, `exp(q k0) / P[position, 0]`, without another walk through the scores. All of this takes
//! exponentials that f32 can hold: scores within some 60 of 0 and of each other. Whether they were shows in the sums; a head
//! where they were not is reduced by the two softmaxes one after the other.

use std::ops::RangeInclusive;

use tch::{Device, Kind, Tensor};

use super::large;
use super::maps::{Weights, chunks, generated_to_reference_of, reference_to_generated_of};
use super::near::{NearSums, Picker};

/// Factors and sums that can be trusted. The smallest f32 with all its digits is 1e-38, and a softmax has 0 below it: beside a
/// sum of 1e-26, 10,000 such losses are 1e-8.
const SAFE: RangeInclusive<f64> = 1e-26..=1e26;

/// Scores worked on at a time, in bytes, at most: they stay in a processor's cache from one operation to the next.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

/// What [`both_directions`] returns.
#[derive(Debug)]
pub struct Both {
    /// As of [`super::reference_to_generated`], `[2, heads, positions]`.
    pub r2g: Tensor,
    /// As of [`super::generated_to_reference`], `[2, heads, tokens]`.
    pub g2r: Tensor,
}

/// [`super::reference_to_generated`] and [`super::generated_to_reference`] of the same queries and keys, equal up to rounding, in
/// about a fifth of the time. The softmax of one head is kept if it fits `chunk_bytes`; else it is computed twice, in a third of the time.
///
/// # Shapes
/// As those two, f32; the mean over heads of the softmax over tokens is added to `specific`, `[positions, tokens]`.
pub fn both_directions(
    query: &Tensor,
    key: &Tensor,
    tokens: &Weights,
    positions: &Weights,
    chunk_bytes: usize,
    specific: Option<&mut Tensor>,
) -> Both {
    let asked = Asked {
        specific,
        ..Asked::default()
    };
    both_directions_of(query, key, tokens, positions, chunk_bytes, asked)
}

/// What else is asked of both softmaxes, and known of them.
#[derive(Default)]
pub(super) struct Asked<'a> {
    /// The mean over heads of the softmax over tokens is added here, `[positions, tokens]`.
    pub(super) specific: Option<&'a mut Tensor>,
    /// What is near is added here.
    pub(super) near: Option<&'a NearSums<'a>>,
    /// Logarithms of the sums of exponentials over tokens, `[heads, positions]`.
    pub(super) log_sums: Option<&'a Tensor>,
}

/// As [`both_directions`], with what is `asked`.
pub(super) fn both_directions_of(
    query: &Tensor,
    key: &Tensor,
    tokens: &Weights,
    positions: &Weights,
    chunk_bytes: usize,
    asked: Asked<'_>,
) -> Both {
    let Asked {
        mut specific,
        near,
        log_sums,
    } = asked;
    // Results are written into given tensors, which cannot be differentiated.
    let _guard = tch::no_grad_guard();
    let size = query.size();
    let (heads, rows, columns) = (size[0], size[1], key.size()[1]);
    let options = (Kind::Float, query.device());
    let both = Both {
        r2g: Tensor::zeros([2, heads, rows], options),
        g2r: Tensor::zeros([2, heads, columns], options),
    };
    // A map of all pairs has to have them by positions.
    let log_sums = log_sums.filter(|_| specific.is_none());
    let mut room = None;
    for head in 0..heads {
        let mut one = Head {
            query: query.narrow(0, head, 1),
            key: key.narrow(0, head, 1),
            tokens,
            positions,
            share: 1.0 / heads as f64,
            r2g: both.r2g.narrow(1, head, 1),
            g2r: both.g2r.narrow(1, head, 1),
            near: near.map(|near| near.of_head(head)),
        };
        if let Some(sums) = log_sums
            && large::reduce(&mut one, [tokens, positions], &sums.select(0, head))
        {
            continue;
        }
        let room = room.get_or_insert_with(|| Room::new(rows, columns, chunk_bytes, options));
        if !one.at_once(room, specific.as_deref_mut()) {
            one.one_after_the_other(chunk_bytes, specific.as_deref_mut());
        }
    }
    both
}

/// Where a head's scores and softmax are put; the heads use it in turn.
struct Room {
    blocks: Vec<Block>,
    /// Whether every block has a softmax of its own, so that it is still there after the last one.
    keeps_all: bool,
}

/// Some rows, that is positions.
struct Block {
    start: i64,
    length: i64,
    /// `[length, tokens]`, shared by all blocks.
    scores: Tensor,
    /// `[length, tokens]`.
    shares: Tensor,
}

impl Room {
    fn new(rows: i64, columns: i64, chunk_bytes: usize, options: (Kind, Device)) -> Self {
        // Scores of a block, and in addition its softmax if not all are kept.
        let block_bytes = BLOCK_BYTES.min(chunk_bytes / 2);
        let keeps_all = 4 * rows * columns + block_bytes as i64 <= chunk_bytes as i64;
        let runs: Vec<_> = chunks(rows, columns, block_bytes).collect();
        let longest = runs.first().map_or(0, |&(_, length)| length);
        let scores = Tensor::empty([longest, columns], options);
        let shares = Tensor::empty([longest, columns], options);
        let block = |(start, length)| Block {
            start,
            length,
            scores: scores.narrow(0, 0, length),
            // One tensor a block, not one for all: an allocator hands small ones out again, and clears large ones each time.
            shares: if keeps_all {
                Tensor::empty([length, columns], options)
            } else {
                shares.narrow(0, 0, length)
            },
        };
        Self {
            blocks: runs.into_iter().map(block).collect(),
            keeps_all,
        }
    }
}

impl Block {
    /// Scores and softmax over the tokens of one head, from `query` `[positions, d]` and `key` `[tokens, d]`.
    fn fill(&self, query: &Tensor, key: &Tensor) {
        let query = query.narrow(0, self.start, self.length);
        let _ = query.mm_out(&self.scores, &key.transpose(0, 1));
        let _ = self.scores.softmax_int_out(&self.shares, -1, Kind::Float);
    }

    /// The block's part of `x` along `dim`.
    fn of(&self, x: &Tensor, dim: i64) -> Tensor {
        x.narrow(dim, self.start, self.length)
    }
}

/// One head; every tensor keeps its dimension of heads, which is 1.
pub(super) struct Head<'a> {
    pub(super) query: Tensor,
    pub(super) key: Tensor,
    tokens: &'a Weights,
    positions: &'a Weights,
    /// Weight in the mean over heads.
    share: f64,
    /// Views of the results.
    pub(super) r2g: Tensor,
    pub(super) g2r: Tensor,
    pub(super) near: Option<NearSums<'a>>,
}

impl Head<'_> {
    /// By the formulas above. False, with nothing written to the results, if they need more than f32.
    fn at_once(&mut self, room: &Room, mut specific: Option<&mut Tensor>) -> bool {
        let options = (Kind::Float, self.query.device());
        let (query, key) = (self.query.squeeze_dim(0), self.key.squeeze_dim(0));
        let (rows, columns) = (query.size()[0], key.size()[0]);
        // Exponential and share of token 0, the quotient of which is r.
        let exponential = key.narrow(0, 0, 1).mm(&query.transpose(0, 1)).exp();
        let share = Tensor::empty([1, rows], options);
        // The weights of both masks and r: one product gives g2r and c.
        let weights = Tensor::cat(&[&self.positions.rows, &exponential], 0);
        let row_sums = weights.narrow(0, 2, 1);
        let mut sums = Tensor::zeros([3, columns], options);
        let pairs = self.near.as_ref().map(|near| near.pairs);
        let pickers = pairs.map(|pairs| {
            [&pairs.r2g_by_position, &pairs.g2r].map(|pairs| Picker::new(pairs, 1, options.1))
        });
        for block in &room.blocks {
            block.fill(&query, &key);
            let first = block.shares.narrow(1, 0, 1).transpose(0, 1);
            block.of(&share, 1).copy_(&first);
            let _ = block.of(&row_sums, 1).g_div_(&first);
            let _ = sums.addmm_(&block.of(&weights, 1), &block.shares);
            for picker in pickers.iter().flatten() {
                picker.take(&block.shares.unsqueeze(0), block.start);
            }
        }
        let column_sums = sums.narrow(0, 2, 1);
        // A column may be small compared with a row whose exponential in it was lost.
        let beside_rows = &column_sums / row_sums.max();
        if !safe(&[&exponential, &share, &row_sums, &column_sums, &beside_rows]) {
            return false;
        }
        if let (Some(near), Some([r2g, g2r])) = (&mut self.near, &pickers) {
            // From shares over tokens to shares over positions, as above.
            let pairs = &near.pairs.r2g_by_position;
            let factors = row_sums.index_select(1, &pairs.rows())
                / column_sums.index_select(1, &pairs.columns());
            let shares = r2g.picked() * factors;
            near.add(&pairs.sums(&shares), &g2r.sums());
        }
        self.g2r.squeeze_dim(1).copy_(&sums.narrow(0, 0, 2));
        let weights = &self.tokens.rows / column_sums;
        let r2g = self.r2g.squeeze_dim(1);
        // The last blocks may still be in a cache.
        for block in room.blocks.iter().rev() {
            if !room.keeps_all {
                block.fill(&query, &key);
            }
            let sums = weights.mm(&block.shares.transpose(0, 1)) * block.of(&row_sums, 1);
            block.of(&r2g, 1).copy_(&sums);
            if let Some(mean) = specific.as_deref_mut() {
                let mut shares = block.shares.shallow_clone();
                let _ = block.of(mean, 0).g_add_(&shares.g_mul_scalar_(self.share));
            }
        }
        true
    }

    /// By the two softmaxes, each from its own scores.
    fn one_after_the_other(&mut self, chunk_bytes: usize, specific: Option<&mut Tensor>) {
        let Self { query, key, .. } = self;
        let mut own = specific.as_ref().map(|mean| mean.zeros_like());
        let pickers = self.near.as_ref().map(|near| near.pickers(1));
        let (near_r2g, near_g2r) = pickers.as_ref().map(|[r2g, g2r]| (r2g, g2r)).unzip();
        let r2g = reference_to_generated_of(query, key, self.tokens, chunk_bytes, near_r2g, None);
        let g2r = generated_to_reference_of(
            query,
            key,
            self.positions,
            chunk_bytes,
            own.as_mut(),
            near_g2r,
            None,
        );
        let sums = pickers.map(|pickers| pickers.map(|picker| picker.sums()));
        if let (Some(near), Some([r2g, g2r])) = (&mut self.near, sums) {
            near.add(&r2g, &g2r);
        }
        self.r2g.copy_(&r2g);
        self.g2r.copy_(&g2r);
        if let (Some(mean), Some(own)) = (specific, own) {
            let _ = mean.g_add_(&(own * self.share));
        }
    }
}

/// Whether all values of the rows `[1, n]` are [`SAFE`]; a NaN is not.
pub(super) fn safe(rows: &[&Tensor]) -> bool {
    let all = Tensor::cat(rows, 1);
    let safe = all.ge(*SAFE.start()).logical_and(&all.le(*SAFE.end()));
    safe.all().int64_value(&[]) == 1
}
