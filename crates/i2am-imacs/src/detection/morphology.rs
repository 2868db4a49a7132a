//! Morphology with a square of ones, as `OpenCV` has it: what lies outside the picture never decides.

use super::Mask;

/// Erosion, then dilation: takes away what the square of `side` (odd) does not fit into.
pub(super) fn open(mask: &Mask, side: usize) -> Mask {
    dilate(&erode(mask, side), side)
}

/// Dilation, then erosion: fills gaps that the square of `side` (odd) does not fit into.
pub(super) fn close(mask: &Mask, side: usize) -> Mask {
    erode(&dilate(mask, side), side)
}

/// Sets what lies under a square of `side` (odd) around a set pixel.
pub(super) fn dilate(mask: &Mask, side: usize) -> Mask {
    spread(mask, side, true)
}

/// Clears what lies under a square of `side` (odd) around a pixel that is not set.
pub(super) fn erode(mask: &Mask, side: usize) -> Mask {
    spread(mask, side, false)
}

/// Gives `value` to every pixel within the square around one that has it: along rows, then along columns.
fn spread(mask: &Mask, side: usize, value: bool) -> Mask {
    let reach = side / 2;
    let (height, width) = (mask.height(), mask.width());
    let near = |middle: usize, length: usize| {
        middle.saturating_sub(reach)..(middle + reach + 1).min(length)
    };
    let rows = Mask::from_fn(height, width, |r, c| {
        near(c, width).any(|c| mask.get(r, c) == value) == value
    });
    Mask::from_fn(height, width, |r, c| {
        near(r, height).any(|r| rows.get(r, c) == value) == value
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: &[&str]) -> Mask {
        Mask::from_fn(rows.len(), rows[0].len(), |r, c| {
            rows[r].as_bytes()[c] == b'#'
        })
    }

    #[test]
    fn opening_removes_what_is_thin_and_closing_fills_it() {
        let drawn = mask(&[
            "#######", //
            "###....", "###.#..", ".......",
        ]);
        let opened = mask(&[
            "###....", //
            "###....", "###....", ".......",
        ]);
        assert_eq!(open(&drawn, 3), opened);
        let slit = mask(&["##.##", "##.##", "##.##"]);
        assert_eq!(close(&slit, 3), Mask::from_fn(3, 5, |_, _| true));
    }

    #[test]
    fn the_outside_neither_sets_nor_clears() {
        let full = Mask::from_fn(4, 6, |_, _| true);
        assert_eq!(erode(&full, 5), full);
        let none = Mask::from_fn(4, 6, |_, _| false);
        assert_eq!(dilate(&none, 5), none);
    }
}
