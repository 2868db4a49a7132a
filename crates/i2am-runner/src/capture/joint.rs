//! One softmax in which keys of a reference compete with others, reduced a run of positions at a time: no matrix of all positions by
//! all keys is held.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::maps::{Weights, chunks, reference_to_generated_of};
use super::near::NearSums;

/// Scores worked on at a time, in bytes, at most: they stay in a processor's cache from one operation to the next.
const BLOCK_BYTES: usize = 1 << 20;

/// The keys of one reference.
pub(super) struct Own<'a> {
    /// Which of all keys they are.
    pub(super) columns: Range<i64>,
    /// Which of them are inside / outside the reference mask.
    pub(super) tokens: &'a Weights,
    /// The mean over heads of the softmax is added here, `[positions, tokens]`.
    pub(super) specific: Option<&'a mut Tensor>,
    pub(super) near: Option<NearSums<'a>>,
}

/// One softmax and what is known of it.
pub(super) struct Softmax<'a> {
    /// `[heads, positions, d]`, already scaled.
    pub(super) query: &'a Tensor,
    /// `[heads, keys, d]`.
    pub(super) key: &'a Tensor,
    /// Runs of keys that belong together.
    pub(super) segments: &'a [Range<i64>],
    pub(super) positions: &'a Weights,
    /// What tokens carry, `[heads, keys]`.
    pub(super) carried: Option<&'a Tensor>,
    pub(super) changed: Changed<'a>,
}

/// What was changed about the softmax, `[1 or heads, positions, keys]`.
#[derive(Clone, Copy, Default)]
pub(super) struct Changed<'a> {
    /// The scores that take part.
    pub(super) allowed: Option<&'a Tensor>,
    /// Factors on probabilities.
    pub(super) weakened: Option<&'a Tensor>,
}

/// The sums of one reference.
pub(super) struct Found {
    /// `[2, heads, positions]`: as of [`super::reference_to_generated`].
    pub(super) r2g: Tensor,
    /// `[2, heads, tokens]`: softmax over all keys.
    pub(super) g2r: Tensor,
    /// `[2, heads, tokens]`: softmax over the keys of the reference.
    pub(super) relative: Tensor,
    /// `[2, heads, positions]`: softmax over all keys, summed over tokens inside / outside.
    pub(super) share: Tensor,
    /// `r2g` and `share` with probabilities times what tokens carry.
    pub(super) carried: Option<[Tensor; 2]>,
}

/// The sums of every reference, and the mean share of every segment of keys, `[heads, segments]`.
pub(super) struct Reduced {
    pub(super) found: Vec<Found>,
    pub(super) shares: Tensor,
}

/// The sums of every reference in one softmax.
pub(super) fn reduce(
    softmax: &Softmax<'_>,
    references: &mut [Own<'_>],
    chunk_bytes: usize,
) -> Reduced {
    let &Softmax {
        query,
        key,
        segments,
        positions,
        carried,
        changed,
    } = softmax;
    // Results are written into given tensors, which cannot be differentiated.
    let _guard = tch::no_grad_guard();
    let size = query.size();
    let (heads, rows) = (size[0], size[1]);
    let options = (Kind::Float, query.device());
    let zeros = |size: [i64; 3]| Tensor::zeros(size, options);
    let found = references.iter().map(|own| {
        let tokens = own.columns.end - own.columns.start;
        Found {
            r2g: zeros([2, heads, rows]),
            g2r: zeros([2, heads, tokens]),
            relative: zeros([2, heads, tokens]),
            share: zeros([2, heads, rows]),
            carried: carried.map(|_| [(); 2].map(|()| zeros([2, heads, rows]))),
        }
    });
    let mut reduced = Reduced {
        found: found.collect(),
        shares: Tensor::zeros([heads, segments.len() as i64], options),
    };
    for head in 0..heads {
        let own = |x: &Tensor| match x.size()[0] {
            1 => x.shallow_clone(),
            _ => x.narrow(0, head, 1),
        };
        let mut one = Head {
            query: query.narrow(0, head, 1),
            key: key.narrow(0, head, 1),
            allowed: changed.allowed.map(own),
            weakened: changed.weakened.map(own),
            carried: carried.map(|lengths| lengths.select(0, head)),
            index: head,
            heads,
            segments,
            positions,
            chunk_bytes,
        };
        one.by_positions(references, &mut reduced);
        for (own, found) in references.iter_mut().zip(&reduced.found) {
            one.by_tokens(own, found);
        }
    }
    reduced
}

/// One head; every tensor but `carried` keeps its dimension of heads, which is 1.
struct Head<'a> {
    query: Tensor,
    key: Tensor,
    allowed: Option<Tensor>,
    weakened: Option<Tensor>,
    /// `[keys]`.
    carried: Option<Tensor>,
    index: i64,
    heads: i64,
    segments: &'a [Range<i64>],
    positions: &'a Weights,
    chunk_bytes: usize,
}

impl Head<'_> {
    /// Everything that the network's own softmax gives.
    fn by_positions(&mut self, references: &mut [Own<'_>], reduced: &mut Reduced) {
        let (query, key) = (self.query.squeeze_dim(0), self.key.squeeze_dim(0));
        let (rows, columns) = (query.size()[0], key.size()[0]);
        let options = (Kind::Float, query.device());
        let classes = self.classes(references, columns, options.1);
        // The share of every class at every position, and those of tokens inside and outside a reference.
        let parts = Tensor::empty([rows, classes.size()[1]], options);
        let bytes = BLOCK_BYTES.min(self.chunk_bytes / 2);
        let runs: Vec<(i64, i64)> = chunks(rows, columns, bytes).collect();
        let longest = runs.first().map_or(0, |&(_, length)| length);
        let room = [(); 2].map(|()| Tensor::empty([longest, columns], options));
        let pairs: Vec<_> = references
            .iter()
            .map(|own| own.near.as_ref().map(|near| near.pairs))
            .collect();
        let pickers: Vec<_> = pairs
            .iter()
            .map(|pairs| pairs.map(|pairs| pairs.picker_g2r(1, options.1)))
            .collect();
        for &(start, length) in &runs {
            let [mut scores, shares] = [&room[0], &room[1]].map(|room| room.narrow(0, 0, length));
            let _ = query
                .narrow(0, start, length)
                .mm_out(&scores, &key.transpose(0, 1));
            if let Some(allowed) = &self.allowed {
                let forbidden = rows_of(allowed, start, length).logical_not();
                let _ = scores.masked_fill_(&forbidden, f64::NEG_INFINITY);
            }
            let _ = scores.softmax_int_out(&shares, -1, Kind::Float);
            let shares = match &self.weakened {
                None => shares,
                Some(factors) => shares * rows_of(factors, start, length),
            };
            let part = parts.narrow(0, start, length);
            let _ = shares.mm_out(&part, &classes);
            let weights = self.positions.rows.narrow(1, start, length);
            let own = references.iter_mut().zip(&mut reduced.found);
            for (index, (own, found)) in own.enumerate() {
                let count = own.columns.end - own.columns.start;
                let shares = shares.narrow(1, own.columns.start, count);
                let mut g2r = found.g2r.select(1, self.index);
                let _ = g2r.addmm_(&weights, &shares);
                // A softmax over the slice alone: where the slice has nothing, from its own scores.
                let first = self.segments.len() as i64 + self.per_reference() * index as i64;
                let all =
                    part.narrow(1, first, 2)
                        .sum_dim_intlist([1_i64].as_slice(), true, Kind::Float);
                let mut relative = found.relative.select(1, self.index);
                if all.min().double_value(&[]) > SMALLEST {
                    let _ = relative.addmm_(&(&weights / all.transpose(0, 1)), &shares);
                } else {
                    let own = scores.narrow(1, own.columns.start, count);
                    let own = own.softmax(-1, Kind::Float).nan_to_num(0.0, None, None);
                    let _ = relative.addmm_(&weights, &own);
                }
                if let Some(picker) = &pickers[index] {
                    picker.take(&shares.unsqueeze(0), start);
                }
                if let Some(mean) = &mut own.specific {
                    let mean = mean.narrow(0, start, length);
                    let _ = { mean }.g_add_(&(shares / self.heads as f64));
                }
            }
        }
        let segments = self.segments.len() as i64;
        let mean = parts
            .narrow(1, 0, segments)
            .mean_dim([0_i64].as_slice(), false, Kind::Float);
        reduced.shares.select(0, self.index).copy_(&mean);
        for (index, found) in reduced.found.iter().enumerate() {
            let first = segments + self.per_reference() * index as i64;
            let sides = |from: i64| parts.narrow(1, first + from, 2).transpose(0, 1);
            found.share.select(1, self.index).copy_(&sides(0));
            if let Some([_, share]) = &found.carried {
                share.select(1, self.index).copy_(&sides(2));
            }
            let near = references[index].near.as_ref();
            if let (Some(near), Some(picker)) = (near, &pickers[index]) {
                let _ = near.g2r.narrow(1, self.index, 1).g_add_(&picker.sums());
            }
        }
    }

    /// For every token of a reference a softmax over the positions, which the network does not compute.
    fn by_tokens(&self, own: &mut Own<'_>, found: &Found) {
        let count = own.columns.end - own.columns.start;
        let key = self.key.narrow(1, own.columns.start, count);
        let allowed = self.allowed.as_ref();
        let allowed = allowed.map(|allowed| allowed.narrow(2, own.columns.start, count));
        let lengths = self.lengths(own);
        let rows = match &lengths {
            None => own.tokens.rows.shallow_clone(),
            Some(lengths) => Tensor::cat(&[&own.tokens.rows, &(&own.tokens.rows * lengths)], 0),
        };
        let weights = Weights::weighted(rows, own.tokens);
        let picker = own.near.as_ref();
        let picker = picker.map(|near| near.pairs.picker_r2g(1, key.device()));
        let sums = reference_to_generated_of(
            &self.query,
            &key,
            &weights,
            self.chunk_bytes,
            picker.as_ref(),
            allowed.as_ref(),
        );
        let sums = sums.squeeze_dim(1);
        found.r2g.select(1, self.index).copy_(&sums.narrow(0, 0, 2));
        if let Some([r2g, _]) = &found.carried {
            r2g.select(1, self.index).copy_(&sums.narrow(0, 2, 2));
        }
        if let (Some(near), Some(picker)) = (&own.near, &picker) {
            let _ = near.r2g.narrow(1, self.index, 1).g_add_(&picker.sums());
        }
    }

    /// Columns of [`Self::classes`] that belong to one reference.
    fn per_reference(&self) -> i64 {
        if self.carried.is_some() { 4 } else { 2 }
    }

    /// What the tokens of a reference carry, `[tokens]`.
    fn lengths(&self, own: &Own<'_>) -> Option<Tensor> {
        let lengths = self.carried.as_ref()?;
        Some(lengths.narrow(0, own.columns.start, own.columns.end - own.columns.start))
    }

    /// `[keys, classes]`: one for each segment, then the tokens inside and outside of every reference, then the same by what they carry.
    /// A product with it gives sums over keys.
    fn classes(&self, references: &[Own<'_>], keys: i64, device: Device) -> Tensor {
        let own = references.len() as i64 * self.per_reference();
        let count = self.segments.len() as i64 + own;
        let classes = Tensor::zeros([keys, count], (Kind::Float, device));
        for (index, range) in self.segments.iter().enumerate() {
            let rows = classes.narrow(0, range.start, range.end - range.start);
            let _ = rows.select(1, index as i64).fill_(1.0);
        }
        for (index, own) in references.iter().enumerate() {
            let first = self.segments.len() as i64 + self.per_reference() * index as i64;
            let count = own.columns.end - own.columns.start;
            let rows = classes.narrow(0, own.columns.start, count);
            let inside = own.tokens.rows.transpose(0, 1);
            rows.narrow(1, first, 2).copy_(&inside);
            if let Some(lengths) = self.lengths(own) {
                rows.narrow(1, first + 2, 2)
                    .copy_(&(inside * lengths.unsqueeze(1)));
            }
        }
        classes
    }
}

/// A share below which its quotients have lost digits.
const SMALLEST: f64 = 1e-26;

/// `[1, 1 or positions, keys]` as `[rows, keys]` of a run of positions.
pub(super) fn rows_of(x: &Tensor, start: i64, length: i64) -> Tensor {
    let x = x.squeeze_dim(0);
    match x.size()[0] {
        1 => x,
        _ => x.narrow(0, start, length),
    }
}
