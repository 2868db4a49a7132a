//! How much attention falls near the matching place of the other picture: the score of maps where no mask says what is right.

mod near;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{AttentionRecord, AttributionError, Direction, Grid, LayerRecord, Level, Near};

pub use near::{NearPair, matching_place, near_pairs};

/// `[attribution.locality]`: what is recorded for the score. Without the table nothing is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LocalityConfig {
    /// Distances, in cells of the map looked at, within which attention counts as near; ascending.
    pub radii: Vec<usize>,
}

impl Default for LocalityConfig {
    fn default() -> Self {
        Self {
            radii: vec![0, 1, 2],
        }
    }
}

impl LocalityConfig {
    /// Largest radius: the pairs of a layer grow with its square.
    pub const MAX_RADIUS: usize = 16;

    /// Checks that radii ascend and stay within [`Self::MAX_RADIUS`].
    ///
    /// # Errors
    /// [`AttributionError::Setting`]
    pub fn check(&self) -> Result<(), AttributionError> {
        let ascend = self.radii.is_sorted_by(|a, b| a < b);
        let small = self.radii.iter().all(|&radius| radius <= Self::MAX_RADIUS);
        if self.radii.is_empty() || !ascend || !small {
            return Err(AttributionError::Setting {
                setting: "attribution.locality.radii",
                expected: "at least one radius, ascending, at most 16",
                found: format!("{:?}", self.radii),
            });
        }
        Ok(())
    }
}

/// The score of one level at one radius, with what it has to be compared with. All are mean shares of a position's attention, 0
/// to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Locality {
    /// What the mean runs over.
    pub level: Level,
    /// Largest distance that counts as near.
    pub radius: usize,
    /// Share of attention within the radius of the matching place.
    pub near: f64,
    /// The same share around the matching place of another position, mean over all positions: what the map would have if it looked
    /// at the same places whatever position asks.
    pub shuffled: f64,
    /// The same share of even attention: the part of the map that a window covers, of what the map has in all.
    pub uniform: f64,
    /// What the map has in all: 1, or less where other keys compete with those of the reference.
    pub share: f64,
}

impl Locality {
    /// How far `near` lies between `shuffled`, 0, and `share`, 1; negative for a map that avoids the matching place. `None` where windows
    /// cover the whole map, so that nothing can be told.
    pub fn gain(&self) -> Option<f64> {
        let room = self.share - self.shuffled;
        (room > 1e-6 * self.share).then(|| (self.near - self.shuffled) / room)
    }
}

/// The scores of a record in `direction`, at every level and radius; none if nothing was recorded for them.
///
/// A layer's score is the mean over positions, heads and steps. Levels of several layers are plain means over all layers that have
/// one: shares need no scaling, so the convention's choice and weighting of layers do not enter.
/// Levels are those of maps: unified, time groups as recorded, heads if all layers have as many, layers, and sizes of the map looked
/// at.
///
/// # Units and range
/// Shares, 0 to 1; higher is more local.
/// # Source
/// Our own definition: `docs/locality.md`.
pub fn localities(record: &AttentionRecord, direction: Direction) -> Vec<Locality> {
    let layers: Vec<Shares<'_>> = record
        .layers
        .iter()
        .filter_map(|layer| Shares::of(layer, direction, &record.steps))
        .collect();
    let Some(first) = layers.first() else {
        return Vec::new();
    };
    let heads: BTreeSet<usize> = layers.iter().map(|shares| shares.layer.heads).collect();
    let grids: BTreeSet<Grid> = layers.iter().map(|shares| shares.onto).collect();
    let mut levels = vec![Level::Unified];
    levels.extend((0..record.groups()).map(Level::Time));
    if heads.len() == 1 {
        levels.extend((0..first.layer.heads).map(Level::Head));
    }
    let names = layers.iter().map(|shares| shares.layer.name.clone());
    levels.extend(names.map(Level::Layer));
    levels.extend(
        grids
            .into_iter()
            .map(|Grid { height, width }| Level::Resolution { height, width }),
    );
    let mut found = Vec::new();
    for level in levels {
        let chosen: Vec<&Shares<'_>> = layers.iter().filter(|s| s.belongs_to(&level)).collect();
        for (index, &radius) in first.radii.iter().enumerate() {
            let mean = |of: &dyn Fn(&Shares<'_>) -> f64| {
                chosen.iter().map(|shares| of(shares)).sum::<f64>() / chosen.len() as f64
            };
            found.push(Locality {
                radius,
                near: mean(&|s| s.mean(&s.near, index, &level, &record.steps)),
                shuffled: mean(&|s| s.mean(&s.shuffled, index, &level, &record.steps)),
                uniform: mean(&|s| s.uniform[index] * s.mean(&s.all, 0, &level, &record.steps)),
                share: mean(&|s| s.mean(&s.all, 0, &level, &record.steps)),
                level: level.clone(),
            });
        }
    }
    found
}

/// Shares of one layer, mean over positions and summed over the steps of a group: `[radii, groups, heads]`.
struct Shares<'r> {
    layer: &'r LayerRecord,
    radii: &'r [usize],
    /// Size of the map looked at.
    onto: Grid,
    near: Vec<f64>,
    shuffled: Vec<f64>,
    /// The share of the whole map, `[groups, heads]`.
    all: Vec<f64>,
    /// One for each radius.
    uniform: Vec<f64>,
}

impl<'r> Shares<'r> {
    fn of(layer: &'r LayerRecord, direction: Direction, steps: &[u32]) -> Option<Self> {
        let groups = steps.len();
        let Near { radii, r2g, g2r } = layer.near.as_ref()?;
        let (generated, reference) = (layer.generated_grid(), layer.reference_grid()?);
        let (from, onto, near, map) = match direction {
            Direction::ReferenceToGenerated => (reference, generated, r2g, &layer.r2g),
            Direction::GeneratedToReference => (generated, reference, g2r, layer.g2r.as_ref()?),
        };
        let positions = from.len() as f64;
        let rows = groups * layer.heads;
        let mut shuffled = Vec::with_capacity(near.len());
        let mut uniform = Vec::with_capacity(radii.len());
        let sides = |row: usize| {
            // Inside and outside of the mask together.
            [row, rows + row].map(|row| &map[row * onto.len()..][..onto.len()])
        };
        let of_row = |row: usize| sides(row).into_iter().flatten();
        // A softmax over keys that are all the reference's adds up to 1, up to the rounding of its many small terms.
        let taken = |row: usize| f64::from(steps[row / layer.heads]);
        let all = match (direction, &layer.share) {
            (Direction::GeneratedToReference, Some(_)) => (0..rows)
                .map(|row| of_row(row).map(|&sum| f64::from(sum)).sum::<f64>() / positions)
                .collect(),
            _ => (0..rows).map(taken).collect(),
        };
        for covered in near::coverage(from, onto, radii) {
            uniform.push(covered.iter().sum::<f64>() / onto.len() as f64);
            for row in 0..rows {
                let sides = sides(row);
                let sum: f64 = (0..onto.len())
                    .map(|cell| {
                        sides.map(|side| f64::from(side[cell])).iter().sum::<f64>() * covered[cell]
                    })
                    .sum();
                shuffled.push(sum / positions);
            }
        }
        Some(Self {
            layer,
            radii,
            onto,
            near: near.iter().map(|sum| sum / positions).collect(),
            all,
            shuffled,
            uniform,
        })
    }

    fn belongs_to(&self, level: &Level) -> bool {
        match level {
            Level::Layer(name) => self.layer.name == *name,
            Level::Resolution { height, width } => {
                (self.onto.height, self.onto.width) == (*height, *width)
            }
            _ => true,
        }
    }

    /// The mean over the steps and heads of `level` at one radius.
    fn mean(&self, sums: &[f64], radius: usize, level: &Level, steps: &[u32]) -> f64 {
        let heads = self.layer.heads;
        let groups = steps.len();
        let (mut sum, mut weight) = (0.0, 0.0);
        for (group, &steps) in steps.iter().enumerate() {
            for head in 0..heads {
                let enters = match level {
                    Level::Time(own) => group == *own,
                    Level::Head(own) => head == *own,
                    _ => true,
                };
                if enters {
                    sum += sums[(radius * groups + group) * heads + head];
                    weight += f64::from(steps);
                }
            }
        }
        sum / weight
    }
}

#[cfg(test)]
mod tests;
