//! The score of one map.

use i2am_imaging::Plane;
use serde::{Deserialize, Serialize};

/// Settings of the score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImacsConfig {
    /// Weight of attribution outside the mask (lambda of the paper): finite, at least 0.
    pub penalty: f64,
}

impl Default for ImacsConfig {
    /// The penalty of the paper and of the published code: 3.
    fn default() -> Self {
        Self { penalty: 3.0 }
    }
}

/// A score and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Imacs {
    /// `inside - penalty * outside`, in `[-penalty, 1]`.
    pub value: f64,
    /// Mean attribution inside the mask, in `[0, 1]`.
    pub inside: f64,
    /// Mean attribution outside the mask, in `[0, 1]`; 0 where the mask leaves nothing outside.
    pub outside: f64,
    /// The penalty used.
    pub penalty: f64,
}

/// Why a map has no score.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImacsError {
    /// The mask selects nothing, so there is no mean inside it.
    #[error("empty mask: nothing to attend to")]
    EmptyMask,
    /// Map and mask differ in size.
    #[error("attribution and mask differ in size: expected {}x{}, found {}x{}", .expected[0], .expected[1], .found[0], .found[1])]
    ShapeMismatch {
        /// Height and width of the attribution.
        expected: [usize; 2],
        /// Height and width of the mask.
        found: [usize; 2],
    },
    /// A value of the map or the mask is not in `[0, 1]`.
    #[error("{what}: expected values in [0, 1], found {found} at row {row}, column {column}")]
    OutOfRange {
        /// Which of the two.
        what: &'static str,
        /// The first such value.
        found: f32,
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
    },
    /// The penalty is negative or not finite.
    #[error("penalty: expected a finite number, at least 0, found {found}")]
    Penalty {
        /// The penalty.
        found: f64,
    },
}

/// Inpainting Mask Attention Consistency Score: mean attribution inside the mask less `penalty` times the mean outside.
///
/// With the mask of the hole and a map over the generated picture this is `IMACS_g`, with the mask of the object and a map over
/// the reference `IMACS_r`. The mask may be fractional: a pixel of value m counts m inside and 1 - m outside.
///
/// # Shapes
/// `attribution` and `mask`: the same `[height, width]`.
/// # Units and range
/// None; `[-penalty, 1]`, higher is better. A uniform map c scores `c * (1 - penalty)`, a map equal to a binary mask 1.
/// # Errors
/// [`ImacsError::EmptyMask`] if the mask is 0 everywhere; [`ImacsError::ShapeMismatch`]; [`ImacsError::OutOfRange`] for values, of
/// either, outside `[0, 1]` or NaN; [`ImacsError::Penalty`]. A mask that is 1 everywhere leaves nothing outside: that term is 0.
/// # Source
/// The I2AM paper; qkrwnstj306/I2AM: `hook.py` (`cal_IMACS`) @ 7c3e19c (fixture `i2am`, `chain`). The published code gives NaN for
/// `IMACS_g` of an empty or a full mask; its `IMACS_r` has 1e-8 in the denominators, which makes no difference that could be seen otherwise.
pub fn imacs(attribution: &Plane, mask: &Plane, config: &ImacsConfig) -> Result<Imacs, ImacsError> {
    if attribution.size() != mask.size() {
        return Err(ImacsError::ShapeMismatch {
            expected: attribution.size(),
            found: mask.size(),
        });
    }
    check_range("attribution", attribution)?;
    check_range("mask", mask)?;
    let penalty = config.penalty;
    if !(penalty.is_finite() && penalty >= 0.0) {
        return Err(ImacsError::Penalty { found: penalty });
    }

    let (mut inside, mut outside) = (Mean::default(), Mean::default());
    for (&value, &weight) in attribution.data().iter().zip(mask.data()) {
        let (value, weight) = (f64::from(value), f64::from(weight));
        inside.add(value, weight);
        outside.add(value, 1.0 - weight);
    }
    let inside = inside.value().ok_or(ImacsError::EmptyMask)?;
    let outside = outside.value().unwrap_or(0.0);
    Ok(Imacs {
        value: inside - penalty * outside,
        inside,
        outside,
        penalty,
    })
}

/// A weighted mean, summed in the order of calls.
#[derive(Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.weight += weight;
    }

    fn value(&self) -> Option<f64> {
        // Rounding of the two sums may leave a mean of ones at 1 + 1e-16.
        (self.weight > 0.0).then(|| (self.sum / self.weight).min(1.0))
    }
}

fn check_range(what: &'static str, plane: &Plane) -> Result<(), ImacsError> {
    let outside = |value: &f32| !(0.0..=1.0).contains(value);
    match plane.data().iter().position(outside) {
        None => Ok(()),
        Some(index) => Err(ImacsError::OutOfRange {
            what,
            found: plane.data()[index],
            row: index / plane.width(),
            column: index % plane.width(),
        }),
    }
}

#[cfg(test)]
mod tests;
