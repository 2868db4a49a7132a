//! [`Plane`]: a map of `f32` values, the currency between attention records, maps, masks and scores.

use image::{GrayImage, Luma};

use crate::ImagingError;

#[cfg(test)]
mod tests;

/// A map of height x width `f32` values, row by row; never empty. What the values mean is up to the owner.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    height: usize,
    width: usize,
    data: Vec<f32>,
}

impl Plane {
    /// A plane of the values `data`, `[height, width]` in row-major order.
    ///
    /// # Errors
    /// [`ImagingError::PlaneLength`] unless there are `height * width` values, at least one.
    pub fn new(height: usize, width: usize, data: Vec<f32>) -> Result<Self, ImagingError> {
        if data.is_empty() || height.checked_mul(width) != Some(data.len()) {
            let found = data.len();
            return Err(ImagingError::PlaneLength {
                height,
                width,
                found,
            });
        }
        Ok(Self {
            height,
            width,
            data,
        })
    }

    /// A plane whose value at row `r`, column `c` is `value(r, c)`.
    ///
    /// # Panics
    /// If `height` or `width` is 0.
    pub fn from_fn(height: usize, width: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        assert!(
            height > 0 && width > 0,
            "a plane of {height} x {width} values is empty"
        );
        let value = &value;
        let data = (0..height)
            .flat_map(|r| (0..width).map(move |c| value(r, c)))
            .collect();
        Self {
            height,
            width,
            data,
        }
    }

    /// A plane of the one `value`.
    ///
    /// # Panics
    /// If `height` or `width` is 0.
    pub fn filled(height: usize, width: usize, value: f32) -> Self {
        Self::from_fn(height, width, |_, _| value)
    }

    /// A plane of zeros.
    ///
    /// # Panics
    /// If `height` or `width` is 0.
    pub fn zeros(height: usize, width: usize) -> Self {
        Self::filled(height, width, 0.0)
    }

    /// Number of rows, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of columns, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height and width.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// All values, row by row.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// All values, row by row, to change.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// All values, row by row, without copying them.
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    /// The values of row `r`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, r: usize) -> &[f32] {
        &self.data[r * self.width..][..self.width]
    }

    /// The value at row `r`, column `c`.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub fn get(&self, r: usize, c: usize) -> f32 {
        self.row(r)[c]
    }

    /// The smallest value; NaN if any value is NaN.
    pub fn min(&self) -> f32 {
        self.data.iter().copied().fold(
            f32::INFINITY,
            |a, b| if b < a || b.is_nan() { b } else { a },
        )
    }

    /// The largest value; NaN if any value is NaN.
    pub fn max(&self) -> f32 {
        self.data.iter().copied().fold(
            f32::NEG_INFINITY,
            |a, b| if b > a || b.is_nan() { b } else { a },
        )
    }

    /// The sum of all values in `f64`, in index order.
    pub fn sum(&self) -> f64 {
        self.data
            .iter()
            .fold(0.0, |sum, &value| sum + f64::from(value))
    }

    /// The mean of all values in `f64`, summed in index order.
    pub fn mean(&self) -> f64 {
        self.sum() / self.data.len() as f64
    }

    /// Every value through `f`.
    #[must_use]
    pub fn map(&self, f: impl Fn(f32) -> f32) -> Self {
        let data = self.data.iter().map(|&value| f(value)).collect();
        Self { data, ..*self }
    }

    /// Every value times `factor`.
    #[must_use]
    pub fn scale(&self, factor: f32) -> Self {
        self.map(|value| value * factor)
    }

    /// Every value below `least` becomes `least`; NaN stays.
    #[must_use]
    pub fn clamp_min(&self, least: f32) -> Self {
        self.map(|value| if value < least { least } else { value })
    }

    /// `(x - min) / (max - min + eps)` in `f32`: values in \[0, 1\], all 0 where all values are equal.
    #[must_use]
    pub fn minmax(&self, eps: f32) -> Self {
        let (min, max) = (self.min(), self.max());
        self.map(|value| (value - min) / (max - min + eps))
    }

    /// `f(a, b)` of the values at the same place of this plane and of `other`.
    ///
    /// # Errors
    /// [`ImagingError::PlaneSize`] if the sizes differ.
    pub fn zip(&self, other: &Self, f: impl Fn(f32, f32) -> f32) -> Result<Self, ImagingError> {
        self.check_size(other)?;
        let data = self
            .data
            .iter()
            .zip(&other.data)
            .map(|(&a, &b)| f(a, b))
            .collect();
        Ok(Self { data, ..*self })
    }

    /// Adds the values of `other` to those of this plane.
    ///
    /// # Errors
    /// [`ImagingError::PlaneSize`] if the sizes differ.
    pub fn add_assign(&mut self, other: &Self) -> Result<(), ImagingError> {
        self.check_size(other)?;
        for (sum, value) in self.data.iter_mut().zip(&other.data) {
            *sum += value;
        }
        Ok(())
    }

    fn check_size(&self, other: &Self) -> Result<(), ImagingError> {
        let (expected, found) = (self.size(), other.size());
        if expected == found {
            Ok(())
        } else {
            Err(ImagingError::PlaneSize { expected, found })
        }
    }
}

/// A gray image as a plane in \[0, 1\]: level / 255.
///
/// # Errors
/// [`ImagingError::PlaneLength`] if the image has no pixel.
pub fn gray_to_plane(image: &GrayImage) -> Result<Plane, ImagingError> {
    let values = image
        .as_raw()
        .iter()
        .map(|&level| f32::from(level) / 255.0)
        .collect();
    Plane::new(image.height() as usize, image.width() as usize, values)
}

/// A plane in \[0, 1\] as a gray image: value x 255, rounded to the nearest level. Values outside are clamped, NaN is
/// black.
pub fn plane_to_gray(plane: &Plane) -> GrayImage {
    GrayImage::from_fn(plane.width() as u32, plane.height() as u32, |x, y| {
        // `as` clamps and turns NaN into 0.
        Luma([(plane.get(y as usize, x as usize) * 255.0).round() as u8])
    })
}
