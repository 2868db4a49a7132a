use crate::columns::Columns;
use crate::error::{StatsError, Undefined};
use crate::pearson::FEWEST;
use crate::ranks::{Order, centered_ranks};

/// Spearman's correlation of the mean ranks, -1 to 1.
///
/// # Errors
/// As [`pearson`](crate::pearson()).
/// # Source
/// Checked against scipy.stats.spearmanr, with and without ties (fixture `stats`).
pub fn spearman(x: &[f64], y: &[f64]) -> Result<f64, StatsError> {
    Columns::new(vec![x, y])?;
    let [x, y] = [ranks(x)?, ranks(y)?];
    // Sums of whole numbers: exact. Those of three million rows need more than 64 bits.
    let sum = |a: &[i64], b: &[i64]| {
        let products = a.iter().zip(b).map(|(a, b)| i128::from(a * b));
        products.sum::<i128>() as f64
    };
    let norm = (sum(&x, &x) * sum(&y, &y)).sqrt();
    Ok((sum(&x, &y) / norm).clamp(-1.0, 1.0))
}

/// The centered ranks of `values`, in their order.
fn ranks(values: &[f64]) -> Result<Vec<i64>, Undefined> {
    let found = values.len();
    if found < FEWEST {
        return Err(Undefined::TooFew {
            needed: FEWEST,
            found,
        });
    }
    let order = Order::of(values);
    let sizes = order.sizes();
    if sizes.len() < 2 {
        return Err(Undefined::Constant);
    }
    let sorted = centered_ranks(&sizes);
    let mut ranks = vec![0; found];
    for (&row, rank) in order.groups().flatten().zip(sorted) {
        ranks[row as usize] = rank;
    }
    Ok(ranks)
}
