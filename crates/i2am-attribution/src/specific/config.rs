//! Which specific maps are made, as configured.

use i2am_imaging::Plane;
use serde::{Deserialize, Serialize};

use super::Positions;
use crate::{AttentionRecord, AttributionError, Direction, Level, layer_matches};

/// Whose specific maps are made: nobody's by default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpecificConfig {
    /// Layers by name, where `*` stands for any text; empty for every layer whose position-by-position attention was kept.
    pub layers: Vec<String>,
    /// Positions of the generated picture: from where in the reference they take.
    pub generated: PlacesConfig,
    /// Positions of the reference: where in the generated picture they go.
    pub reference: PlacesConfig,
}

/// Positions of one picture. Places are fractions of its height and width, counted from the top left corner, so that they mean the
/// same at every resolution.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlacesConfig {
    /// Single positions: `[row, column]`, each in `[0, 1)`.
    pub points: Vec<[f64; 2]>,
    /// Boxes, each averaged: `[top, left, bottom, right]`, in `[0, 1]`.
    pub boxes: Vec<[f64; 4]>,
    /// Positions inside the mask: the hole of the generated picture, the object of the reference.
    pub mask: MaskedPositions,
}

/// What is made of the positions inside a mask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskedPositions {
    /// Nothing.
    #[default]
    Off,
    /// One map, their mean.
    Together,
    /// One map for each.
    Each,
}

/// One specific map to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Specific {
    /// The direction it is read in: positions of the generated picture have a map over the reference, and the other way round.
    pub direction: Direction,
    /// The layer.
    pub layer: String,
    /// The positions, in words: `point:0.5,0.25`, `box:0,0,0.5,1`, `mask`, or `position:12,7` (row and column on the layer's grid).
    pub place: String,
    /// The positions, on the layer's grid.
    pub positions: Positions,
}

impl Specific {
    /// The level in result rows.
    pub fn level(&self) -> Level {
        Level::Specific {
            layer: self.layer.clone(),
            place: self.place.clone(),
        }
    }
}

impl SpecificConfig {
    /// Whether no map is asked for.
    pub fn is_empty(&self) -> bool {
        self.generated.is_empty() && self.reference.is_empty()
    }

    /// Checks that places lie within their picture.
    ///
    /// # Errors
    /// [`AttributionError::Setting`] with the first that does not.
    pub fn check(&self) -> Result<(), AttributionError> {
        let named = [
            (
                "specific.generated.points",
                "specific.generated.boxes",
                &self.generated,
            ),
            (
                "specific.reference.points",
                "specific.reference.boxes",
                &self.reference,
            ),
        ];
        for (points, boxes, places) in named {
            let within = |point: &&[f64; 2]| point.iter().all(|place| (0.0..1.0).contains(place));
            if let Some(point) = places.points.iter().find(|point| !within(point)) {
                return Err(AttributionError::Setting {
                    setting: points,
                    expected: "[row, column], each at least 0 and below 1",
                    found: format!("{point:?}"),
                });
            }
            let ordered = |[top, left, bottom, right]: &[f64; 4]| {
                0.0 <= *top
                    && top < bottom
                    && *bottom <= 1.0
                    && 0.0 <= *left
                    && left < right
                    && *right <= 1.0
            };
            if let Some(area) = places.boxes.iter().find(|area| !ordered(area)) {
                return Err(AttributionError::Setting {
                    setting: boxes,
                    expected: "[top, left, bottom, right], each from 0 to 1, top above bottom and left of right",
                    found: format!("{area:?}"),
                });
            }
        }
        Ok(())
    }

    /// The maps of `record` that are asked for: by layer in the record's order, positions of the generated picture first.
    ///
    /// `hole` and `object` are the masks of the generated picture and of the reference, of any size; without one, nothing is asked
    /// of the positions inside it. Places in which no position of a layer lies are listed too, so that their absence is seen.
    pub fn maps(
        &self,
        record: &AttentionRecord,
        hole: Option<&Plane>,
        object: Option<&Plane>,
    ) -> Vec<Specific> {
        let mut found = Vec::new();
        for layer in &record.layers {
            let chosen = if self.layers.is_empty() {
                layer.specific.is_some()
            } else {
                let named = |pattern: &String| layer_matches(pattern, &layer.name);
                self.layers.iter().any(named)
            };
            let Some(reference) = layer.reference_grid().filter(|_| chosen) else {
                continue;
            };
            let sides = [
                (
                    Direction::GeneratedToReference,
                    &self.generated,
                    layer.generated_grid(),
                    hole,
                ),
                (
                    Direction::ReferenceToGenerated,
                    &self.reference,
                    reference,
                    object,
                ),
            ];
            for (direction, places, grid, mask) in sides {
                let map = |(place, positions)| Specific {
                    direction,
                    layer: layer.name.clone(),
                    place,
                    positions,
                };
                found.extend(places.on(grid, mask).into_iter().map(map));
            }
        }
        found
    }
}

impl PlacesConfig {
    fn is_empty(&self) -> bool {
        self.points.is_empty() && self.boxes.is_empty() && self.mask == MaskedPositions::Off
    }

    /// The positions on `grid`, each with its name.
    fn on(&self, grid: crate::Grid, mask: Option<&Plane>) -> Vec<(String, Positions)> {
        let joined = |places: &[f64]| {
            let texts: Vec<String> = places.iter().map(f64::to_string).collect();
            texts.join(",")
        };
        let point = |point: &[f64; 2]| {
            let positions = Positions::at_point(grid, *point);
            (format!("point:{}", joined(point)), positions)
        };
        let area = |area: &[f64; 4]| {
            let positions = Positions::in_area(grid, *area);
            (format!("box:{}", joined(area)), positions)
        };
        let mut places: Vec<(String, Positions)> = Vec::new();
        let asked = self.points.iter().map(point);
        for place in asked.chain(self.boxes.iter().map(area)) {
            // What is written twice is one map.
            if places.iter().all(|(name, _)| *name != place.0) {
                places.push(place);
            }
        }
        let masked = mask.map(|mask| Positions::in_mask(grid, mask));
        match (self.mask, masked) {
            (MaskedPositions::Off, _) | (_, None) => {}
            (MaskedPositions::Together, Some(masked)) => places.push(("mask".to_owned(), masked)),
            (MaskedPositions::Each, Some(masked)) => places.extend(masked.each().map(|position| {
                let index = position.indices()[0];
                let (row, column) = (index / grid.width, index % grid.width);
                (format!("position:{row},{column}"), position)
            })),
        }
        places
    }
}
