//! Which head of which layer looks outside the mask, and when: every cell of a record scored, and the samples of a model summed up.

use std::collections::BTreeMap;

use i2am_attribution::{
    AttentionRecord, Cell, Convention, Direction, Grid, Level, cell_attention, cells,
};
use i2am_imaging::Plane;
use i2am_quantity::Marks;

use crate::{ImacsConfig, OutsideShare, outside_share, score};

/// What one sample says of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellScore {
    /// The cell.
    pub cell: Cell,
    /// Size of the layer's own map.
    pub grid: Grid,
    /// The marks of the layer's maps.
    pub marks: Marks,
    /// The score, as of any other level; none where the map or the mask allows none.
    pub imacs: Option<f64>,
    /// Raw attention outside the mask; none where the layer has none.
    pub outside: Option<OutsideShare>,
}

/// Scores every cell of `record` in `direction` against `mask`, in the order of [`cells`].
///
/// # Shapes
/// As [`score()`]. Scores are made at the size of the mask like those of other levels, shares at the size of each layer.
pub fn score_cells(
    record: &AttentionRecord,
    convention: &Convention,
    direction: Direction,
    mask: &Plane,
    config: &ImacsConfig,
) -> Vec<CellScore> {
    let one = |cell: Cell| {
        let layer = record.layer(&cell.layer)?;
        let attention = cell_attention(record, convention, direction, &cell).ok();
        let level = Level::Cell(cell.clone());
        let scored = score(record, convention, direction, &level, mask, config).ok();
        Some(CellScore {
            grid: layer.grid(direction)?,
            marks: scored
                .as_ref()
                .map_or(Marks::NONE, |score| score.notes.marks()),
            imacs: scored.map(|score| score.imacs.value),
            outside: attention.and_then(|attention| outside_share(&attention, mask)),
            cell,
        })
    };
    let listed = cells(record, convention, direction);
    listed.into_iter().filter_map(one).collect()
}

/// Sums the cells of one model and direction up over samples.
#[derive(Debug, Default)]
pub struct Ranking {
    tallies: Vec<Tally>,
    places: BTreeMap<Cell, usize>,
    samples: usize,
}

#[derive(Debug)]
struct Tally {
    cell: Cell,
    grid: Grid,
    marks: Marks,
    imacs: Moments,
    attention: Moments,
    area: Moments,
}

/// One line of a ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedCell {
    /// 1 for the lowest mean score; none for a cell that no sample scored.
    pub rank: Option<usize>,
    /// The cell.
    pub cell: Cell,
    /// Size of the layer's own map.
    pub grid: Grid,
    /// The marks of the layer's maps.
    pub marks: Marks,
    /// Samples with a score.
    pub n: usize,
    /// Samples without one.
    pub missing: usize,
    /// Mean score.
    pub imacs: Option<f64>,
    /// Standard deviation of the scores, with `n - 1`; none for fewer than two.
    pub sd: Option<f64>,
    /// Mean share of the layer's attention that lies outside the mask.
    pub attention_outside: Option<f64>,
    /// Mean share of the area that lies outside it.
    pub area_outside: Option<f64>,
}

impl Ranking {
    /// Adds one sample. The sums depend on the order of samples in their last bits.
    pub fn add(&mut self, scores: Vec<CellScore>) {
        self.samples += 1;
        for score in scores {
            let place = *self.places.entry(score.cell.clone()).or_insert_with(|| {
                self.tallies.push(Tally {
                    cell: score.cell,
                    grid: score.grid,
                    marks: score.marks,
                    imacs: Moments::default(),
                    attention: Moments::default(),
                    area: Moments::default(),
                });
                self.tallies.len() - 1
            });
            let tally = &mut self.tallies[place];
            tally.marks |= score.marks;
            tally.imacs.add(score.imacs);
            tally
                .attention
                .add(score.outside.map(|share| share.attention));
            tally.area.add(score.outside.map(|share| share.area));
        }
    }

    /// The cells, worst first; where scores are equal, and after the last score, in the order in which they came.
    pub fn ranked(&self) -> Vec<RankedCell> {
        let line = |tally: &Tally| RankedCell {
            rank: None,
            cell: tally.cell.clone(),
            grid: tally.grid,
            marks: tally.marks,
            n: tally.imacs.n,
            missing: self.samples - tally.imacs.n,
            imacs: tally.imacs.mean(),
            sd: tally.imacs.sd(),
            attention_outside: tally.attention.mean(),
            area_outside: tally.area.mean(),
        };
        let mut ranked: Vec<RankedCell> = self.tallies.iter().map(line).collect();
        ranked.sort_by(|a, b| match (a.imacs, b.imacs) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (a, b) => a.is_none().cmp(&b.is_none()),
        });
        for (index, cell) in ranked.iter_mut().enumerate() {
            cell.rank = cell.imacs.map(|_| index + 1);
        }
        ranked
    }
}

/// Mean and scatter of values that are seen once (Welford's recurrence).
#[derive(Debug, Default)]
struct Moments {
    n: usize,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: Option<f64>) {
        let Some(value) = value else { return };
        self.n += 1;
        let before = value - self.mean;
        self.mean += before / self.n as f64;
        self.squares += before * (value - self.mean);
    }

    fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }

    fn sd(&self) -> Option<f64> {
        (self.n > 1).then(|| (self.squares / (self.n - 1) as f64).sqrt())
    }
}

#[cfg(test)]
mod tests;
