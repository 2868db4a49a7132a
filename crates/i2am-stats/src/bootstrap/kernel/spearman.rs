use super::super::lanes::{LANES, Lanes, add_product, float};
use super::{Scratch, ratio};
use crate::columns::Columns;
use crate::ranks::Order;

/// The columns in order. Under weights a rank is the weight before it and half its own: one walk over the order.
pub(super) struct Prepared {
    rows: usize,
    columns: Vec<Order>,
}

impl Prepared {
    pub(super) fn new(columns: &Columns<'_>) -> Self {
        Self {
            rows: columns.rows(),
            columns: columns.iter().map(Order::of).collect(),
        }
    }

    pub(super) fn correlations(&self, pairs: &[[usize; 2]], scratch: &mut Scratch) -> Vec<Lanes> {
        let Scratch { weights, ranks, .. } = scratch;
        let total = weights
            .iter()
            .fold([0; LANES], |total, weight| plus(&total, weight));
        ranks.resize(self.rows * self.columns.len(), [0; LANES]);
        let columns = ranks.chunks_mut(self.rows.max(1));
        let squares: Vec<Lanes> = self
            .columns
            .iter()
            .zip(columns)
            .map(|(order, ranks)| rank(order, weights, &total, ranks))
            .collect();
        let ranks_of = |column: usize| &ranks[column * self.rows..(column + 1) * self.rows];
        let pair = |&[x, y]: &[usize; 2]| {
            let mut products = [0.0; LANES];
            for ((x, y), weight) in ranks_of(x).iter().zip(ranks_of(y)).zip(&*weights) {
                let [x, y, weight] = [x, y, weight].map(float);
                let weighted: Lanes = std::array::from_fn(|lane| weight[lane] * x[lane]);
                add_product(&mut products, &weighted, &y);
            }
            ratio(&products, &squares[x], &squares[y])
        };
        pairs.iter().map(pair).collect()
    }
}

/// Writes twice the mean rank of each row less the mean of all, and returns their sum of squares. Whole numbers, so all sums are
/// exact while n is below 200,000.
fn rank(
    order: &Order,
    weights: &[[i32; LANES]],
    total: &[i32; LANES],
    ranks: &mut [[i32; LANES]],
) -> Lanes {
    let mut before = [0; LANES];
    let mut squares = [0.0; LANES];
    for group in order.groups() {
        let own = match *group {
            [row] => weights[row as usize],
            _ => group
                .iter()
                .fold([0; LANES], |own, &row| plus(&own, &weights[row as usize])),
        };
        let rank = std::array::from_fn(|lane| 2 * before[lane] + own[lane] - total[lane]);
        for &row in group {
            ranks[row as usize] = rank;
        }
        let rank = float(&rank);
        let square = rank.map(|rank| rank * rank);
        add_product(&mut squares, &float(&own), &square);
        before = plus(&before, &own);
    }
    squares
}

#[inline]
fn plus(a: &[i32; LANES], b: &[i32; LANES]) -> [i32; LANES] {
    std::array::from_fn(|lane| a[lane] + b[lane])
}
