use super::super::lanes::{LANES, Lanes};
use super::{Scratch, ratio};
use crate::columns::Columns;
use crate::ranks::Order;

/// The columns in order, and for each pair what is tied in both.
pub(super) struct Prepared {
    columns: Vec<Order>,
    /// Position of each row's value among the different ones of its column, from 0.
    dense: Vec<Vec<u32>>,
    /// For each pair the rows that share both values, where any do.
    joint: Vec<Vec<Vec<u32>>>,
}

impl Prepared {
    pub(super) fn new(columns: &Columns<'_>, pairs: &[[usize; 2]]) -> Self {
        let orders: Vec<Order> = columns.iter().map(Order::of).collect();
        let dense: Vec<Vec<u32>> = orders.iter().map(Order::dense).collect();
        let joint = |&[x, y]: &[usize; 2]| {
            let mut rows: Vec<u32> = (0..columns.rows() as u32).collect();
            let key = |&row: &u32| (dense[x][row as usize], dense[y][row as usize]);
            rows.sort_by_key(key);
            let groups = rows.chunk_by(|a, b| key(a) == key(b));
            groups
                .filter(|group| group.len() > 1)
                .map(<[u32]>::to_vec)
                .collect()
        };
        Self {
            joint: pairs.iter().map(joint).collect(),
            columns: orders,
            dense,
        }
    }

    pub(super) fn correlations(&self, pairs: &[[usize; 2]], scratch: &mut Scratch) -> Vec<Lanes> {
        let Scratch { weights, tree, .. } = scratch;
        let weights: &[[i32; LANES]] = weights;
        let tied: Vec<Lanes> = self
            .columns
            .iter()
            .map(|order| tied_pairs(order.groups(), weights))
            .collect();
        // Copies of one row are tied with each other in everything.
        let copies = tied_rows(weights);
        let total = tied_pairs(
            [&(0..weights.len() as u32).collect::<Vec<_>>()[..]],
            weights,
        );
        let pair = |(&[x, y], joint): (&[usize; 2], &Vec<Vec<u32>>)| {
            let concordant = self.concordant(x, y, weights, tree);
            let groups = joint.iter().map(Vec::as_slice);
            let both = tied_pairs(groups.clone(), weights);
            let copies_in_groups = copies_in(groups, weights);
            let balance: Lanes = std::array::from_fn(|lane| {
                let both = both[lane] + copies[lane] - copies_in_groups[lane];
                // Pairs are concordant, discordant, or tied in x, in y or in both.
                2.0 * concordant[lane] - (total[lane] - tied[x][lane] - tied[y][lane] + both)
            });
            let untied =
                |column: usize| std::array::from_fn(|lane| total[lane] - tied[column][lane]);
            ratio(&balance, &untied(x), &untied(y))
        };
        pairs.iter().zip(&self.joint).map(pair).collect()
    }

    /// Concordant pairs: points are visited by x, and a Fenwick tree over y knows the weight of those seen below.
    fn concordant(
        &self,
        x: usize,
        y: usize,
        weights: &[[i32; LANES]],
        tree: &mut Vec<[i32; LANES]>,
    ) -> Lanes {
        tree.clear();
        tree.resize(self.columns[y].groups().len() + 1, [0; LANES]);
        let mut concordant = [0_i64; LANES];
        for group in self.columns[x].groups() {
            for &row in group {
                let mut below = [0_i32; LANES];
                let mut at = self.dense[y][row as usize] as usize;
                while at > 0 {
                    for lane in 0..LANES {
                        below[lane] += tree[at][lane];
                    }
                    at &= at - 1;
                }
                let weight = &weights[row as usize];
                for lane in 0..LANES {
                    concordant[lane] += i64::from(weight[lane]) * i64::from(below[lane]);
                }
            }
            for &row in group {
                let weight = &weights[row as usize];
                let mut at = self.dense[y][row as usize] as usize + 1;
                while at < tree.len() {
                    for lane in 0..LANES {
                        tree[at][lane] += weight[lane];
                    }
                    at += at & at.wrapping_neg();
                }
            }
        }
        concordant.map(|count| count as f64)
    }
}

/// Pairs within the groups: of w points, w * (w - 1) / 2.
fn tied_pairs<'a>(groups: impl IntoIterator<Item = &'a [u32]>, weights: &[[i32; LANES]]) -> Lanes {
    let mut pairs = [0_i64; LANES];
    for group in groups {
        let mut own = [0_i64; LANES];
        for &row in group {
            for lane in 0..LANES {
                own[lane] += i64::from(weights[row as usize][lane]);
            }
        }
        for lane in 0..LANES {
            pairs[lane] += own[lane] * (own[lane] - 1) / 2;
        }
    }
    pairs.map(|pairs| pairs as f64)
}

/// Pairs of copies of one row, over all rows.
fn tied_rows(weights: &[[i32; LANES]]) -> Lanes {
    let mut pairs = [0_i64; LANES];
    for weight in weights {
        add_copies(&mut pairs, weight);
    }
    pairs.map(|pairs| pairs as f64)
}

/// Pairs of copies of one row, over the rows of the groups.
fn copies_in<'a>(groups: impl IntoIterator<Item = &'a [u32]>, weights: &[[i32; LANES]]) -> Lanes {
    let mut pairs = [0_i64; LANES];
    for &row in groups.into_iter().flatten() {
        add_copies(&mut pairs, &weights[row as usize]);
    }
    pairs.map(|pairs| pairs as f64)
}

#[inline]
fn add_copies(pairs: &mut [i64; LANES], weight: &[i32; LANES]) {
    for lane in 0..LANES {
        let weight = i64::from(weight[lane]);
        pairs[lane] += weight * (weight - 1) / 2;
    }
}
