//! Specific-reference attribution (SRAM): what single positions, or a region, take from or give to the other picture.

mod config;

use std::ops::Range;

use i2am_imaging::{Plane, torch_nearest};
use i2am_quantity::{Note, Notes};

use crate::map::no_places;
use crate::{AttentionRecord, AttributionMap, Direction, Grid, NoMap, Source};

pub use config::{MaskedPositions, PlacesConfig, Specific, SpecificConfig};

/// Positions on the grid of a feature map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positions {
    grid: Grid,
    indices: Vec<usize>,
}

impl Positions {
    /// The position at `row` and `column`; none if that lies outside `grid`.
    pub fn at(grid: Grid, row: usize, column: usize) -> Self {
        Self::in_box(
            grid,
            row..row.saturating_add(1),
            column..column.saturating_add(1),
        )
    }

    /// The positions in a box, end rows and columns excluded; what lies outside `grid` is left out.
    pub fn in_box(grid: Grid, rows: Range<usize>, columns: Range<usize>) -> Self {
        let rows = rows.start..rows.end.min(grid.height);
        let columns = columns.start..columns.end.min(grid.width);
        let indices = rows
            .flat_map(|row| columns.clone().map(move |column| row * grid.width + column))
            .collect();
        Self { grid, indices }
    }

    /// The position that covers the point at `[row, column]`, in fractions of the picture's height and width from its top left
    /// corner; none if a fraction is not in `[0, 1)`.
    pub fn at_point(grid: Grid, [row, column]: [f64; 2]) -> Self {
        let index = |fraction: f64, count: usize| {
            let inside = (0.0..1.0).contains(&fraction);
            inside.then_some((fraction * count as f64) as usize)
        };
        match (index(row, grid.height), index(column, grid.width)) {
            (Some(row), Some(column)) => Self::at(grid, row, column),
            _ => Self {
                grid,
                indices: Vec::new(),
            },
        }
    }

    /// The positions whose center lies in the box `[top, left, bottom, right]`, in fractions of the picture's height and width.
    pub fn in_area(grid: Grid, [top, left, bottom, right]: [f64; 4]) -> Self {
        let range = |from: f64, to: f64, count: usize| {
            // The center of position i is at (i + 0.5) / count; a negative fraction saturates to 0.
            let first = |edge: f64| (edge * count as f64 - 0.5).ceil() as usize;
            first(from)..first(to)
        };
        Self::in_box(
            grid,
            range(top, bottom, grid.height),
            range(left, right, grid.width),
        )
    }

    /// The positions at which `mask`, of any size, is not 0 after it is brought to `grid` by nearest neighbour.
    ///
    /// # Source
    /// qkrwnstj306/I2AM: `hook.py` @ 7c3e19c, which so selects the positions of the hole (fixture `i2am`, `sram.indices`).
    pub fn in_mask(grid: Grid, mask: &Plane) -> Self {
        let mask = torch_nearest(mask, grid.height, grid.width);
        let chosen = mask.data().iter().enumerate();
        let indices = chosen
            .filter(|(_, value)| **value != 0.0)
            .map(|(index, _)| index)
            .collect();
        Self { grid, indices }
    }

    /// The grid.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Each position on its own.
    pub fn each(&self) -> impl Iterator<Item = Self> {
        let grid = self.grid;
        self.indices.iter().map(move |&index| Self {
            grid,
            indices: vec![index],
        })
    }

    /// A map that is 1 at the positions and 0 elsewhere, at the size of the grid.
    pub fn to_plane(&self) -> Plane {
        let mut plane = Plane::zeros(self.grid.height, self.grid.width);
        for &index in &self.indices {
            plane.data_mut()[index] = 1.0;
        }
        plane
    }

    /// The positions in row-major order, as `row * width + column`.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

/// The map of `positions` in one layer: mean over the positions.
///
/// - [`Direction::GeneratedToReference`]: `positions` are generated ones; the map shows from where in the reference they take.
/// - [`Direction::ReferenceToGenerated`]: `positions` are reference ones; the map shows which generated positions take from them.
///   Both read the same array, the softmax over reference positions, so the second map need not sum to 1.
///
/// # Shapes
/// The layer's own grid on the other side: `[h, w]` for generated positions, `[H, W]` for reference positions.
/// # Units and range
/// Probability, mean over heads and steps; in `[0, 1]`.
/// # Errors
/// [`NoMap`] with the reason.
/// # Source
/// qkrwnstj306/I2AM: `hook.py` @ 7c3e19c (fixture `i2am`, `sram.maps`); reading columns, and more than one position, are our additions.
pub fn specific_map(
    record: &AttentionRecord,
    layer: &str,
    positions: &Positions,
    direction: Direction,
) -> Result<AttributionMap, NoMap> {
    let name = layer;
    let layer = record.layer(name).ok_or_else(|| NoMap::NoSuchLayer {
        name: name.to_owned(),
    })?;
    let reference = layer.reference_grid().ok_or_else(|| no_places(layer))?;
    let specific = layer.specific.as_ref().ok_or_else(|| NoMap::NoSpecific {
        layer: name.to_owned(),
    })?;

    let generated = layer.generated_grid();
    let (from, onto) = match direction {
        Direction::GeneratedToReference => (generated, reference),
        Direction::ReferenceToGenerated => (reference, generated),
    };
    if positions.grid != from {
        return Err(NoMap::PositionGrid {
            layer: name.to_owned(),
            expected: from,
            found: positions.grid,
        });
    }
    if positions.indices.is_empty() {
        return Err(NoMap::NoPosition);
    }

    let tokens = reference.len();
    let plane = onto.plane(|there| {
        let sum: f64 = positions
            .indices
            .iter()
            .map(|&here| match direction {
                Direction::GeneratedToReference => here * tokens + there,
                Direction::ReferenceToGenerated => there * tokens + here,
            })
            .map(|index| specific[index].to_f64())
            .sum();
        sum / positions.indices.len() as f64
    });
    Ok(AttributionMap {
        plane,
        notes: match layer.source {
            Source::Mixed { .. } => Note::Composed.into(),
            _ => Notes::NONE,
        },
        layers: vec![name.to_owned()],
    })
}

#[cfg(test)]
mod tests;
