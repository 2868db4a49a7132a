//! Maps of one head of one layer in one time group.

use i2am_imaging::Plane;

use super::MapMaker;
use super::layer::Selection;
use crate::Cell;
use crate::{AttentionRecord, Convention, Direction, LayerRecord, NoMap};

/// The cells of every recorded layer that has a map in `direction`, whether or not the convention chooses it: by layer in the
/// record's order, then by head, then by time group. None if the steps were recorded in fewer groups than the convention shows.
pub fn cells(record: &AttentionRecord, convention: &Convention, direction: Direction) -> Vec<Cell> {
    if convention.time_groups > record.groups() {
        return Vec::new();
    }
    let mut cells = Vec::new();
    for layer in MapMaker::new(record, convention, direction).all() {
        for head in 0..layer.heads {
            cells.extend((0..convention.time_groups).map(|time| Cell {
                layer: layer.name.clone(),
                head,
                time,
            }));
        }
    }
    cells
}

/// The attention of `cell` at the size of its layer: what [`crate::attribution_map`] brings to the size of the latent, before any
/// interpolation.
///
/// # Shapes
/// The layer's own grid: `[H, W]` over generated positions, `[h, w]` over reference positions.
/// # Units and range
/// Probability, mean over the positions that the convention averages over, sum over the steps of the group. The sum over the map
/// is the number of steps.
/// # Errors
/// [`NoMap`] with the reason.
pub fn cell_attention(
    record: &AttentionRecord,
    convention: &Convention,
    direction: Direction,
    cell: &Cell,
) -> Result<Plane, NoMap> {
    let maker = MapMaker::new(record, convention, direction);
    let (layer, selection) = maker.cell(cell)?;
    let sums = maker.sums(layer).ok_or_else(|| NoMap::NothingSelected {
        what: maker.averaged_positions(),
    })?;
    Ok(sums.map(selection.all_groups(), cell.head))
}

impl<'a> MapMaker<'a> {
    /// Layer and positions of the record behind `cell`.
    pub(super) fn cell(&self, cell: &Cell) -> Result<(&'a LayerRecord, Selection), NoMap> {
        let layer = self.named(&cell.layer)?;
        let (head, heads) = (cell.head, layer.heads);
        if head >= heads {
            return Err(NoMap::NoSuchHead { head, heads });
        }
        let groups = self.record.groups();
        let time = Selection::time(cell.time, self.convention.time_groups, groups)?;
        Ok((layer, time.only_head(head)))
    }
}
