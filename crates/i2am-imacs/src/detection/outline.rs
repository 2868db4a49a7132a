//! The outline of a region and the area inside.

use super::Mask;

/// Steps to the eight neighbours of a pixel, as (row, column), clockwise from the left one on.
const AROUND: [(isize, isize); 8] = [
    (0, -1),
    (-1, -1),
    (-1, 0),
    (-1, 1),
    (0, 1),
    (1, 1),
    (1, 0),
    (1, -1),
];

type Point = (isize, isize);

/// Area of the polygon through the centers of a region's outermost pixels, holes included, in square pixels: that of `OpenCV`'s
/// `contourArea`. A line of pixels has none.
///
/// `first` is the region's first pixel, from left to right and from top to bottom.
///
/// # Source
/// Border following after Suzuki and Abe 1985, outer borders only (fixture `outlines`); the shoelace formula.
pub(super) fn enclosed_area(mask: &Mask, [row, column]: [usize; 2]) -> f64 {
    let start = (row as isize, column as isize);
    let is_set = |(r, c): Point| {
        let inside = r >= 0 && c >= 0 && r < mask.height() as isize && c < mask.width() as isize;
        inside && mask.get(r as usize, c as usize)
    };
    let neighbour = |(r, c): Point, side: usize| {
        let (down, right) = AROUND[side % 8];
        (r + down, c + right)
    };
    // Left of the first pixel nothing is set, so the search begins there.
    let Some(side) = (0..8).find(|&side| is_set(neighbour(start, side))) else {
        return 0.0;
    };
    let last = neighbour(start, side);
    let (mut here, mut from) = (start, side);
    let mut twice = 0;
    loop {
        // Counterclockwise, from behind the pixel that the path came from; at the latest that one is set.
        let Some(side) = (1..=8)
            .map(|turn| from + 8 - turn)
            .find(|&side| is_set(neighbour(here, side)))
        else {
            return 0.0;
        };
        let next = neighbour(here, side);
        twice += here.1 * next.0 - next.1 * here.0;
        if next == start && here == last {
            return twice.unsigned_abs() as f64 / 2.0;
        }
        // Seen from the next pixel, this one lies on the opposite side.
        (here, from) = (next, (side + 4) % 8);
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "areas of whole pixels are exact")]
mod tests {
    use super::*;

    fn area(rows: &[&str], first: [usize; 2]) -> f64 {
        let mask = Mask::from_fn(rows.len(), rows[0].len(), |r, c| {
            rows[r].as_bytes()[c] == b'#'
        });
        enclosed_area(&mask, first)
    }

    #[test]
    fn areas_run_through_the_centers_of_pixels() {
        assert_eq!(area(&["#"], [0, 0]), 0.0);
        assert_eq!(area(&["#####"], [0, 0]), 0.0);
        assert_eq!(area(&["###", "###", "###"], [0, 0]), 4.0);
        assert_eq!(area(&["###", "#.#", "###"], [0, 0]), 4.0);
        assert_eq!(area(&[".#.", "#.#", ".#."], [0, 1]), 2.0);
        assert_eq!(area(&["##.", "##.", "..#"], [0, 0]), 1.0);
    }
}
