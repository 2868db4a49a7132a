//! Values in order, and what is tied.

/// Rows sorted by value, in groups of equal values.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// Rows by value, equal ones by row.
    rows: Vec<u32>,
    /// Where each group starts in `rows`, and their end.
    starts: Vec<u32>,
}

impl Order {
    /// Of finite values.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut rows: Vec<u32> = (0..values.len() as u32).collect();
        // Adding 0.0 makes one zero of the two.
        let key = |row: u32| values[row as usize] + 0.0;
        rows.sort_by(|&a, &b| key(a).total_cmp(&key(b)).then(a.cmp(&b)));
        let mut starts: Vec<u32> = (0..rows.len())
            .filter(|&at| at == 0 || key(rows[at - 1]) < key(rows[at]))
            .map(|at| at as u32)
            .collect();
        starts.push(rows.len() as u32);
        Self { rows, starts }
    }

    /// The rows of each value, from the lowest.
    pub(crate) fn groups(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        let bounds = self.starts.windows(2);
        bounds.map(|bounds| &self.rows[bounds[0] as usize..bounds[1] as usize])
    }

    /// How many rows each value has, from the lowest.
    pub(crate) fn sizes(&self) -> Vec<u32> {
        self.starts
            .windows(2)
            .map(|bounds| bounds[1] - bounds[0])
            .collect()
    }

    /// Position of each row's value among the different values, from 0.
    pub(crate) fn dense(&self) -> Vec<u32> {
        let mut dense = vec![0; self.rows.len()];
        for (value, group) in self.groups().enumerate() {
            for &row in group {
                dense[row as usize] = value as u32;
            }
        }
        dense
    }
}

/// For each row in the order of `x`, its place in that of `y`: the permutation that pairs them.
pub(crate) fn pairing(x: &Order, y: &Order) -> Vec<u32> {
    let mut place = vec![0; y.rows.len()];
    for (at, &row) in y.rows.iter().enumerate() {
        place[row as usize] = at as u32;
    }
    x.rows.iter().map(|&row| place[row as usize]).collect()
}

/// Twice the mean rank less its own mean, of values in order that occur `sizes` times: whole numbers that sum to 0.
pub(crate) fn centered_ranks(sizes: &[u32]) -> Vec<i64> {
    let n: i64 = sizes.iter().map(|&size| i64::from(size)).sum();
    let mut before = 0;
    let mut ranks = Vec::with_capacity(n as usize);
    for &size in sizes {
        let size = i64::from(size);
        ranks.resize(ranks.len() + size as usize, 2 * before + size - n);
        before += size;
    }
    ranks
}

/// Pairs of equal values.
pub(crate) fn tied_pairs(sizes: &[u32]) -> i64 {
    let pairs = |&size: &u32| i64::from(size) * (i64::from(size) - 1) / 2;
    sizes.iter().map(pairs).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_their_mean_rank() {
        let order = Order::of(&[3.0, -0.0, 0.0, 7.0, 3.0, 3.0]);
        let groups: Vec<&[u32]> = order.groups().collect();
        assert_eq!(groups, [&[1, 2][..], &[0, 4, 5], &[3]]);
        assert_eq!(order.dense(), [1, 0, 0, 2, 1, 1]);
        // Ranks 1.5, 1.5, 4, 4, 4, 6 less 3.5, doubled.
        assert_eq!(centered_ranks(&order.sizes()), [-4, -4, 1, 1, 1, 5]);
        assert_eq!(tied_pairs(&order.sizes()), 4);
    }

    #[test]
    fn nothing_has_no_groups() {
        assert_eq!(Order::of(&[]).groups().len(), 0);
    }
}
