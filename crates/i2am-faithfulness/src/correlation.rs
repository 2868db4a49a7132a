//! Faithfulness correlation: over many sets of cells, does what a map claims go with what removing them does?

use i2am_stats::{pearson, spearman};

use crate::seeded::{Purpose, generator, shuffle};

/// How claims and effects go together.
///
/// # Units and range
/// None, -1 to 1, higher is better; 0 is expected of a map that does not know the effects.
/// # Source
/// Bhatt et al. 2020; checked against scipy (fixture `faithfulness`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    /// Pearson's, of the values.
    pub pearson: f64,
    /// Spearman's, of their ranks.
    pub spearman: f64,
}

impl Correlation {
    /// Of `claims`, sums of a map over sets of cells ([`claims`](crate::claims)), and `effects`, what removing each set does.
    ///
    /// `None` if there are fewer than two sets, if either side has one value only, or if a number is not finite.
    /// # Panics
    /// If there are not as many effects as claims.
    pub fn of(claims: &[f64], effects: &[f64]) -> Option<Self> {
        assert_eq!(
            claims.len(),
            effects.len(),
            "an effect for every claim is expected"
        );
        Some(Self {
            pearson: pearson(claims, effects).ok()?,
            spearman: spearman(claims, effects).ok()?,
        })
    }
}

/// Random sets of `size` cells of a grid, made of square patches.
///
/// The grid is cut into patches of `patch` x `patch` cells from its top left, so that those at the bottom and the right may be smaller.
/// Patches are taken in random order until there are `size` cells; of the last one only the first cells, row by row. If `patch` divides
/// the grid and its square divides `size`, sets are of whole patches and all such sets are equally likely. With a `patch` of 1 that is
/// always so: uniform draws without replacement.
///
/// Removing single cells has hardly any effect, which is why there are patches.
///
/// # Shapes
/// `grid` is height and width. `count` sets of `size` sorted indices, row by row. Set `i` depends only on the seed, `i` and the other
/// arguments, not on `count`.
/// # Panics
/// If `patch` or `size` is 0, or the grid has fewer than `size` cells.
pub fn subsets(
    grid: [usize; 2],
    patch: usize,
    size: usize,
    count: usize,
    seed: u64,
) -> Vec<Vec<usize>> {
    let [height, width] = grid;
    let cells = height * width;
    assert!(
        patch > 0 && (1..=cells).contains(&size),
        "sets of {size} cells in patches of {patch} x {patch} of a grid of {height} x {width}"
    );
    let [rows, columns] = grid.map(|length| length.div_ceil(patch));
    let inside = |block: usize, length: usize| block * patch..((block + 1) * patch).min(length);
    let subset = |index: usize| {
        let mut patches: Vec<usize> = (0..rows * columns).collect();
        shuffle(
            &mut generator(seed, Purpose::Subsets, index as u64),
            &mut patches,
        );
        let mut set = Vec::with_capacity(size);
        for block in patches {
            for row in inside(block / columns, height) {
                set.extend(inside(block % columns, width).map(|column| row * width + column));
            }
            if set.len() >= size {
                break;
            }
        }
        set.truncate(size);
        set.sort_unstable();
        set
    };
    (0..count).map(subset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_order_and_line() {
        let claims = [1.0, 2.0, 3.0, 4.0];
        let found = Correlation::of(&claims, &[2.0, 4.0, 6.0, 8.0]).unwrap();
        assert!((found.pearson - 1.0).abs() < 1e-15 && (found.spearman - 1.0).abs() < 1e-15);
        let found = Correlation::of(&claims, &[0.0, 0.0, 0.0, -1.0]).unwrap();
        assert!(
            (found.pearson + (0.6_f64).sqrt()).abs() < 1e-12,
            "{found:?}"
        );
        assert_eq!(Correlation::of(&claims, &[0.5; 4]), None);
        assert_eq!(Correlation::of(&claims, &[0.5, 1.0, f64::NAN, 0.0]), None);
        assert_eq!(Correlation::of(&[1.0], &[1.0]), None);
    }

    #[test]
    fn sets_have_their_size_and_lie_in_patches() {
        for (patch, size) in [(1, 5), (3, 9), (4, 20), (2, 63), (5, 10), (6, 30)] {
            let sets = subsets([7, 9], patch, size, 50, 3);
            assert_eq!(sets.len(), 50);
            for set in &sets {
                assert_eq!(set.len(), size);
                assert!(
                    set.is_sorted_by(|a, b| a < b) && set[size - 1] < 63,
                    "{set:?}"
                );
            }
            assert_eq!(sets[..10], subsets([7, 9], patch, size, 10, 3));
            if size < 63 {
                assert_ne!(sets, subsets([7, 9], patch, size, 50, 4));
            }
        }
    }

    #[test]
    fn sets_are_of_whole_patches() {
        for set in subsets([16, 12], 4, 32, 100, 0) {
            let mut patches: Vec<[usize; 2]> = set
                .iter()
                .map(|cell| [cell / 12 / 4, cell % 12 / 4])
                .collect();
            patches.sort_unstable();
            patches.dedup();
            assert_eq!(patches.len(), 2, "{set:?}");
        }
        // The bottom right patch has one cell.
        let smaller = subsets([5, 5], 4, 1, 300, 0);
        assert!(smaller.contains(&vec![24]) && smaller.contains(&vec![20]));
        assert_eq!(subsets([5, 5], 4, 25, 1, 0), [(0..25).collect::<Vec<_>>()]);
    }

    #[test]
    fn every_cell_is_drawn_as_often() {
        for patch in [1, 4] {
            let mut counts = [0_u32; 64];
            for set in subsets([8, 8], patch, 16, 8000, 1) {
                for cell in set {
                    counts[cell] += 1;
                }
            }
            // A quarter of 8,000, within five standard deviations of 39.
            assert!(
                counts.iter().all(|count| count.abs_diff(2000) < 200),
                "{patch}: {counts:?}"
            );
        }
    }
}
