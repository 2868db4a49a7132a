//! Similarity of two pictures under a separable window.
//!
//! The formula needs four window means: of `x`, `y`, `x² + y²` and `xy`. A row of each product is filtered across as it comes and kept
//! as long as the window reaches; the kept rows are then filtered down. Channels stay interleaved: a neighbour in the same channel is
//! a fixed distance away, so that every loop runs over plain slices and the whole picture is read once.

use std::array;

use i2am_imaging::{GrayImage, RgbImage};

use crate::metrics::luma::Luma;

/// Largest level of a picture.
const RANGE: f64 = 255.0;
/// Keeps the comparison of means finite in the dark.
const C1: f64 = (0.01 * RANGE) * (0.01 * RANGE);
/// Keeps the comparison of variances finite where a picture is flat.
const C2: f64 = (0.03 * RANGE) * (0.03 * RANGE);

/// Number of window means the formula needs.
const MEANS: usize = 4;

/// The interleaved levels of a picture, whole or broken.
#[derive(Clone, Copy)]
pub(in crate::metrics) struct Levels<'a, T> {
    samples: &'a [T],
    height: usize,
    width: usize,
    channels: usize,
}

impl<'a> Levels<'a, u8> {
    pub(in crate::metrics) fn rgb(image: &'a RgbImage) -> Self {
        Self {
            samples: image.as_raw(),
            height: image.height() as usize,
            width: image.width() as usize,
            channels: 3,
        }
    }

    pub(in crate::metrics) fn gray(image: &'a GrayImage) -> Self {
        Self {
            samples: image.as_raw(),
            height: image.height() as usize,
            width: image.width() as usize,
            channels: 1,
        }
    }
}

impl<'a> Levels<'a, f64> {
    pub(in crate::metrics) fn luma(luma: &'a Luma) -> Self {
        Self::plane(&luma.levels, [luma.height, luma.width])
    }

    /// One channel of `[height, width]` levels, row by row.
    pub(in crate::metrics) fn plane(samples: &'a [f64], [height, width]: [usize; 2]) -> Self {
        Self {
            samples,
            height,
            width,
            channels: 1,
        }
    }
}

impl<'a, T> Levels<'a, T> {
    fn rows(&self) -> impl Iterator<Item = &'a [T]> {
        self.samples.chunks_exact(self.width * self.channels)
    }
}

/// What is compared at every position, of which the mean is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::metrics) enum Compared {
    /// Means, contrast and structure: SSIM.
    All,
    /// Contrast and structure alone.
    ContrastAndStructure,
}

/// A symmetric separable window of `SIZE` x `SIZE` positions, `SIZE` odd.
pub(in crate::metrics) struct Window<const SIZE: usize> {
    /// Of one axis; their sum is 1.
    weights: [f64; SIZE],
    /// What variances are multiplied with.
    correction: f64,
}

impl Window<11> {
    /// Wang et al. 2004: a Gaussian with deviation 1.5.
    pub(in crate::metrics) fn gaussian() -> Self {
        const SIGMA: f64 = 1.5;
        let bell: [f64; 11] = array::from_fn(|k| (-0.5 * ((k as f64 - 5.0) / SIGMA).powi(2)).exp());
        let sum: f64 = bell.iter().sum();
        Self {
            weights: bell.map(|w| w / sum),
            correction: 1.0,
        }
    }
}

impl Window<7> {
    /// A flat window with the variance of a sample.
    pub(in crate::metrics) fn uniform() -> Self {
        const POSITIONS: f64 = 49.0;
        Self {
            weights: [1.0 / 7.0; 7],
            correction: POSITIONS / (POSITIONS - 1.0),
        }
    }
}

impl<const SIZE: usize> Window<SIZE> {
    /// Mean similarity over all windows inside two pictures of one size; none if no window fits in.
    pub(in crate::metrics) fn mean_similarity<T: Copy + Into<f64>>(
        &self,
        x: Levels<'_, T>,
        y: Levels<'_, T>,
    ) -> Option<f64> {
        self.mean(Compared::All, x, y)
    }

    /// The same of what is `compared`.
    pub(in crate::metrics) fn mean<T: Copy + Into<f64>>(
        &self,
        compared: Compared,
        x: Levels<'_, T>,
        y: Levels<'_, T>,
    ) -> Option<f64> {
        if x.width < SIZE || x.height < SIZE {
            return None;
        }
        let (row, step) = (x.width * x.channels, x.channels);
        let kept = row - (SIZE - 1) * step;
        let buffers = |len: usize| -> [Vec<f64>; MEANS] { array::from_fn(|_| vec![0.0; len]) };
        let (mut products, mut means) = (buffers(row), buffers(kept));
        let mut across: [_; SIZE] = array::from_fn(|_| buffers(kept));
        let mut total = 0.0;
        for (index, (x, y)) in x.rows().zip(y.rows()).enumerate() {
            multiply(x, y, &mut products);
            for (mean, product) in across[index % SIZE].iter_mut().zip(&products) {
                self.filter(array::from_fn(|k| &product[k * step..]), mean);
            }
            if index + 1 < SIZE {
                continue;
            }
            for (which, mean) in means.iter_mut().enumerate() {
                let oldest = index + 1;
                self.filter(
                    array::from_fn(|k| &*across[(oldest + k) % SIZE][which]),
                    mean,
                );
            }
            total += self.similarity(compared, &mut means);
        }
        let windows = (x.height - SIZE + 1) * kept;
        Some(total / windows as f64)
    }

    /// `out[i] = sum over k of weights[k] * taps[k][i]`; both ends of the window share a weight.
    fn filter(&self, taps: [&[f64]; SIZE], out: &mut [f64]) {
        let taps = taps.map(|tap| &tap[..out.len()]);
        let middle = SIZE / 2;
        for (i, out) in out.iter_mut().enumerate() {
            let mut sum = self.weights[middle] * taps[middle][i];
            for k in 0..middle {
                sum += self.weights[k] * (taps[k][i] + taps[SIZE - 1 - k][i]);
            }
            *out = sum;
        }
    }

    /// Sum of the similarity over a row of window means, which are used up.
    fn similarity(
        &self,
        compared: Compared,
        [x, y, squares, product]: &mut [Vec<f64>; MEANS],
    ) -> f64 {
        for (((x, y), squares), product) in x.iter_mut().zip(y).zip(squares).zip(product) {
            let (of_means, energy) = (*x * *y, *x * *x + *y * *y);
            let covariance = self.correction * (*product - of_means);
            let variances = self.correction * (*squares - energy);
            *x = match compared {
                Compared::All => {
                    (2.0 * of_means + C1) * (2.0 * covariance + C2)
                        / ((energy + C1) * (variances + C2))
                }
                Compared::ContrastAndStructure => (2.0 * covariance + C2) / (variances + C2),
            };
        }
        x.iter().sum()
    }
}

/// A row of `x`, `y`, `x² + y²` and `xy`; exact for whole levels.
fn multiply<T: Copy + Into<f64>>(
    x: &[T],
    y: &[T],
    [xs, ys, squares, product]: &mut [Vec<f64>; MEANS],
) {
    let levels = x.iter().zip(y);
    let out = xs.iter_mut().zip(ys).zip(squares).zip(product);
    for ((&a, &b), (((x, y), squares), product)) in levels.zip(out) {
        let (a, b): (f64, f64) = (a.into(), b.into());
        (*x, *y) = (a, b);
        *squares = a * a + b * b;
        *product = a * b;
    }
}
