//! Pixels as weighted means of their neighbors: one sparse linear system.

use i2am_imaging::RgbImage;

/// The system is solved until no channel's residual is longer than this part of the right side.
const TOLERANCE: f64 = 1e-9;

/// Weight of a neighbor above, below, to the left or to the right.
const DIRECT: f64 = 1.0 / 6.0;
/// Weight of a diagonal neighbor.
const DIAGONAL: f64 = 1.0 / 12.0;

/// `picture` with the pixels `removed` put in as the weighted mean of their 8 neighbors, 1/6 each for direct and 1/12 each for diagonal
/// ones. Neighbors that are removed as well are unknowns of the same system. At the border, the weights of the neighbors that there are
/// are scaled to add up to 1.
///
/// If every pixel is removed, all get the mean color of the picture.
///
/// # Shapes
/// `removed`: one entry for each pixel, row by row. The answer: `[height, width, 3]`, row by row.
/// # Units and range
/// Level / 255, so 0 to 1, not rounded; a removed pixel lies between the extremes of those that stay.
/// # Accuracy
/// Conjugate gradients, stopped at a residual of 1e-9 of the right side: found to be off by less than 1e-8 where 254 x 254 pixels in one piece are removed.
/// # Panics
/// If there are not as many entries as pixels.
/// # Source
/// Rong et al. 2022 (ROAD), without its noise; checked against `scipy.sparse.linalg.spsolve` (fixture `faithfulness`).
pub fn linear_imputation(picture: &RgbImage, removed: &[bool]) -> Vec<f64> {
    let pixels = (picture.width() * picture.height()) as usize;
    assert_eq!(
        removed.len(),
        pixels,
        "an entry for every pixel is expected"
    );
    let mut values: Vec<f64> = picture
        .as_raw()
        .iter()
        .map(|&level| f64::from(level) / 255.0)
        .collect();
    let system = System::new([picture.height(), picture.width()], removed);
    let all = removed.iter().all(|&removed| removed);
    for channel in 0..3 {
        let known: Vec<f64> = values.iter().skip(channel).step_by(3).copied().collect();
        // Where to start, and around what to solve.
        let stays = |&(_, &removed): &(&f64, &bool)| all || !removed;
        let kept: Vec<f64> = known
            .iter()
            .zip(removed)
            .filter(stays)
            .map(|(&value, _)| value)
            .collect();
        let mean = kept.iter().sum::<f64>() / kept.len() as f64;
        let solved = if all {
            vec![0.0; pixels]
        } else {
            system.solve(&known, mean)
        };
        for (pixel, &removed) in removed.iter().enumerate() {
            if removed {
                values[pixel * 3 + channel] = mean + solved[pixel];
            }
        }
    }
    values
}

/// For every removed pixel, the sum of its neighbors' weights times its value, less the weighted values of its removed neighbors, equals
/// the weighted values of the others. The matrix is symmetric, and positive definite if a pixel stays.
///
/// Vectors have an entry for every pixel and for a frame of one pixel around the picture, 0 where nothing is removed.
struct System {
    width: usize,
    height: usize,
    /// 1 where a pixel is removed, else 0.
    unknown: Vec<f64>,
    /// The sum of the weights of the neighbors of each removed pixel, else 1.
    diagonal: Vec<f64>,
}

impl System {
    fn new([height, width]: [u32; 2], removed: &[bool]) -> Self {
        let mut system = Self {
            width: width as usize,
            height: height as usize,
            unknown: Vec::new(),
            diagonal: Vec::new(),
        };
        system.unknown = system.framed(removed.iter().map(|&removed| f64::from(u8::from(removed))));
        let inside = system.framed(removed.iter().map(|_| 1.0));
        let mut sums = vec![0.0; inside.len()];
        system.neighbors(&inside, &mut sums);
        let pairs = sums.into_iter().zip(&system.unknown);
        system.diagonal = pairs
            .map(|(sum, &unknown)| if unknown > 0.0 { sum } else { 1.0 })
            .collect();
        system
    }

    /// Values of all pixels with a frame of 0.
    fn framed(&self, values: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut framed = vec![0.0; (self.width + 2) * (self.height + 2)];
        for (pixel, value) in values.enumerate() {
            framed[self.place(pixel)] = value;
        }
        framed
    }

    /// The place of a pixel within the frame.
    fn place(&self, pixel: usize) -> usize {
        (pixel / self.width + 1) * (self.width + 2) + pixel % self.width + 1
    }

    /// The weighted sum of the neighbors of every removed pixel, else 0.
    fn neighbors(&self, vector: &[f64], sums: &mut [f64]) {
        let line = self.width + 2;
        for row in 1..=self.height {
            let [above, here, below] =
                [row - 1, row, row + 1].map(|row| &vector[row * line..][..line]);
            let unknown = &self.unknown[row * line..][..line];
            let sums = &mut sums[row * line..][..line];
            for x in 1..=self.width {
                let direct = above[x] + below[x] + here[x - 1] + here[x + 1];
                let diagonal = above[x - 1] + above[x + 1] + below[x - 1] + below[x + 1];
                sums[x] = unknown[x] * (DIRECT * direct + DIAGONAL * diagonal);
            }
        }
    }

    /// For every pixel, if it is removed, its value less `mean`, by conjugate gradients preconditioned by the diagonal.
    fn solve(&self, values: &[f64], mean: f64) -> Vec<f64> {
        let mut known = self.framed(values.iter().map(|value| value - mean));
        for (known, unknown) in known.iter_mut().zip(&self.unknown) {
            *known *= 1.0 - unknown;
        }
        let mut residual = vec![0.0; known.len()];
        self.neighbors(&known, &mut residual);
        let mut solution = vec![0.0; residual.len()];
        let enough = TOLERANCE * TOLERANCE * dot(&residual, &residual);
        let mut scaled = self.preconditioned(&residual);
        let mut direction = scaled.clone();
        let mut product = dot(&residual, &scaled);
        let mut image = vec![0.0; residual.len()];
        // In exact numbers as many steps as unknowns solve it.
        for _ in 0..10 * values.len() {
            if dot(&residual, &residual) <= enough {
                break;
            }
            self.neighbors(&direction, &mut image);
            for ((image, direction), diagonal) in
                image.iter_mut().zip(&direction).zip(&self.diagonal)
            {
                *image = diagonal * direction - *image;
            }
            let length = product / dot(&direction, &image);
            for place in 0..residual.len() {
                solution[place] += length * direction[place];
                residual[place] -= length * image[place];
            }
            scaled = self.preconditioned(&residual);
            let next = dot(&residual, &scaled);
            let turn = next / product;
            product = next;
            for (direction, scaled) in direction.iter_mut().zip(&scaled) {
                *direction = scaled + turn * *direction;
            }
        }
        (0..values.len())
            .map(|pixel| solution[self.place(pixel)])
            .collect()
    }

    fn preconditioned(&self, residual: &[f64]) -> Vec<f64> {
        residual
            .iter()
            .zip(&self.diagonal)
            .map(|(value, diagonal)| value / diagonal)
            .collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn one_pixel_is_the_mean_of_its_neighbors() {
        let picture = RgbImage::from_fn(3, 3, |x, y| Rgb([(x * 60) as u8, (y * 90) as u8, 7]));
        let mut removed = [false; 9];
        removed[4] = true;
        let found = linear_imputation(&picture, &removed);
        for (found, expected) in found[12..15].iter().zip([60.0, 90.0, 7.0]) {
            assert!((found * 255.0 - expected).abs() < 1e-9, "{found}");
        }
        // A corner has two direct neighbors and a diagonal one: 2/5, 2/5, 1/5.
        let mut removed = [false; 9];
        removed[0] = true;
        let found = linear_imputation(&picture, &removed)[0] * 255.0;
        assert!((found - (0.4 * 60.0 + 0.2 * 60.0)).abs() < 1e-9, "{found}");
    }

    #[test]
    fn a_plane_of_levels_is_continued() {
        // Linear levels are their own weighted mean everywhere inside.
        let picture = RgbImage::from_fn(40, 40, |x, y| {
            Rgb([(x * 3) as u8, (y * 5) as u8, (x + y) as u8])
        });
        let removed: Vec<bool> = (0..1600)
            .map(|pixel| (1..39).contains(&(pixel / 40)) && (1..39).contains(&(pixel % 40)))
            .collect();
        let found = linear_imputation(&picture, &removed);
        for (found, &level) in found.iter().zip(picture.as_raw()) {
            assert!((found * 255.0 - f64::from(level)).abs() < 1e-4, "{found}");
        }
    }

    #[test]
    fn without_anything_to_continue_there_is_the_mean() {
        let picture = RgbImage::from_fn(2, 1, |x, _| Rgb([(x * 200) as u8, 10, 0]));
        let found = linear_imputation(&picture, &[true; 2]);
        let expected = [100.0, 10.0, 0.0, 100.0, 10.0, 0.0].map(|level| level / 255.0);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12);
        }
        let whole = linear_imputation(&picture, &[false; 2]);
        assert_eq!(whole[3], 200.0 / 255.0);
    }

    #[test]
    fn a_single_pixel_that_stays_fills_the_picture() {
        let picture = RgbImage::from_fn(30, 20, |x, y| Rgb([(x * y) as u8, 0, 255]));
        let mut removed = [true; 600];
        removed[10 * 30 + 7] = false;
        for found in linear_imputation(&picture, &removed).chunks(3) {
            for (found, expected) in found.iter().zip([70.0 / 255.0, 0.0, 1.0]) {
                assert!((found - expected).abs() < 1e-9, "{found}");
            }
        }
    }
}
