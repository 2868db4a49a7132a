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
        let rows = Tensor::from_slice(&features.values)
            .to_kind(Kind::Double)
            .reshape([count as i64, width as i64]);
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
        }
    }

    /// Reads `mu` and `sigma` from an `.npz` file, as pytorch-fid and clean-fid write them.
    ///
    /// # Errors
    /// [`MetricError::Statistics`] if the file does not hold a mean and a covariance of one width.
    pub fn read(path: &Path) -> Result<Self, MetricError> {
        let mut file = Npz::open(path)?;
        let mu = file.array("mu", |shape| match shape {
            [1..=MOST_CHANNELS] => Ok(()),
            _ => Err(format!(
                "expected one axis of 1 to {MOST_CHANNELS} channels, found {shape:?}"
            )),
        })?;
        let square = [mu.values.len(); 2];
        let sigma = file.array("sigma", |shape| {
            let problem = || format!("expected shape {square:?}, found {shape:?}");
            (shape == square).then_some(()).ok_or_else(problem)
        })?;
        let sides = square.map(|width| width as i64);
        Ok(Self {
            mean: Tensor::from_slice(&mu.values),
            covariance: Covariance::Full(Tensor::from_slice(&sigma.values).reshape(sides)),
            count: None,
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

    /// Channels of the features.
    pub fn width(&self) -> usize {
        self.mean.size()[0] as usize
    }
}

fn array(tensor: &Tensor) -> Array {
    Array {
        shape: tensor.size().iter().map(|&n| n as usize).collect(),
        values: Vec::try_from(tensor.reshape([-1])).expect("a row of 64-bit floats"),
    }
}
