//! Correlations with one point left out, all of them at once: each is made from the sums over all points by taking off what the point
//! adds to them. O(n) for Pearson, O(n log n) for the others, where computing each anew is O(n²).

use rayon::prelude::*;

use crate::columns::{Columns, is_constant};
use crate::kendall::Slots;
use crate::method::Method;
use crate::pearson::{centered, dot};
use crate::rank_set::RankSet;
use crate::ranks::{Order, centered_ranks, pairing, tied_pairs};

/// Below this part of a sum of squares, what is left after taking a point off is computed anew: too many digits went with the point.
const LEFT: f64 = 1e-3;

/// For each pair of columns the correlation without each of the points, NaN where it does not exist.
pub(super) fn left_out(
    method: Method,
    columns: &Columns<'_>,
    pairs: &[[usize; 2]],
) -> Vec<Vec<f64>> {
    let of_pair = |&[x, y]: &[usize; 2]| {
        let [x, y] = [x, y].map(|index| columns.column(index));
        match method {
            Method::Pearson => of_values(x, y),
            Method::Spearman => of_ranks(&Pair::of(x, y)),
            Method::Kendall => of_pairs(&Pair::of(x, y)),
        }
    };
    pairs.par_iter().map(of_pair).collect()
}

fn of_values(x: &[f64], y: &[f64]) -> Vec<f64> {
    let odd = [x, y].map(only_other);
    if odd.contains(&Other::None) {
        return vec![f64::NAN; x.len()];
    }
    let [far_x, far_y] = [x, y].map(centered);
    let n = x.len() as f64;
    // The mean of the others is further off by a nth of the deviation.
    let share = n / (n - 1.0);
    let [xx, yy, xy] = [
        dot(&far_x, &far_x),
        dot(&far_y, &far_y),
        dot(&far_x, &far_y),
    ];
    let without = |row: usize| {
        if odd.contains(&Other::Row(row)) {
            return f64::NAN;
        }
        let (dx, dy) = (far_x[row], far_y[row]);
        let left_x = xx - share * dx * dx;
        let left_y = yy - share * dy * dy;
        if left_x < LEFT * xx || left_y < LEFT * yy {
            // From the values themselves: their deviations from a mean that this point has pulled away have lost digits as well.
            let others = |values: &[f64]| [&values[..row], &values[row + 1..]].concat();
            return Method::Pearson
                .coefficient(&others(x), &others(y))
                .unwrap_or(f64::NAN);
        }
        ((xy - share * dx * dy) / (left_x * left_y).sqrt()).clamp(-1.0, 1.0)
    };
    (0..x.len()).map(without).collect()
}

/// Whether a column is constant, or becomes so without one of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Other {
    /// All values are equal.
    None,
    /// All values but that of this row are.
    Row(usize),
    /// At least two values differ from the others.
    Several,
}

#[expect(clippy::float_cmp, reason = "values that are equal, not nearly so")]
fn only_other(values: &[f64]) -> Other {
    let Some((&first, rest)) = values.split_first() else {
        return Other::None;
    };
    let mut others = (1..values.len()).filter(|&row| values[row] != first);
    match (others.next(), others.next()) {
        (None, _) => Other::None,
        (Some(row), None) if values.len() > 2 => Other::Row(row),
        _ if is_constant(rest) => Other::Row(0),
        _ => Other::Several,
    }
}

/// Two columns as ranks.
struct Pair {
    orders: [Order; 2],
    /// How many rows have the value of each row, for both columns.
    tied: [Vec<i64>; 2],
    /// For each row its concordant less its discordant pairs with all others.
    balance: Vec<i64>,
}

impl Pair {
    fn of(x: &[f64], y: &[f64]) -> Self {
        let orders = [x, y].map(Order::of);
        let tied = [0, 1].map(|side| {
            let mut tied = vec![0; x.len()];
            for group in orders[side].groups() {
                for &row in group {
                    tied[row as usize] = group.len() as i64;
                }
            }
            tied
        });
        let [of_x, of_y] = &orders;
        let slots = Slots::of(&of_y.sizes());
        let arranged = pairing(of_x, of_y);
        let in_order = slots.balances(&of_x.sizes(), &arranged, &mut RankSet::default());
        let mut balance = vec![0; x.len()];
        for (&row, own) in of_x.groups().flatten().zip(in_order) {
            balance[row as usize] = own;
        }
        Self {
            orders,
            tied,
            balance,
        }
    }

    fn rows(&self) -> usize {
        self.balance.len()
    }
}

/// Without a point, the centered and doubled rank of each other moves by one towards it: by 1 if it is below, -1 if it is above.
fn of_ranks(pair: &Pair) -> Vec<f64> {
    let n = pair.rows();
    let ranks = [0, 1].map(|side| {
        let order: &Order = &pair.orders[side];
        let mut ranks = vec![0; n];
        for (&row, rank) in order.groups().flatten().zip(centered_ranks(&order.sizes())) {
            ranks[row as usize] = rank;
        }
        ranks
    });
    let [x, y] = &ranks;
    // Whole numbers: exact. The cube of a million rows is more than 64 bits can be trusted with.
    let sum = |a: &[i64], b: &[i64]| -> i128 {
        let products = a.iter().zip(b);
        products.map(|(a, b)| i128::from(*a) * i128::from(*b)).sum()
    };
    let [xx, yy, xy] = [sum(x, x), sum(y, y), sum(x, y)];
    let [x_by_x, y_by_x] = [x, y].map(|ranks| below_less_above(&pair.orders[0], ranks));
    let [x_by_y, y_by_y] = [x, y].map(|ranks| below_less_above(&pair.orders[1], ranks));
    let without = |row: usize| {
        let squares = |all: i128, rank: i64, moved: i64, tied: i64| {
            let others = n as i64 - tied;
            all - i128::from(rank).pow(2) + i128::from(2 * moved + others)
        };
        let left_x = squares(xx, x[row], x_by_x[row], pair.tied[0][row]);
        let left_y = squares(yy, y[row], y_by_y[row], pair.tied[1][row]);
        let moved = x_by_y[row] + y_by_x[row] + pair.balance[row];
        let product = xy - i128::from(x[row]) * i128::from(y[row]) + i128::from(moved);
        ratio(product as f64, left_x as f64, left_y as f64)
    };
    (0..n).map(without).collect()
}

/// For each row the sum of `values` over the rows below it in `order` less that over the rows above it: what the moves of all ranks of
/// that order add to a sum of products with `values`.
fn below_less_above(order: &Order, values: &[i64]) -> Vec<i64> {
    let all: i64 = values.iter().sum();
    let mut below = 0;
    let mut found = vec![0; values.len()];
    for group in order.groups() {
        let own: i64 = group.iter().map(|&row| values[row as usize]).sum();
        for &row in group {
            found[row as usize] = below - (all - below - own);
        }
        below += own;
    }
    found
}

fn of_pairs(pair: &Pair) -> Vec<f64> {
    let n = pair.rows() as i64;
    // Every pair is in the balance of both its points.
    let balance = pair.balance.iter().sum::<i64>() / 2;
    let total = (n - 1) * (n - 2) / 2;
    let tied = [0, 1].map(|side| tied_pairs(&pair.orders[side].sizes()));
    let without = |row: usize| {
        let untied = |side: usize| total - (tied[side] - (pair.tied[side][row] - 1));
        let left = balance - pair.balance[row];
        ratio(left as f64, untied(0) as f64, untied(1) as f64)
    };
    (0..pair.rows()).map(without).collect()
}

/// `product / sqrt(x * y)`, NaN where a factor is 0.
fn ratio(product: f64, x: f64, y: f64) -> f64 {
    if x > 0.0 && y > 0.0 {
        (product / (x * y).sqrt()).clamp(-1.0, 1.0)
    } else {
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by computing each anew.
    fn anew(method: Method, x: &[f64], y: &[f64]) -> Vec<f64> {
        let without = |row: usize| {
            let others = |values: &[f64]| [&values[..row], &values[row + 1..]].concat();
            let value = method.coefficient(&others(x), &others(y));
            value.unwrap_or(f64::NAN)
        };
        (0..x.len()).map(without).collect()
    }

    fn check(x: &[f64], y: &[f64]) {
        let columns = Columns::new(vec![x, y]).unwrap();
        for method in Method::ALL {
            let found = left_out(method, &columns, &[[0, 1]]).remove(0);
            for (found, expected) in found.iter().zip(anew(method, x, y)) {
                let same =
                    (found - expected).abs() < 1e-12 || (found.is_nan() && expected.is_nan());
                assert!(same, "{method}: {found}, {expected} of {x:?} and {y:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn taking_off_is_leaving_out(
            tied in prop::collection::vec((-2_i32..3, -2_i32..3), 3..20),
            free in prop::collection::vec((-1e3..1e3_f64, -1e3..1e3_f64), 3..20),
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = tied.iter().map(|&(x, y)| (f64::from(x), f64::from(y))).unzip();
            check(&x, &y);
            let (x, y): (Vec<f64>, Vec<f64>) = free.into_iter().unzip();
            check(&x, &y);
        }
    }

    #[test]
    fn single_points_that_everything_hangs_on() {
        let rest = [0.25, -0.5, 0.75, 0.1, -0.3];
        for far in [1e3, 1e9, 1e14] {
            let x: Vec<f64> = [1.0, 2.0, far, 3.0, 5.0].to_vec();
            check(&x, &rest);
            check(&rest, &x);
            check(&x, &x);
        }
        check(&[0.0, 0.0, 7.0, 0.0, 0.0], &rest);
        check(&[7.0, 0.0, 0.0, 0.0, 0.0], &rest);
        check(&[0.0, -0.0, 0.0, 0.0, 0.0], &rest);
        check(&[1.0, 2.0, 1.0], &[1.0, 2.0, 3.0]);
    }
}
