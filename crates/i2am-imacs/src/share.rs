//! How much of a layer's attention lies outside a mask, before any of it is normalised.

use i2am_imaging::{Plane, torch_adaptive_average};
use serde::Serialize;

/// Attention outside a mask, and how much of it there would be if it were spread evenly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OutsideShare {
    /// Attention outside the mask by all attention, in `[0, 1]`.
    pub attention: f64,
    /// Area outside the mask by all area, in `[0, 1]`.
    pub area: f64,
}

/// The share of `attention` that lies outside `mask`; none if there is no attention.
///
/// # Shapes
/// `attention`: the size of its layer. `mask`: any size, 1 inside; it is brought to the layer by the share of each position that is
/// masked, so that a position on its edge counts in part.
/// # Units and range
/// None; `[0, 1]`. A layer that looks at everything alike has the share of the area; one that keeps to the mask has 0.
pub fn outside_share(attention: &Plane, mask: &Plane) -> Option<OutsideShare> {
    let [height, width] = attention.size();
    let inside = torch_adaptive_average(mask, height, width);
    let (mut outside, mut all, mut area) = (0.0, 0.0, 0.0);
    for (&value, &inside) in attention.data().iter().zip(inside.data()) {
        let (value, rest) = (f64::from(value), 1.0 - f64::from(inside));
        outside += value * rest;
        all += value;
        area += rest;
    }
    (all > 0.0).then(|| OutsideShare {
        attention: (outside / all).clamp(0.0, 1.0),
        area: (area / attention.data().len() as f64).clamp(0.0, 1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask() -> Plane {
        // Of the 2x2 positions the first is masked in full, the second by half.
        let masked = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0];
        let mut values = masked.to_vec();
        values.resize(16, 0.0);
        Plane::new(4, 4, values).unwrap()
    }

    #[test]
    fn positions_count_by_the_share_that_is_masked() {
        let attention = Plane::new(2, 2, vec![3.0, 2.0, 1.0, 2.0]).unwrap();
        let share = outside_share(&attention, &mask()).unwrap();
        assert!((share.attention - 0.5).abs() < 1e-12, "{share:?}");
        assert!((share.area - 0.625).abs() < 1e-12, "{share:?}");
    }

    #[test]
    fn even_attention_has_the_share_of_the_area() {
        let share = outside_share(&Plane::filled(2, 2, 0.25), &mask()).unwrap();
        assert!((share.attention - share.area).abs() < 1e-12, "{share:?}");
        assert_eq!(outside_share(&Plane::zeros(2, 2), &mask()), None);
    }
}
