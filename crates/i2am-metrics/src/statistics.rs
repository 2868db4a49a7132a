//! Mean and covariance of features: what FID compares.

use std::path::Path;

use tch::{Kind, Tensor};

use crate::error::MetricError;
use crate::features::Features;
use crate::npz::{self, Array, Npz};

/// Most channels of statistics that are read: no feature in use has as many, and a covariance of them still fits the memory.
const MOST_CHANNELS: usize = 8192;

/// Mean and covariance of a set of features, in 64-bit floats.
#[derive(Debug)]
pub struct Statistics {
    /// `[width]`.
    pub(crate) mean: Tensor,
    pub(crate) covariance: Covariance,
    /// Number of images, where it is known.
    pub(crate) count: Option<usize>,
    /// Whether they come from a file of 16-bit floats.
    pub(crate) is_half: bool,
}

/// A covariance, as the smaller of two things.
#[derive(Debug)]
pub(crate) enum Covariance {
    /// `[width, width]`.
    Full(Tensor),
    /// `[n, width]` with n at most `width`: rows less their mean, over `sqrt(n - 1)`. The covariance is its transpose times itself.
    Factor(Tensor),
}

impl Statistics {
    /// Of the rows of `features`; the covariance is the unbiased one, over n - 1.
    ///
    /// # Panics
    /// If there are fewer than two rows.
    pub fn of(features: &Features) -> Self {
        let (count, width) = (features.count(), features.width);
        assert!(count >= 2, "a covariance needs two rows");
        let rows = features.rows();
        let mean = rows.mean_dim([0].as_slice(), false, Kind::Double);
        let factor = (rows - &mean) / ((count - 1) as f64).sqrt();
        let covariance = if count <= width {
            Covariance::Factor(factor)
        } else {
            Covariance::Full(factor.tr().matmul(&factor))
        };
        Self {
            mean,
            covariance,
            count: Some(count),
            is_half: false,
        }
    }

    /// Reads `mu` and `sigma` from an `.npz` file, as pytorch-fid and clean-fid write them; with `channels`, only of features of so
    /// many.
    ///
    /// # Errors
    /// [`MetricError::Statistics`] if the file does not hold a mean and a covariance of one width.
    pub fn read(path: &Path, channels: Option<usize>) -> Result<Self, MetricError> {
        let mut file = Npz::open(path)?;
        let expected = channels.map_or(1..=MOST_CHANNELS, |channels| channels..=channels);
        let mu = file.array("mu", |axes| match (axes, channels) {
            ([found], _) if expected.contains(found) => Ok(()),
            ([found], Some(channels)) => Err(format!(
                "expected the means of {channels} channels, found {found}: measure with the tap that the statistics are of"
            )),
            _ => Err(format!(
                "expected one axis of 1 to {MOST_CHANNELS} channels, found the shape {}",
                npz::shape(axes)
            )),
        })?;
        let width = mu.values.len();
        let square = [width; 2];
        let sigma = file.array("sigma", |axes| {
            let problem = || {
                let [expected, found] = [&square, axes].map(npz::shape);
                format!(
                    "expected the shape {expected}, since `mu` has {width} channels, found {found}"
                )
            };
            (axes == square).then_some(()).ok_or_else(problem)
        })?;
        if let Some(problem) = problem(&sigma, width) {
            return Err(MetricError::Statistics {
                path: path.to_owned(),
                reason: format!("array `sigma`: {problem}"),
            });
        }
        let sides = square.map(|width| width as i64);
        Ok(Self {
            mean: Tensor::from_slice(&mu.values),
            covariance: Covariance::Full(Tensor::from_slice(&sigma.values).reshape(sides)),
            count: None,
            is_half: mu.is_half || sigma.is_half,
        })
    }

    /// Writes `mu` and `sigma` as [`Statistics::read`] reads them.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), MetricError> {
        let sigma = match &self.covariance {
            Covariance::Full(full) => array(full),
            Covariance::Factor(factor) => array(&factor.tr().matmul(factor)),
        };
        npz::write(path, &[("mu", &array(&self.mean)), ("sigma", &sigma)])
    }

    /// Whether both have the same mean and the same covariance, written alike.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        let covariances = match (&self.covariance, &other.covariance) {
            (Covariance::Full(a), Covariance::Full(b))
            | (Covariance::Factor(a), Covariance::Factor(b)) => a.size() == b.size() && a.equal(b),
            _ => false,
        };
        covariances && self.mean.equal(&other.mean)
    }

    /// Channels of the features.
    pub fn width(&self) -> usize {
        self.mean.size()[0] as usize
    }
}

/// What keeps `sigma` of `width` channels from being a covariance.
fn problem(sigma: &Array, width: usize) -> Option<String> {
    /// Part of the product of two deviations by which rounding to 16 bits lets mirrored values differ, and more.
    const ROUNDING: f64 = 1e-2;
    /// Part of the largest variance that rounding makes of 0, and more.
    const NOTHING: f64 = 1e-6;
    let at = |row: usize, column: usize| sigma.values[row * width + column];
    let place = |row: usize, column: usize| npz::place(&sigma.shape, row * width + column);
    let largest = (0..width).map(|row| at(row, row)).fold(0.0, f64::max);
    let nothing = NOTHING * largest;
    for row in 0..width {
        if at(row, row) < -nothing {
            return Some(format!(
                "expected variances of at least 0 on the diagonal, found {} at {}",
                at(row, row),
                place(row, row)
            ));
        }
        for column in 0..row {
            let [one, other] = [at(row, column), at(column, row)];
            let deviations = (at(row, row) * at(column, column)).max(0.0).sqrt();
            if (one - other).abs() > ROUNDING * deviations + nothing {
                return Some(format!(
                    "expected a symmetric matrix, found {one} at {} and {other} at {}",
                    place(row, column),
                    place(column, row)
                ));
            }
            if one.abs() > (1.0 + ROUNDING) * deviations + nothing {
                return Some(format!(
                    "expected covariances of at most the product of the deviations, {deviations}, found {one} at {}",
                    place(row, column)
                ));
            }
        }
    }
    None
}

fn array(tensor: &Tensor) -> Array {
    Array {
        shape: tensor.size().iter().map(|&n| n as usize).collect(),
        values: Vec::try_from(tensor.reshape([-1])).expect("a row of 64-bit floats"),
        is_half: false,
    }
}
