//! Both softmaxes of a head of a large layer from one walk through its scores, which are then held a block at a time.
//!
//! The layer's own kernel has summed the exponentials of every position already; it returns the logarithm `l` of each sum. With it, the
//! softmax over the positions, `T`, token by token, is enough:
//!
//! ```text
//! r2g[mask, position] = sum over tokens of     w[mask, token] T[token, position]
//! g2r[mask, token]    = C[token] * sum over positions of  w[mask, position] exp(-l[position]) T[token, position]
//! ```
//!
//! `C`, the sum of a token's exponentials, follows from one position, `exp(q0 k) / T[token, 0]`. All exponents are less by the mean of
//! `l`. A head whose factors f32 cannot hold is left to [`super::both`].

use tch::{Kind, Tensor};

use super::both::{BLOCK_BYTES, Head, safe};
use super::maps::{Weights, chunks};
use super::near::Picker;

/// Layers with fewer scores in a head are reduced by [`super::both`], whose second walk through them costs little there.
const LARGE: i64 = 1 << 22;

/// Whether a head has enough scores.
pub(super) fn is_large(positions: i64, tokens: i64) -> bool {
    positions * tokens >= LARGE
}

/// Where a head's scores and softmax are put; the heads use it in turn.
pub(super) struct Walk<'a> {
    tokens: &'a Weights,
    positions: &'a Weights,
    /// `[length, positions]` each, of as many tokens as make a block.
    room: [Tensor; 2],
    blocks: Vec<(i64, i64)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(tokens: &'a Weights, positions: &'a Weights) -> Self {
        let [columns, rows] = [tokens, positions].map(|weights| weights.rows.size()[1]);
        let blocks: Vec<(i64, i64)> = chunks(columns, rows, BLOCK_BYTES).collect();
        let longest = blocks.first().map_or(0, |&(_, length)| length);
        let options = (Kind::Float, tokens.rows.device());
        Self {
            tokens,
            positions,
            room: [(); 2].map(|()| Tensor::empty([longest, rows], options)),
            blocks,
        }
    }

    /// Reduces `head`, the logarithms of whose sums are `log_sums`, `[positions]`. False, with nothing written to its results, if it needs
    /// more than f32.
    pub(super) fn head(&self, head: &mut Head<'_>, log_sums: &Tensor) -> bool {
        let (query, key) = (head.query.squeeze_dim(0), head.key.squeeze_dim(0));
        let (rows, columns) = (query.size()[0], key.size()[0]);
        let options = (Kind::Float, query.device());
        let middle = log_sums.mean(Kind::Float);
        // What turns exponentials into shares over tokens; and the same inside and outside the mask.
        let inverse = (&middle - log_sums).exp().unsqueeze(0);
        let weights = &self.positions.rows * &inverse;
        let exponential = (key.mv(&query.select(0, 0)) - &middle).exp().unsqueeze(0);
        let first = Tensor::empty([1, columns], options);
        let r2g = Tensor::zeros([2, rows], options);
        let g2r = Tensor::zeros([2, columns], options);
        let pairs = head.near.as_ref().map(|near| near.pairs);
        let pickers = pairs.map(|pairs| {
            [&pairs.r2g, &pairs.g2r_by_token].map(|pairs| Picker::new(pairs, 1, options.1))
        });
        for &(start, length) in &self.blocks {
            let [scores, shares] = self.room.each_ref().map(|room| room.narrow(0, 0, length));
            let _ = key
                .narrow(0, start, length)
                .mm_out(&scores, &query.transpose(0, 1));
            let _ = scores.softmax_int_out(&shares, -1, Kind::Float);
            first
                .select(0, 0)
                .narrow(0, start, length)
                .copy_(&shares.select(1, 0));
            // Products with one vector each: a product with a matrix of two columns takes ten times as long.
            for side in self.tokens.sides() {
                let own = self.tokens.rows.select(0, side).narrow(0, start, length);
                let _ = r2g.select(0, side).addmv_(&shares.transpose(0, 1), &own);
            }
            for side in self.positions.sides() {
                let sums = g2r.select(0, side).narrow(0, start, length);
                let _ = shares.mv_out(&sums, &weights.select(0, side));
            }
            for picker in pickers.iter().flatten() {
                picker.take(&shares.unsqueeze(0), start);
            }
        }
        let column_sums = exponential / &first;
        let all = g2r.sum_dim_intlist([0_i64].as_slice(), true, Kind::Float);
        // What a token has of a position may be small compared with a position whose share was lost.
        let far_off = &all / inverse.max();
        if !safe(&[&first, &inverse, &column_sums, &far_off]) {
            return false;
        }
        if let (Some(near), Some([r2g, g2r])) = (&mut head.near, &pickers) {
            // From shares over positions to shares over tokens, as above.
            let pairs = &near.pairs.g2r_by_token;
            let factors = inverse.index_select(1, &pairs.columns())
                * column_sums.index_select(1, &pairs.rows());
            near.add(&r2g.sums(), &pairs.sums(&(g2r.picked() * factors)));
        }
        head.r2g.squeeze_dim(1).copy_(&r2g);
        head.g2r.squeeze_dim(1).copy_(&(g2r * column_sums));
        true
    }
}
