//! Mean and covariance of features: what FID compares.

use std::path::Path;

use tch::{Kind, Tensor};

use crate::error::MetricError;
use crate::features::Features;
use crate::npz::{self, Array};

/// Mean and covariance of a set of features, in 64-bit floats.
#[derive(Debug)]
pub struct Statistics {
    /// `[width]`.
    pub(crate) mean: Tensor,
    pub(crate) covariance: Covariance,
    /// Number of pictures, where it is known.
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
        let [mu, sigma] = npz::read(path, ["mu", "sigma"])?;
        let refuse = |reason| {
            Err(MetricError::Statistics {
                path: path.to_owned(),
                reason,
            })
        };
        let &[width] = mu.shape.as_slice() else {
            return refuse(format!(
                "array `mu`: expected one axis, found {:?}",
                mu.shape
            ));
        };
        if sigma.shape != [width, width] {
            return refuse(format!(
                "array `sigma`: expected shape {:?}, found {:?}",
                [width, width],
                sigma.shape
            ));
        }
        if mu
            .values
            .iter()
            .chain(&sigma.values)
            .any(|value| !value.is_finite())
        {
            return refuse("expected finite numbers".to_owned());
        }
        let width = width as i64;
        Ok(Self {
            mean: Tensor::from_slice(&mu.values),
            covariance: Covariance::Full(Tensor::from_slice(&sigma.values).reshape([width, width])),
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
