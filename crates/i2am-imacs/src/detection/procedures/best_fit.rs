use i2am_imaging::{BoundingBox, Plane};

use crate::detection::{MapViews, NoBox, Procedure, ProcedureName};

/// Maps of more rows or columns are averaged down to this first: the search looks at every box, and their number grows with the
/// fourth power. Maps of the published models have at most 96.
const MOST: usize = 128;

/// Our procedure: [`best_fit`] on the raw map, so that neither floor nor resize can matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BestFit;

impl Procedure for BestFit {
    fn name(&self) -> ProcedureName {
        ProcedureName::BestFit
    }

    fn version(&self) -> u32 {
        1
    }

    fn locate(&self, map: &MapViews<'_>) -> Result<BoundingBox, NoBox> {
        let found = best_fit(map.raw)?;
        Ok(found.scaled(map.raw.size(), map.attribution.size()))
    }
}

/// The box that explains most of the map: among all boxes of whole cells, the one for which a picture with one value inside and
/// another, lower one outside comes closest to the map in the sum of squares.
///
/// That is the box whose indicator correlates most with the map. For a box with the share `f` of the map's cells and the means
/// `inside` and `outside`, the correlation is `sqrt(f (1 - f)) (inside - outside) / sd`: contrast, weighted so that neither one hot
/// cell nor nearly the whole map wins. Nothing is to be set, the optimum is exact, and it is the same for `a * map + b` with any
/// positive `a`.
///
/// # Shapes
/// `map`: any size; at most 128 rows and columns are told apart. The result is in cells of `map`.
/// # Errors
/// [`NoBox::Flat`] if all values are equal, or one is not finite.
/// # Source
/// Otsu's criterion (1979), over boxes instead of thresholds. Of equal boxes the first counts, by upper edge, then lower, left and
/// right edge.
pub fn best_fit(map: &Plane) -> Result<BoundingBox, NoBox> {
    let cells = averaged(map);
    let [height, width] = cells.size();
    let mean = cells.mean();
    let finite = cells.data().iter().all(|value| value.is_finite());
    if !finite || cells.min() >= cells.max() {
        return Err(NoBox::Flat);
    }
    let count = (height * width) as f64;
    // What the square root of f (1 - f) divides by, for every number of cells; only the whole map gives 0.
    let weights: Vec<f64> = (0..=height * width)
        .map(|cells| cells as f64 * (count - cells as f64))
        .map(|product| if product > 0.0 { 1.0 / product } else { 0.0 })
        .collect();
    let mut best = (0.0, [0; 4]);
    let mut columns = vec![0.0; width];
    let mut left_of = vec![0.0; width + 1];
    for top in 0..height {
        columns.fill(0.0);
        for bottom in top + 1..=height {
            for (sum, &value) in columns.iter_mut().zip(cells.row(bottom - 1)) {
                *sum += f64::from(value) - mean;
            }
            for (column, sum) in columns.iter().enumerate() {
                left_of[column + 1] = left_of[column] + sum;
            }
            let rows = bottom - top;
            for left in 0..width {
                let base = left_of[left];
                for right in left + 1..=width {
                    let excess = left_of[right] - base;
                    // Squares order like the correlations themselves, since those below 0 are left out.
                    let fit = excess * excess * weights[rows * (right - left)];
                    if fit > best.0 && excess > 0.0 {
                        best = (fit, [top, bottom, left, right]);
                    }
                }
            }
        }
    }
    let (fit, [top, bottom, left, right]) = best;
    if fit == 0.0 {
        return Err(NoBox::Flat);
    }
    let found = BoundingBox::of_pixels([top, left], [bottom - top, right - left]);
    Ok(found.scaled(cells.size(), map.size()))
}

/// The map at no more than [`MOST`] rows and columns: means over areas.
fn averaged(map: &Plane) -> Plane {
    let [height, width] = map.size().map(|length| length.min(MOST));
    if [height, width] == map.size() {
        return map.clone();
    }
    let (across, down) = (shares(map.width(), width), shares(map.height(), height));
    let mean = |r: usize, c: usize| {
        let mut sum = 0.0;
        for &(row, share) in &down[r] {
            for &(column, part) in &across[c] {
                sum += f64::from(map.get(row, column)) * share * part;
            }
        }
        sum as f32
    };
    Plane::from_fn(height, width, mean)
}

/// For each of `to` equal parts of `from` cells: the cells in it, each with its share of the part.
fn shares(from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
    let length = from as f64 / to as f64;
    let part = |index: usize| {
        // Edges as fractions of integers, so that neighbours meet exactly.
        let edge = |index: usize| (index * from) as f64 / to as f64;
        let (start, end) = (edge(index), edge(index + 1));
        let cells = start as usize..(end.ceil() as usize).min(from);
        let share = |cell: usize| {
            let overlap = end.min((cell + 1) as f64) - start.max(cell as f64);
            (cell, overlap / length)
        };
        cells.map(share).filter(|&(_, share)| share > 0.0).collect()
    };
    (0..to).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_part_sum_to_one() {
        for part in shares(300, 128) {
            let sum: f64 = part.iter().map(|(_, share)| share).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{part:?}");
        }
    }

    #[test]
    fn a_large_map_is_averaged_and_its_box_is_in_its_own_cells() {
        let inside = |r, c| (64..192).contains(&r) && (32..96).contains(&c);
        let map = Plane::from_fn(256, 128, |r, c| if inside(r, c) { 0.9 } else { 0.2 });
        assert_eq!(
            best_fit(&map),
            Ok(BoundingBox::of_pixels([64, 32], [128, 64]))
        );
    }

    #[test]
    fn flat_maps_have_no_box() {
        assert_eq!(best_fit(&Plane::filled(4, 6, 0.3)), Err(NoBox::Flat));
        assert_eq!(best_fit(&Plane::filled(1, 1, 0.3)), Err(NoBox::Flat));
        let mut broken = Plane::filled(4, 6, 0.3);
        broken.data_mut()[5] = f32::NAN;
        assert_eq!(best_fit(&broken), Err(NoBox::Flat));
    }
}
