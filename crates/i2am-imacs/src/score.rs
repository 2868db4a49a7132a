//! From an attention record to a score.

use i2am_attribution::{
    AttentionRecord, Convention, Direction, Level, NoMap, attribution_map, normalise,
};
use i2am_imaging::Plane;
use i2am_quantity::Notes;

use crate::{Imacs, ImacsConfig, ImacsError, imacs};

/// A score and what a reader has to know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The score.
    pub imacs: Imacs,
    /// The notes of the map.
    pub notes: Notes,
}

/// Why there is no score: the reason beside an empty value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoScore {
    /// There is no map to score.
    #[error(transparent)]
    Map(#[from] NoMap),
    /// The map cannot be scored against this mask.
    #[error(transparent)]
    Imacs(#[from] ImacsError),
}

/// Scores the map of `level` in `direction` against `mask`, at the mask's size.
///
/// # Shapes
/// `mask`: the size at which to score, for published numbers that of the picture. Over generated positions it is the hole (1 =
/// repainted), `IMACS_g`; over reference positions the object in the reference (1 = object), `IMACS_r`, and then also the mask that
/// [`i2am_attribution::ReferenceMask::BeforeMinMax`] multiplies onto the map.
/// # Units and range
/// As [`imacs()`].
/// # Errors
/// [`NoScore`] with the reason.
/// # Source
/// As [`imacs()`] and [`attribution_map`].
pub fn score(
    record: &AttentionRecord,
    convention: &Convention,
    direction: Direction,
    level: &Level,
    mask: &Plane,
    config: &ImacsConfig,
) -> Result<Score, NoScore> {
    let map = attribution_map(record, convention, direction, level)?;
    let [height, width] = mask.size();
    let attribution = normalise(&map.plane, convention, direction, height, width, Some(mask));
    Ok(Score {
        imacs: imacs(&attribution, mask, config)?,
        notes: map.notes,
    })
}

#[cfg(test)]
mod tests;
