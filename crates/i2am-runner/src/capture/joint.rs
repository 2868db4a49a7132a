//! One softmax in which keys of a reference compete with others, reduced a run of positions at a time: no matrix of all positions by
//! all keys is held.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::both::BLOCK_BYTES;
use super::maps::{Weights, chunks};
use super::near::NearSums;

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
    /// Logarithms of the sums of exponentials over all keys, `[heads, positions]`, if nothing is changed.
    pub(super) log_sums: Option<&'a Tensor>,
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
        log_sums,
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
            log_sums: log_sums.map(|sums| sums.select(0, head)),
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
    /// `[positions]`.
    log_sums: Option<Tensor>,
    index: i64,
    heads: i64,
    segments: &'a [Range<i64>],
    positions: &'a Weights,
    chunk_bytes: usize,
}

impl Head<'_> {
    /// Everything that the network's own softmax gives.
    ///
    /// Where the sums of its exponentials are known, the largest segment that is of no reference needs no scores: its share is what the others
    /// leave.
    fn by_positions(&mut self, references: &mut [Own<'_>], reduced: &mut Reduced) {
        let query = self.query.squeeze_dim(0);
        let rest = self.rest(references);
        let key = self.keys_but(rest.as_ref());
        let place = |columns: &Range<i64>| place_without(columns.start, rest.as_ref());
        let (rows, columns) = (query.size()[0], key.size()[0]);
        let options = (Kind::Float, query.device());
        let classes = self.classes(references, rest.as_ref(), options.1);
        // The share of every class at every position.
        let parts = Tensor::zeros([classes.len() as i64, rows], options);
        let runs: Vec<(i64, i64)> = chunks(rows, columns, self.block_bytes()).collect();
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
        let firsts = self.firsts(references.len());
        for &(start, length) in &runs {
            let [mut scores, shares] = [&room[0], &room[1]].map(|room| room.narrow(0, 0, length));
            let _ = query
                .narrow(0, start, length)
                .mm_out(&scores, &key.transpose(0, 1));
            if let Some(allowed) = &self.allowed {
                let forbidden = rows_of(allowed, start, length).logical_not();
                let _ = scores.masked_fill_(&forbidden, f64::NEG_INFINITY);
            }
            let _ = match &self.log_sums {
                None => scores.softmax_int_out(&shares, -1, Kind::Float),
                Some(sums) => {
                    let sums = sums.narrow(0, start, length).unsqueeze(1);
                    scores.sub_out(&shares, &sums).exp_()
                }
            };
            let shares = match &self.weakened {
                None => shares,
                Some(factors) => shares * rows_of(factors, start, length),
            };
            // Products with one vector each: a product with a thin matrix takes ten times as long.
            for (index, class) in classes.iter().enumerate() {
                let Some(Class { columns, weights }) = class else {
                    continue;
                };
                let own = shares.narrow(1, place(columns), columns.end - columns.start);
                let part = parts.select(0, index as i64).narrow(0, start, length);
                let _ = own.mv_out(&part, weights);
            }
            let weights = self.positions.rows.narrow(1, start, length);
            let own = references.iter_mut().zip(&mut reduced.found);
            for (index, (own, found)) in own.enumerate() {
                let count = own.columns.end - own.columns.start;
                let shares = shares.narrow(1, place(&own.columns), count);
                let add = |sums: &Tensor, shares: &Tensor, weights: &Tensor| {
                    let sums = sums.select(1, self.index);
                    for side in self.positions.sides() {
                        let weights = weights.select(0, side);
                        let _ = sums
                            .select(0, side)
                            .addmv_(&shares.transpose(0, 1), &weights);
                    }
                };
                add(&found.g2r, &shares, &weights);
                // A softmax over the slice alone: where the slice has nothing, from its own scores.
                let sides = parts.narrow(0, firsts[index], 2).narrow(1, start, length);
                let all = sides.sum_dim_intlist([0_i64].as_slice(), false, Kind::Float);
                if all.min().double_value(&[]) > SMALLEST {
                    add(&found.relative, &shares, &(&weights / all));
                } else {
                    let own = scores.narrow(1, place(&own.columns), count);
                    let own = own.softmax(-1, Kind::Float).nan_to_num(0.0, None, None);
                    add(&found.relative, &own, &weights);
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
        reduced
            .shares
            .select(0, self.index)
            .copy_(&self.mean_shares(references, rest.as_ref(), &parts));
        for (index, found) in reduced.found.iter().enumerate() {
            let sides = |from: i64| parts.narrow(0, firsts[index] + from, 2);
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
        let (query, key) = (self.query.squeeze_dim(0), self.key.squeeze_dim(0));
        let key = key.narrow(0, own.columns.start, count);
        let rows = query.size()[0];
        let options = (Kind::Float, key.device());
        let runs: Vec<(i64, i64)> = chunks(count, rows, self.block_bytes()).collect();
        let longest = runs.first().map_or(0, |&(_, length)| length);
        let room = [(); 2].map(|()| Tensor::empty([longest, rows], options));
        let picker = own.near.as_ref();
        let picker = picker.map(|near| near.pairs.picker_r2g(1, key.device()));
        let lengths = self.lengths(own);
        for (start, length) in runs {
            let [mut scores, mut shares] =
                [&room[0], &room[1]].map(|room| room.narrow(0, 0, length));
            let _ = key
                .narrow(0, start, length)
                .mm_out(&scores, &query.transpose(0, 1));
            if let Some(allowed) = &self.allowed {
                let allowed = allowed.narrow(2, own.columns.start + start, length);
                let forbidden = allowed.squeeze_dim(0).transpose(0, 1).logical_not();
                let _ = scores.masked_fill_(&forbidden, f64::NEG_INFINITY);
            }
            let _ = scores.softmax_int_out(&shares, -1, Kind::Float);
            if self.allowed.is_some() {
                // A token that no position may attend to has no share.
                let _ = shares.nan_to_num_(0.0, None, None);
            }
            if let Some(picker) = &picker {
                picker.take(&shares.unsqueeze(0), start);
            }
            let add = |sums: &Tensor, weights: &Tensor, side: i64| {
                let sums = sums.select(1, self.index).select(0, side);
                let weights = weights.narrow(0, start, length);
                let _ = { sums }.addmv_(&shares.transpose(0, 1), &weights);
            };
            for side in own.tokens.sides() {
                let inside = own.tokens.rows.select(0, side);
                add(&found.r2g, &inside, side);
                if let (Some([r2g, _]), Some(lengths)) = (&found.carried, &lengths) {
                    add(r2g, &(inside * lengths), side);
                }
            }
        }
        if let (Some(near), Some(picker)) = (&own.near, &picker) {
            let _ = near.r2g.narrow(1, self.index, 1).g_add_(&picker.sums());
        }
    }

    fn block_bytes(&self) -> usize {
        BLOCK_BYTES.min(self.chunk_bytes / 2)
    }

    /// The largest segment that is of no reference, if its share need not be summed.
    fn rest(&self, references: &[Own<'_>]) -> Option<Range<i64>> {
        self.log_sums.as_ref()?;
        let others = self.segments.iter();
        let others = others.filter(|range| references.iter().all(|own| own.columns != **range));
        others.max_by_key(|range| range.end - range.start).cloned()
    }

    /// `[keys, d]` without those of `rest`.
    fn keys_but(&self, rest: Option<&Range<i64>>) -> Tensor {
        let key = self.key.squeeze_dim(0);
        let Some(rest) = rest else {
            return key;
        };
        let count = key.size()[0];
        let before = key.narrow(0, 0, rest.start);
        Tensor::cat(&[&before, &key.narrow(0, rest.end, count - rest.end)], 0)
    }

    /// Where the classes of each of `count` references begin.
    fn firsts(&self, count: usize) -> Vec<i64> {
        let per_reference = if self.carried.is_some() { 4 } else { 2 };
        let segments = self.segments.len() as i64;
        (0..count as i64)
            .map(|index| segments + per_reference * index)
            .collect()
    }

    /// The share of each segment at the mean position, `[segments]`, from those of the classes, `[classes, positions]`.
    fn mean_shares(
        &self,
        references: &[Own<'_>],
        rest: Option<&Range<i64>>,
        parts: &Tensor,
    ) -> Tensor {
        let means = parts.mean_dim([1_i64].as_slice(), false, Kind::Float);
        let firsts = self.firsts(references.len());
        let own = |range: &Range<i64>| references.iter().position(|own| own.columns == *range);
        let of_segment = |(index, range): (usize, &Range<i64>)| match own(range) {
            Some(own) => means.narrow(0, firsts[own], 2).sum(Kind::Float),
            None => means.select(0, index as i64),
        };
        let shares: Vec<Tensor> = self.segments.iter().enumerate().map(of_segment).collect();
        let shares = Tensor::stack(&shares, 0);
        if let Some(index) = rest.and_then(|rest| self.segments.iter().position(|s| s == rest)) {
            let left = 1.0 - shares.sum(Kind::Float);
            shares.select(0, index as i64).copy_(&left);
        }
        shares
    }

    /// What the tokens of a reference carry, `[tokens]`.
    fn lengths(&self, own: &Own<'_>) -> Option<Tensor> {
        let lengths = self.carried.as_ref()?;
        Some(lengths.narrow(0, own.columns.start, own.columns.end - own.columns.start))
    }

    /// One class for each segment, then the tokens inside and outside of every reference, then the same by what they carry. None where
    /// nothing is to be summed: segments of references, `rest`, and a side without tokens.
    fn classes(
        &self,
        references: &[Own<'_>],
        rest: Option<&Range<i64>>,
        device: Device,
    ) -> Vec<Option<Class>> {
        let segment = |range: &Range<i64>| {
            let is_own = references.iter().any(|own| own.columns == *range);
            (!is_own && Some(range) != rest).then(|| Class {
                columns: range.clone(),
                weights: Tensor::ones([range.end - range.start], (Kind::Float, device)),
            })
        };
        let mut classes: Vec<Option<Class>> = self.segments.iter().map(segment).collect();
        for own in references {
            let mut sides = |lengths: Option<&Tensor>| {
                for side in 0..2 {
                    let has_any = own.tokens.sides().any(|known| known == side);
                    let inside = own.tokens.rows.select(0, side);
                    classes.push(has_any.then(|| Class {
                        columns: own.columns.clone(),
                        weights: lengths.map_or_else(|| inside.copy(), |l| &inside * l),
                    }));
                }
            };
            sides(None);
            if let Some(lengths) = self.lengths(own) {
                sides(Some(&lengths));
            }
        }
        classes
    }
}

/// Keys whose probabilities are summed with `weights`, `[keys]`.
struct Class {
    columns: Range<i64>,
    weights: Tensor,
}

/// Where the columns from `start` on are once those of `rest` are left out.
fn place_without(start: i64, rest: Option<&Range<i64>>) -> i64 {
    match rest {
        Some(rest) if rest.start < start => start - (rest.end - rest.start),
        _ => start,
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
