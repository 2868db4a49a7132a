//! Which cells are near: the matching place and the cells around it.

use crate::Grid;

/// A position and a cell of the other map that is near its matching place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NearPair {
    /// Row-major index of the position that looks.
    pub from: usize,
    /// Row-major index of the cell looked at.
    pub onto: usize,
    /// The smallest radius, as index of the radii, within which the cell lies.
    pub ring: usize,
}

/// Every position of `from` with the cells of `onto` that lie within the largest of `radii` (ascending) of its matching place, sorted.
///
/// The matching place has the same relative position: it is the cell in which the center of the position falls when both maps are
/// laid over each other; a center on an edge belongs to the cell right of it or below. Distance is the larger of those in rows and in
/// columns. A window that reaches over the border is cut.
pub fn near_pairs(from: Grid, onto: Grid, radii: &[usize]) -> Vec<NearPair> {
    let Some(&reach) = radii.last() else {
        return Vec::new();
    };
    let mut pairs = Vec::new();
    for index in 0..from.len() {
        let [row, column] = matching_place(index, from, onto);
        for near_row in around(row, reach, onto.height) {
            for near_column in around(column, reach, onto.width) {
                let distance = near_row.abs_diff(row).max(near_column.abs_diff(column));
                pairs.push(NearPair {
                    from: index,
                    onto: near_row * onto.width + near_column,
                    ring: radii.partition_point(|&radius| radius < distance),
                });
            }
        }
    }
    pairs
}

/// The row and column of `onto` in which the center of the cell `index` (row-major) of `from` falls when both cover the same area; a
/// center on an edge belongs to the cell right of it or below.
pub fn matching_place(index: usize, from: Grid, onto: Grid) -> [usize; 2] {
    [
        matching(index / from.width, from.height, onto.height),
        matching(index % from.width, from.width, onto.width),
    ]
}

/// For each radius the part of `from` whose windows hold each cell of `onto`.
pub(super) fn coverage(from: Grid, onto: Grid, radii: &[usize]) -> Vec<Vec<f64>> {
    let mut covered = vec![vec![0.0; onto.len()]; radii.len()];
    for pair in near_pairs(from, onto, radii) {
        for wider in &mut covered[pair.ring..] {
            wider[pair.onto] += 1.0 / from.len() as f64;
        }
    }
    covered
}

/// The cell, of `count`, in which the center of cell `index` of `of` falls.
fn matching(index: usize, of: usize, count: usize) -> usize {
    (2 * index + 1) * count / (2 * of)
}

fn around(center: usize, reach: usize, count: usize) -> std::ops::Range<usize> {
    center.saturating_sub(reach)..(center + reach + 1).min(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(from: [usize; 2], onto: [usize; 2], radii: &[usize]) -> Vec<[usize; 3]> {
        let grid = |[height, width]: [usize; 2]| Grid { height, width };
        near_pairs(grid(from), grid(onto), radii)
            .into_iter()
            .map(|pair| [pair.from, pair.onto, pair.ring])
            .collect()
    }

    #[test]
    fn equal_maps_match_cell_by_cell() {
        assert_eq!(
            pairs([1, 3], [1, 3], &[0]),
            [[0, 0, 0], [1, 1, 0], [2, 2, 0]]
        );
    }

    #[test]
    fn windows_are_cut_at_borders_and_rings_are_exclusive() {
        let expected = [
            [0, 0, 0],
            [0, 1, 1],
            [1, 0, 1],
            [1, 1, 0],
            [1, 2, 1],
            [2, 1, 1],
            [2, 2, 0],
        ];
        assert_eq!(pairs([1, 3], [1, 3], &[0, 1]), expected);
        // A diagonal neighbour is at distance 1; a gap between radii belongs to the larger.
        assert_eq!(
            pairs([1, 1], [3, 3], &[0, 4])
                .iter()
                .filter(|pair| pair[2] == 1)
                .count(),
            8
        );
    }

    #[test]
    fn maps_of_other_sizes_match_by_relative_position() {
        assert_eq!(
            pairs([1, 4], [1, 2], &[0]),
            [[0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 1, 0]]
        );
        // Centers on edges belong to the cell behind.
        assert_eq!(pairs([1, 2], [1, 4], &[0]), [[0, 1, 0], [1, 3, 0]]);
        assert_eq!(
            pairs([3, 1], [5, 1], &[0]),
            [[0, 0, 0], [1, 2, 0], [2, 4, 0]]
        );
    }
}
