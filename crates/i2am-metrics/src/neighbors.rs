//! Which features of one set lie among those of another: in balls around its members that reach to their nearest neighbors.

#[cfg(test)]
mod tests;

use tch::{Kind, Tensor};

use crate::features::Features;

/// Rows whose distances to the other set are in memory at a time.
const ROWS: i64 = 1024;

/// What lies inside the balls around `centers`.
pub(crate) struct Balls {
    /// `[n, width]` f64.
    centers: Tensor,
    /// `[n]` f64: distance of each center to its nearest neighbors' last.
    radii: Tensor,
}

impl Balls {
    /// Balls that reach to the `nearest`th neighbor of each center among the other centers.
    ///
    /// # Panics
    /// If there are not more centers than that.
    pub(crate) fn around(centers: &Features, nearest: usize) -> Self {
        assert!(centers.count() > nearest, "a center has so many neighbors");
        let centers = centers.rows();
        // The nearest is the center itself.
        let place = nearest as i64 + 1;
        let radii = by_rows(&centers, &centers, |distances| {
            distances.kthvalue(place, 1, false).0
        });
        Self { centers, radii }
    }

    /// For each of `points`, in how many balls it lies; `[points]` f64. A point on the surface counts if `with_surface`.
    fn holding(&self, points: &Features, with_surface: bool) -> Tensor {
        by_rows(&points.rows(), &self.centers, |distances| {
            let inside = if with_surface {
                distances.le_tensor(&self.radii)
            } else {
                distances.lt_tensor(&self.radii)
            };
            inside.sum_dim_intlist([1_i64].as_slice(), false, Kind::Double)
        })
    }

    /// Part of `points` that lies in a ball, with its surface.
    pub(crate) fn share_inside(&self, points: &Features) -> f64 {
        mean(&self.holding(points, true).gt(0.0).to_kind(Kind::Double))
    }

    /// Mean number of balls, without their surface, that a point lies in.
    pub(crate) fn mean_inside(&self, points: &Features) -> f64 {
        mean(&self.holding(points, false))
    }

    /// Part of the balls, without their surface, in which one of `points` lies.
    pub(crate) fn share_reached(&self, points: &Features) -> f64 {
        let nearest = by_rows(&self.centers, &points.rows(), |distances| {
            distances.amin([1_i64].as_slice(), false)
        });
        mean(&nearest.lt_tensor(&self.radii).to_kind(Kind::Double))
    }
}

fn mean(values: &Tensor) -> f64 {
    values.mean(Kind::Double).double_value(&[])
}

/// `of` of the Euclidean distances of some rows of `x` to all of `y`, joined.
fn by_rows(x: &Tensor, y: &Tensor, of: impl Fn(&Tensor) -> Tensor) -> Tensor {
    /// Differences are squared and added. By matrix products, equal rows would not be at equal distances.
    const NO_PRODUCTS: i64 = 2;
    let part = |rows: Tensor| of(&Tensor::cdist(&rows, y, 2.0, NO_PRODUCTS));
    let parts: Vec<Tensor> = x.split(ROWS, 0).into_iter().map(part).collect();
    Tensor::cat(&parts, 0)
}
