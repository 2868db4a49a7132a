//! What can be wrong with a picture that is to be painted.

/// An error of this crate. What has no value is `None` instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaithfulnessError {
    /// The other reference has another size, so that it has no same place.
    #[error("the other reference: expected {} x {} pixels (height x width), found {} x {}", .expected[0], .expected[1], .found[0], .found[1])]
    OtherSize {
        /// Height and width of the picture that is painted.
        expected: [usize; 2],
        /// Height and width of the other reference.
        found: [usize; 2],
    },

    /// The picture is smaller than the grid, so that there are cells without a pixel, or the grid has no cell.
    #[error("a grid of {} x {} cells: expected at least as many pixels each way and at least one cell, found {} x {} pixels", .grid[0], .grid[1], .picture[0], .picture[1])]
    Grid {
        /// Height and width of the grid.
        grid: [usize; 2],
        /// Height and width of the picture.
        picture: [usize; 2],
    },

    /// A cell that is not on the grid.
    #[error("cell {cell}: expected a number below {cells}, the cells of the grid")]
    Cell {
        /// Its index, row by row.
        cell: usize,
        /// Number of cells.
        cells: usize,
    },
}
