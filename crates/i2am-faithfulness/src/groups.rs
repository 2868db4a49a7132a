//! Positions in order of what a map claims, in equal parts.

use i2am_imaging::Plane;

use crate::seeded::{Purpose, generator, shuffle};

/// In which order groups are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Most relevant first (`MoRF`).
    MostFirst,
    /// Least relevant first (`LeRF`).
    LeastFirst,
}

/// The cells of `map` in `count` equal parts, in order of decreasing value.
///
/// Cells with one value are in a random order that depends only on `seed` and the number of cells. So a map of one value gives a random
/// partition. NaN comes last.
///
/// # Shapes
/// `count` groups of indices into `map.data()`, row by row. Their sizes differ by at most one, larger groups first; with more groups
/// than cells the last ones are empty.
/// # Panics
/// If `count` is 0.
/// # Source
/// The partition of pixel flipping (Samek et al. 2017) and of `SaCo` (Wu et al. 2024); ties are our own choice.
pub fn groups(map: &Plane, count: usize, seed: u64) -> Vec<Vec<usize>> {
    assert!(count > 0, "no groups asked for");
    let values = map.data();
    let mut cells: Vec<usize> = (0..values.len()).collect();
    shuffle(&mut generator(seed, Purpose::Ties, 0), &mut cells);
    // A stable sort: equal values keep the random order. Adding 0.0 makes one zero of the two.
    let key = |cell: usize| match values[cell] + 0.0 {
        value if value.is_nan() => f32::NEG_INFINITY,
        value => value,
    };
    cells.sort_by(|&a, &b| key(b).total_cmp(&key(a)));
    let (size, larger) = (cells.len() / count, cells.len() % count);
    let mut rest = cells.into_iter();
    (0..count)
        .map(|group| {
            rest.by_ref()
                .take(size + usize::from(group < larger))
                .collect()
        })
        .collect()
}

/// What `map` claims for each set of cells: the sum of its values in `f64`.
///
/// # Panics
/// If a cell is not in the map.
pub fn claims(map: &Plane, sets: &[Vec<usize>]) -> Vec<f64> {
    let claim = |set: &Vec<usize>| set.iter().map(|&cell| f64::from(map.data()[cell])).sum();
    sets.iter().map(claim).collect()
}

/// The sets of cells that are removed, step by step: none, the first group, the first two, up to all.
///
/// # Shapes
/// One set more than `groups`; every set is sorted.
pub fn removals(groups: &[Vec<usize>], order: Order) -> Vec<Vec<usize>> {
    let mut removed = Vec::new();
    let mut steps = vec![Vec::new()];
    for step in 0..groups.len() {
        let group = match order {
            Order::MostFirst => step,
            Order::LeastFirst => groups.len() - 1 - step,
        };
        removed.extend(&groups[group]);
        removed.sort_unstable();
        steps.push(removed.clone());
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f32]) -> Plane {
        Plane::new(1, values.len(), values.to_vec()).unwrap()
    }

    #[test]
    fn parts_are_equal_and_in_order() {
        let map = row(&[0.1, 0.9, 0.5, 0.7, -0.2, 0.3, 0.8]);
        let found = groups(&map, 3, 0);
        assert_eq!(found, [vec![1, 6, 3], vec![2, 5], vec![0, 4]]);
        let claimed = claims(&map, &found);
        for (found, expected) in claimed.iter().zip([2.4, 0.8, -0.1]) {
            assert!((found - expected).abs() < 1e-6, "{claimed:?}");
        }
        assert_eq!(groups(&row(&[1.0, 2.0]), 3, 0), [vec![1], vec![0], vec![]]);
    }

    #[test]
    fn ties_are_random_but_repeat() {
        let map = row(&[0.0; 40]);
        let one = groups(&map, 4, 5);
        assert_eq!(one, groups(&map, 4, 5));
        assert_ne!(one, groups(&map, 4, 6));
        assert_ne!(one.concat(), (0..40).collect::<Vec<_>>());
        let mut all = one.concat();
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<_>>());
        let alternating: Vec<f32> = (0..40)
            .map(|i| if i % 2 == 0 { 0.0 } else { -0.0 })
            .collect();
        assert_eq!(one, groups(&row(&alternating), 4, 5));
    }

    #[test]
    fn what_is_no_number_comes_last() {
        let found = groups(&row(&[f32::NAN, 1.0, -5.0]), 3, 0);
        assert_eq!(found, [vec![1], vec![2], vec![0]]);
    }

    #[test]
    fn removals_add_up_from_either_end() {
        let groups = [vec![4, 1], vec![3, 2], vec![0]];
        let most = removals(&groups, Order::MostFirst);
        assert_eq!(
            most,
            [vec![], vec![1, 4], vec![1, 2, 3, 4], vec![0, 1, 2, 3, 4]]
        );
        let least = removals(&groups, Order::LeastFirst);
        assert_eq!(least, [vec![], vec![0], vec![0, 2, 3], vec![0, 1, 2, 3, 4]]);
    }
}
