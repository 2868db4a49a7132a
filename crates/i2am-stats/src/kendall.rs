use crate::columns::Columns;
use crate::error::{StatsError, Undefined};
use crate::pearson::FEWEST;
use crate::rank_set::RankSet;
use crate::ranks::{Order, pairing, tied_pairs};

/// Kendall's tau-b, -1 to 1, in O(n log n).
///
/// # Errors
/// As [`pearson`](crate::pearson()).
/// # Source
/// Kendall 1945; checked against scipy.stats.kendalltau, with and without ties (fixture `stats`).
pub fn kendall(x: &[f64], y: &[f64]) -> Result<f64, StatsError> {
    let n = Columns::new(vec![x, y])?.rows();
    if n < FEWEST {
        return Err(Undefined::TooFew {
            needed: FEWEST,
            found: n,
        }
        .into());
    }
    let [x, y] = [x, y].map(Order::of);
    let slots = Slots::of(&y.sizes());
    let arranged = pairing(&x, &y);
    let balance = slots.balance(&x.sizes(), &arranged, &mut RankSet::default());
    let pairs = (n as i64) * (n as i64 - 1) / 2;
    let untied = [x, y].map(|order| (pairs - tied_pairs(&order.sizes())) as f64);
    if untied.contains(&0.0) {
        return Err(Undefined::Constant.into());
    }
    let norm = (untied[0] * untied[1]).sqrt();
    Ok((balance as f64 / norm).clamp(-1.0, 1.0))
}

/// The points sorted by y, one slot each, so that ties too have different ranks in a [`RankSet`].
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    /// For each slot, the first with the same y, and the one behind the last.
    bounds: Vec<[u32; 2]>,
}

impl Slots {
    /// Of values in order that occur `sizes` times.
    pub(crate) fn of(sizes: &[u32]) -> Self {
        let mut bounds = Vec::new();
        for &size in sizes {
            let start = bounds.len() as u32;
            bounds.resize(bounds.len() + size as usize, [start, start + size]);
        }
        Self { bounds }
    }

    /// Concordant less discordant pairs, where the points in order of x, whose values occur `sizes` times, have the slots
    /// `arranged`.
    pub(crate) fn balance(&self, sizes: &[u32], arranged: &[u32], seen: &mut RankSet) -> i64 {
        let mut balance = 0;
        self.with_earlier(sizes, arranged, seen, |_, own| balance += own);
        balance
    }

    /// The same for each point, in order of x: of the pairs that it belongs to.
    pub(crate) fn balances(&self, sizes: &[u32], arranged: &[u32], seen: &mut RankSet) -> Vec<i64> {
        let mut balances = vec![0; arranged.len()];
        self.with_earlier(sizes, arranged, seen, |at, own| balances[at] += own);
        // Seen from above, concordant pairs are those with the larger y.
        let [sizes, arranged] =
            [sizes, arranged].map(|list| -> Vec<u32> { list.iter().rev().copied().collect() });
        let last = arranged.len().saturating_sub(1);
        self.with_earlier(&sizes, &arranged, seen, |at, own| {
            balances[last - at] -= own;
        });
        balances
    }

    /// For each point its place in `arranged`, and of the points of the groups before its own how many are lower in y less how many are
    /// higher.
    fn with_earlier(
        &self,
        sizes: &[u32],
        arranged: &[u32],
        seen: &mut RankSet,
        mut found: impl FnMut(usize, i64),
    ) {
        seen.reset(arranged.len());
        let mut start = 0;
        for &size in sizes {
            let group = &arranged[start..start + size as usize];
            for (at, &slot) in group.iter().enumerate() {
                let [first, end] = self.bounds[slot as usize];
                let lower = i64::from(seen.below(first));
                let not_higher = if end == first + 1 {
                    lower
                } else {
                    i64::from(seen.below(end))
                };
                found(start + at, lower - (start as i64 - not_higher));
            }
            for &slot in group {
                seen.insert(slot);
            }
            start += size as usize;
        }
    }
}
