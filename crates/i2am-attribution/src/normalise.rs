//! From a raw map to attribution in `[0, 1]`.

use i2am_imaging::Plane;

use crate::{Convention, Direction, Grid, Polarity, ReferenceMask};

/// The attribution of a raw map at the size of a picture.
///
/// In this order: the product with the reference mask, if the convention says so; min-max; resize; min-max; polarity; floor
/// ([`to_attribution`]).
///
/// # Shapes
/// `map`: any size, as from [`crate::attribution_map`]. `reference_mask`: any size, 1 where the reference shows
/// the object, fractional at edges; only used over reference positions, and nothing is multiplied where it is `None`. The
/// result is `[height, width]`.
/// # Units and range
/// None; in `[0, 1]`. A constant map has attribution 0 everywhere (1 with [`Polarity::Inverted`]).
/// # Panics
/// If `height` or `width` is 0.
/// # Source
/// qkrwnstj306/I2AM: `hook.py` (`make_images`) @ 7c3e19c (fixture `i2am`, `chain`).
pub fn normalise(
    map: &Plane,
    convention: &Convention,
    direction: Direction,
    height: usize,
    width: usize,
    reference_mask: Option<&Plane>,
) -> Plane {
    let epsilon = convention.epsilon as f32;
    let masked = match (direction, convention.reference_mask, reference_mask) {
        (Direction::GeneratedToReference, ReferenceMask::BeforeMinMax, Some(mask)) => {
            Some(product(map, mask, convention))
        }
        _ => None,
    };
    let small = masked.as_ref().unwrap_or(map).minmax(epsilon);
    let large = convention
        .resize
        .apply(&small, Grid { height, width })
        .minmax(epsilon);
    to_attribution(&large, convention, direction)
}

/// Polarity and floor: the last steps of [`normalise`], for a map that is already min-max normalised.
///
/// The floor is cut where one minus the attribution reaches one minus the floor, in `f32`, as the published code does: values at
/// the cut fall on the same side there and here.
pub fn to_attribution(normalised: &Plane, convention: &Convention, direction: Direction) -> Plane {
    let polarity = convention.direction(direction).polarity;
    let cut = convention.floor.map(|floor| (1.0 - floor) as f32);
    normalised.map(|value| {
        let absence = match polarity {
            Polarity::Direct => 1.0 - value,
            Polarity::Inverted => value,
        };
        match (cut, polarity) {
            (Some(cut), _) if absence >= cut => 0.0,
            (None, Polarity::Direct) => value,
            _ => 1.0 - absence,
        }
    })
}

fn product(map: &Plane, mask: &Plane, convention: &Convention) -> Plane {
    let [height, width] = map.size();
    let mask = convention.resize.apply(mask, Grid { height, width });
    Plane::from_fn(height, width, |row, column| {
        map.get(row, column) * mask.get(row, column)
    })
}

#[cfg(test)]
mod tests;
