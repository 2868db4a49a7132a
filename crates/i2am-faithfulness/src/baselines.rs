//! Maps that know nothing of the model: what a map must beat to show that it reads it.

use i2am_imaging::{Plane, RgbImage, torch_adaptive_average};

use crate::seeded::{Purpose, generator, unit};

/// Standard deviation of the centered Gaussian, as a part of the height and of the width.
const CENTER_DEVIATION: f32 = 0.25;
/// Standard deviation of the Gaussian around the same place, as a part of the height and of the width.
const SAME_PLACE_DEVIATION: f32 = 0.125;

/// A map without a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Baseline {
    /// One value everywhere; scores that need an order break ties at random.
    Uniform,
    /// Random values, the first draw.
    RandomFirst,
    /// Random values, the second draw.
    RandomSecond,
    /// Random values, the third draw.
    RandomThird,
    /// A Gaussian around the center, with a standard deviation of a quarter of each side.
    Center,
    /// The same kind of map of another sample.
    OtherSample,
    /// The mask of the reference: how much of each cell is masked.
    ReferenceMask,
    /// Edges of the reference: the Sobel magnitude of its luma, averaged over each cell.
    Edges,
    /// For maps of positions: Gaussians around the same places on the other grid, with a standard deviation of an eighth of each side.
    SamePlace,
}

/// What baselines are made of. What is absent leaves out the baselines that need it.
#[derive(Debug, Clone, Copy)]
pub struct BaselineInput<'a> {
    /// Height and width of the map.
    pub grid: [usize; 2],
    /// Of the random maps: a number of the sample's own.
    pub seed: u64,
    /// The map of another sample.
    pub other: Option<&'a Plane>,
    /// The mask of the reference, of any size, 1 where it is masked.
    pub mask: Option<&'a Plane>,
    /// The reference picture.
    pub reference: Option<&'a RgbImage>,
    /// For maps of positions: the weight of each position on the other grid, of any size; one position has weight 1 and all others 0.
    pub positions: Option<&'a Plane>,
}

impl Baseline {
    /// All, in the order of tables.
    pub const ALL: [Self; 9] = [
        Self::Uniform,
        Self::RandomFirst,
        Self::RandomSecond,
        Self::RandomThird,
        Self::Center,
        Self::OtherSample,
        Self::ReferenceMask,
        Self::Edges,
        Self::SamePlace,
    ];

    /// The name for configurations and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::RandomFirst => "random_1",
            Self::RandomSecond => "random_2",
            Self::RandomThird => "random_3",
            Self::Center => "center",
            Self::OtherSample => "other_sample",
            Self::ReferenceMask => "reference_mask",
            Self::Edges => "edges",
            Self::SamePlace => "same_place",
        }
    }

    /// One line for people.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Uniform => "one value everywhere",
            Self::RandomFirst => "random values, first draw",
            Self::RandomSecond => "random values, second draw",
            Self::RandomThird => "random values, third draw",
            Self::Center => "a Gaussian around the center",
            Self::OtherSample => "the map of another sample",
            Self::ReferenceMask => "the mask of the reference",
            Self::Edges => "edges in the brightness of the reference",
            Self::SamePlace => "the same place as on the other picture",
        }
    }

    /// The map, of the size of the grid, with values from 0.
    ///
    /// `None` if the input lacks what it is made of, or the other sample's map has another size.
    ///
    /// # Units and range
    /// Uniform: 1. Random: 0 to 1. Center: 1 at the center, less towards the edges. Mask: 0 to 1. Edges: luma from 0 to 1 by the Sobel
    /// kernels (1, 2, 1) x (-1, 0, 1), with the edge of the picture repeated. Same place: as center, summed over the positions.
    /// # Panics
    /// If the grid has no cell.
    /// # Source
    /// Edges are checked against `scipy.ndimage.sobel` (fixture `faithfulness`).
    pub fn map(self, input: &BaselineInput<'_>) -> Option<Plane> {
        let [height, width] = input.grid;
        match self {
            Self::Uniform => Some(Plane::filled(height, width, 1.0)),
            Self::RandomFirst => Some(random(input, 0)),
            Self::RandomSecond => Some(random(input, 1)),
            Self::RandomThird => Some(random(input, 2)),
            Self::Center => {
                let middle = Plane::filled(1, 1, 1.0);
                Some(bells(input.grid, &middle, CENTER_DEVIATION))
            }
            Self::OtherSample => {
                let other = input.other.filter(|other| other.size() == input.grid);
                other.cloned()
            }
            Self::ReferenceMask => {
                let mask = input.mask?;
                Some(torch_adaptive_average(mask, height, width))
            }
            Self::Edges => {
                let edges = sobel(&luma(input.reference?));
                Some(torch_adaptive_average(&edges, height, width))
            }
            Self::SamePlace => Some(bells(input.grid, input.positions?, SAME_PLACE_DEVIATION)),
        }
    }
}

fn random(input: &BaselineInput<'_>, draw: u64) -> Plane {
    let [height, width] = input.grid;
    let mut rng = generator(input.seed, Purpose::RandomMap, draw);
    let mut plane = Plane::zeros(height, width);
    plane.data_mut().fill_with(|| unit(&mut rng));
    plane
}

/// The sum of a Gaussian around the place of each of `positions`, times its weight. Places are parts of the height and width, as is the
/// standard deviation.
fn bells([height, width]: [usize; 2], positions: &Plane, deviation: f32) -> Plane {
    // Separable: for every row and column of the grid its factor for every row and column of the positions.
    let factors = |cells: usize, places: usize| -> Vec<Vec<f32>> {
        let factor = |cell: usize, place: usize| {
            // Whole numbers up to the division, so that both sides of a place are the same.
            let off = ((2 * cell + 1) * places).abs_diff((2 * place + 1) * cells);
            let off = off as f32 / (2 * cells * places) as f32 / deviation;
            (-0.5 * off * off).exp()
        };
        (0..cells)
            .map(|cell| (0..places).map(|place| factor(cell, place)).collect())
            .collect()
    };
    let rows = factors(height, positions.height());
    let columns = factors(width, positions.width());
    let across: Vec<Vec<f32>> = (0..positions.height())
        .map(|r| {
            let line = positions.row(r);
            let sum = |column: &Vec<f32>| column.iter().zip(line).map(|(a, b)| a * b).sum();
            columns.iter().map(sum).collect()
        })
        .collect();
    Plane::from_fn(height, width, |r, c| {
        rows[r]
            .iter()
            .zip(&across)
            .map(|(factor, line)| factor * line[c])
            .sum()
    })
}

/// Luma of BT.601, 0 to 1.
fn luma(picture: &RgbImage) -> Plane {
    Plane::from_fn(
        picture.height() as usize,
        picture.width() as usize,
        |r, c| {
            let [red, green, blue] = picture.get_pixel(c as u32, r as u32).0.map(f32::from);
            (0.299 * red + 0.587 * green + 0.114 * blue) / 255.0
        },
    )
}

/// The length of the gradient by Sobel's kernels, with the edge of the plane repeated.
fn sobel(plane: &Plane) -> Plane {
    let [height, width] = plane.size();
    Plane::from_fn(height, width, |r, c| {
        let rows = [r.saturating_sub(1), r, (r + 1).min(height - 1)];
        let columns = [c.saturating_sub(1), c, (c + 1).min(width - 1)];
        let at = |row: usize, column: usize| plane.get(rows[row], columns[column]);
        let across = |row| at(row, 2) - at(row, 0);
        let down = |column| at(2, column) - at(0, column);
        let x = across(0) + 2.0 * across(1) + across(2);
        let y = down(0) + 2.0 * down(1) + down(2);
        x.hypot(y)
    })
}

#[cfg(test)]
mod tests;
